"""To whom a region is offered: every host of the platform there, and each that is connected there later."""

from django.db import transaction

from accounts.access import staff_require
from accounts.errors import InvalidInput
from accounts.models import Organization, Project
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_save
from clusters.models import RegionOffer


@transaction.atomic
def region_offer_create(*, region: str, to: Organization | Project, actor: Actor) -> RegionOffer:
    """Offers the region's hosts. Raises Conflict where that is so already. There need be no host yet."""
    staff_require(actor, "offer a region")
    region = region.strip()
    if not region:
        raise InvalidInput("The region is empty.", field="region", accepted="a region as hosts have it")
    offer = RegionOffer(region=region)
    if isinstance(to, Organization):
        offer.organization = to
    else:
        offer.project = to
    row_save(offer, taken=f"{region} is offered to {to} already.", field="region")
    _audit(actor, "region-offer.create", offer)
    return offer


@transaction.atomic
def region_offer_delete(*, offer: RegionOffer, actor: Actor) -> None:
    """Offers the region no longer. What runs there goes on; hosts that name them still do."""
    staff_require(actor, "withdraw the offer of a region")
    _audit(actor, "region-offer.delete", offer)
    offer.delete()


def _audit(actor: Actor, action: str, offer: RegionOffer) -> None:
    to = offer.offered_to
    audit_record(
        actor=actor,
        action=action,
        kind="region-offer",
        object_id=offer.pk,
        name=str(offer)[:120],
        organization_id=to.pk if isinstance(to, Organization) else to.organization_id,
        details={"region": offer.region, "offered_to": str(to)},
    )
