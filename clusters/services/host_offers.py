"""To whom a host is offered: to all, or to organizations and projects by name. Whoever is not meant does not get it."""

from dataclasses import dataclass
from typing import Any

from accounts.errors import InvalidInput
from accounts.models import Organization, Project
from accounts.services.audit import Actor
from clusters.access import host_offer_require
from clusters.models import HostCluster


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is said of it. None leaves a part as it is."""

    to_all: bool | None = None
    organizations: tuple[Organization, ...] | None = None
    projects: tuple[Project, ...] | None = None

    @property
    def names_somebody(self) -> bool:
        """Then it is no longer offered to all."""
        return bool(self.organizations or self.projects)


def offer_check(offer: Offer, *, organization: Organization | None, actor: Actor) -> None:
    """`organization`: whose host it is. Raises InvalidInput for what contradicts itself, else as the role demands."""
    if offer.to_all and organization is not None:
        raise InvalidInput(
            f"A host of {organization.name} cannot be offered to all.",
            field="offered_to.all",
            accepted="true for a host of the platform only",
        )
    if offer.to_all and offer.names_somebody:
        raise InvalidInput(
            "A host is offered to all or to some by name, not both.",
            field="offered_to.all",
            accepted="true without organizations and projects, or false",
        )
    if actor.user is not None:
        host_offer_require(actor.user, organization, offer.organizations or (), offer.projects or ())


def offer_now(offer: Offer, *, host: HostCluster) -> dict[str, Any]:
    """To whom the host is offered now, as `offer_write` tells it; empty where the offer says nothing."""
    if offer.to_all is None and offer.organizations is None and offer.projects is None:
        return {}
    return {
        "offered_to_all": host.offered_to_all,
        "offered_to_organizations": [str(each) for each in host.offered_to_organizations.order_by("name")],
        "offered_to_projects": [
            str(each) for each in host.offered_to_projects.select_related("organization").order_by("name")
        ],
    }


def offer_write(offer: Offer, *, host: HostCluster) -> dict[str, Any]:
    """Writes what is said, in the caller's transaction; the row's save is the caller's. Gives what changed, for audit.

    Naming somebody ends that all have it, and offering it to all forgets the names.
    """
    told: dict[str, Any] = {}
    to_all = False if offer.names_somebody else offer.to_all
    if to_all is not None and to_all != host.offered_to_all:
        host.offered_to_all = told["offered_to_all"] = to_all
    organizations, projects = ((), ()) if to_all else (offer.organizations, offer.projects)
    if organizations is not None:
        host.offered_to_organizations.set(organizations)
    if projects is not None:
        host.offered_to_projects.set(projects)
    if offer.organizations is not None:
        told["offered_to_organizations"] = [str(each) for each in offer.organizations]
    if offer.projects is not None:
        told["offered_to_projects"] = [str(each) for each in offer.projects]
    return told
