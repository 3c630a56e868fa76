"""Sharing one virtual cluster: a role for it alone."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput
from accounts.models import RoleBinding
from accounts.services.audit import Actor
from accounts.services.permissions import Subject
from accounts.services.role_bindings import role_binding_create
from accounts.spans import span_words, spans_accepted
from clusters.models import VirtualCluster, VirtualClusterPhase

MAXIMUM_SECONDS: Final = 10 * 365 * 86400


def shares_of(cluster: VirtualCluster) -> QuerySet[RoleBinding]:
    """The roles for this cluster alone, without those by broken glass: the cluster itself tells of these."""
    return RoleBinding.objects.filter(virtual_cluster=cluster, reason="").select_related(
        "user",
        "team__organization",
        "service_account__project__organization",
        "virtual_cluster__project__organization",
    )


@transaction.atomic
def virtual_cluster_share(
    *,
    virtual_cluster: VirtualCluster,
    subject: Subject,
    role: str,
    actor: Actor,
    now: datetime,
    expires_in: int | None = None,
    expires_at: datetime | None = None,
) -> RoleBinding:
    """Gives a role for this cluster, until a time or for `expires_in` seconds where one is given.

    Refuses as `role_binding_create` does, and with Conflict for a cluster that is gone.
    """
    actor_require(actor, "virtualcluster.share", virtual_cluster)
    if expires_in is not None and expires_at is not None:
        raise InvalidInput(
            "Say when it ends in one way.", field="expires_in", accepted="either expires_in or expires_at"
        )
    if expires_in is not None and not 1 <= expires_in <= MAXIMUM_SECONDS:
        raise InvalidInput(
            f"A role cannot hold for {span_words(expires_in)}.",
            field="expires_in",
            accepted=spans_accepted(1, MAXIMUM_SECONDS),
        )
    if virtual_cluster.phase == VirtualClusterPhase.DELETED:
        raise Conflict(f"{virtual_cluster} was deleted; there is nothing to share.")
    end = expires_at if expires_in is None else now + timedelta(seconds=expires_in)
    return role_binding_create(actor=actor, subject=subject, role=role, scope=virtual_cluster, expires_at=end, now=now)
