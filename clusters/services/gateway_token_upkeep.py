"""What ends static gateway tokens without anybody asking: a lost role, a deleted cluster, an organization's maximum."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Organization
from accounts.services.audit import Actor
from clusters.access import gateway_token_held
from clusters.models import GatewayToken, VirtualClusterPhase
from clusters.services.gateway_static_tokens import gateway_token_audit, gateway_token_end

_MARINA = Actor(user=None, name="marina")
_WHY = "No role gives its holder a kubeconfig there any more."


@transaction.atomic
def gateway_tokens_without_role_revoke(*, now: datetime) -> int:
    """Ends those whose holder lost the role, and those of deleted clusters; says how many. Run by a schedule.

    They opened nothing any more before: this keeps them from coming back to life with a later role.
    """
    deleted = Q(virtual_cluster__phase=VirtualClusterPhase.DELETED)
    lost = _living(now).filter(deleted | ~gateway_token_held())
    return sum(gateway_token_end(token=token, actor=_MARINA, now=now, why=_WHY) for token in lost)


@transaction.atomic
def gateway_tokens_shorten(*, now: datetime) -> int:
    """Lets those of an organization's clusters end by its maximum, counted from when each was made; says how many.

    For those made before the organization set it. Run by a schedule.
    """
    found = 0
    for organization in Organization.objects.exclude(token_maximum_days=None):
        most = timedelta(days=organization.token_maximum_days or 0)
        longer = _living(now).filter(
            virtual_cluster__project__organization=organization,
            expires_at__gt=F("created_at") + most + timedelta(minutes=1),
        )
        for token in longer.select_for_update(of=("self",)):
            token.expires_at = token.created_at + most
            token.save(update_fields=["expires_at"])
            ends = token.expires_at.isoformat()
            gateway_token_audit(
                _MARINA,
                "gatewaytoken.shorten",
                token,
                expires_at=ends,
                token_maximum_days=organization.token_maximum_days,
            )
            found += 1
    return found


def _living(now: datetime) -> QuerySet[GatewayToken]:
    rows = GatewayToken.objects.filter(revoked_at=None, expires_at__gt=now)
    return rows.select_related("user", "virtual_cluster__project__organization")
