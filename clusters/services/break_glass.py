"""Breaking the glass: platform staff get into one tenant's cluster for a while, with a reason, for all to see."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.access import UNSEEN, allowed, platform_staff, staff_require
from accounts.errors import Conflict, InvalidInput, NotAllowed, NotFound
from accounts.models import RoleBinding, User
from accounts.services.access_lost import access_lost
from accounts.services.audit import Actor
from accounts.services.notifications import notification_send
from accounts.services.permissions import organization_lock
from accounts.services.project_admins import project_admins
from accounts.services.role_giving import role_put, role_remove
from clusters.models import VirtualCluster, VirtualClusterPhase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.ownership import about_cluster, cluster_link, owner_may, people_of

ROLES: Final = ("viewer", "developer")
MAXIMUM_MINUTES: Final = 60
DEFAULT_MINUTES: Final = 30
REASON_LENGTHS: Final = (10, 300)


def glass_broken(clusters: Iterable[UUID] | None = None, *, now: datetime) -> QuerySet[RoleBinding]:
    """The roles that hold by it, of these clusters or of all."""
    found = RoleBinding.objects.filter(virtual_cluster__isnull=False, expires_at__gt=now).exclude(reason="")
    return found if clusters is None else found.filter(virtual_cluster__in=list(clusters))


def glass_broken_seen(*, cluster_id: UUID, user: User, now: datetime) -> QuerySet[RoleBinding]:
    """For who sees the cluster, its owner, and platform staff, who look after it that it ends. NotFound for others."""
    cluster = VirtualCluster.objects.select_related("project__organization").filter(pk=cluster_id).first()
    if cluster is None or not (
        platform_staff(user)
        or owner_may(user, "virtualcluster.view", cluster)
        or allowed(user, "virtualcluster.view", cluster)
    ):
        raise NotFound(UNSEEN)
    return glass_broken([cluster.pk], now=now).select_related("user")


@transaction.atomic
def break_glass(
    *, cluster_id: UUID, actor: Actor, reason: str, now: datetime, minutes: int = DEFAULT_MINUTES, role: str = ROLES[0]
) -> RoleBinding:
    """Gives the acting member of platform staff a role for this cluster alone, for an hour at most.

    Its owner and the admins of its project are told at once. NotFound for everybody but platform staff, InvalidInput
    for what is missing, Conflict where they hold such a role already or the cluster is gone.
    """
    user = _staff(actor)
    rows = VirtualCluster.objects.select_related("project__organization", "owner_user", "owner_team")
    cluster = rows.filter(pk=cluster_id).first()
    if cluster is None:
        raise NotFound(UNSEEN)
    why = _reason(reason)
    _terms_check(minutes, role)
    if cluster.phase == VirtualClusterPhase.DELETED:
        raise Conflict("This cluster was deleted; there is nothing to look at.")
    organization_lock(cluster)
    until = now + timedelta(minutes=minutes)
    grant = role_put(actor=actor, subject=user, role=role, scope=cluster, expires_at=until, reason=why, now=now)
    _audit(actor, "break-glass.begin", cluster, grant, reason=why, role=role, until=until.isoformat())
    _tell(cluster, grant, now)
    return grant


@transaction.atomic
def break_glass_end(*, cluster_id: UUID, grant_id: UUID, actor: Actor, now: datetime) -> None:
    """Ends it early: for platform staff, the cluster's owner and the admins of its project."""
    cluster = VirtualCluster.objects.select_related("project__organization").filter(pk=cluster_id).first()
    if cluster is None:
        raise NotFound(UNSEEN)
    _end_require(actor, cluster)
    organization_lock(cluster)
    grant = glass_broken([cluster.pk], now=now).filter(pk=grant_id).select_related("user").first()
    if grant is None or grant.user is None:
        raise NotFound(UNSEEN)
    holder = grant.user
    _audit(actor, "break-glass.end", cluster, grant)
    role_remove(actor=actor, binding=grant, action="role.take", now=now)
    access_lost(subject=holder, now=now)


def break_glass_use_record(*, actor: Actor, clusters: Iterable[UUID], request: str, status: int, now: datetime) -> None:
    """Writes down that a request reached these clusters, for those that the acting person reaches by broken glass."""
    # whatever the token leaves of their powers: the role that the glass gave is theirs with any
    if actor.user is None or not actor.user.is_staff:
        return
    for grant in (
        glass_broken(clusters, now=now).filter(user=actor.user).select_related("virtual_cluster__project__organization")
    ):
        if grant.virtual_cluster is not None:
            _audit(actor, "break-glass.use", grant.virtual_cluster, grant, request=request[:300], status=status)


def _staff(actor: Actor) -> User:
    """Whoever is not platform staff hears that there is nothing, whatever id they guess."""
    if actor.user is None or actor.user.is_service_account:
        raise NotFound(UNSEEN)
    try:
        staff_require(actor, "break the glass")
    except NotAllowed:
        raise NotFound(UNSEEN) from None
    return actor.user


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    least, most = REASON_LENGTHS
    if not least <= len(reason) <= most:
        raise InvalidInput(
            "Breaking the glass takes a reason that its owner can understand.",
            field="reason",
            accepted=f"{least} to {most} characters, for example a ticket and what is wrong",
        )
    return reason


def _terms_check(minutes: int, role: str) -> None:
    if not 1 <= minutes <= MAXIMUM_MINUTES:
        raise InvalidInput(
            f"The glass cannot stay broken for {minutes} minutes.",
            field="minutes",
            accepted=f"1 to {MAXIMUM_MINUTES} minutes",
        )
    if role not in ROLES:
        raise InvalidInput(f"No role {role[:20]!r} is given this way.", field="role", accepted=f"{' or '.join(ROLES)}")


def _end_require(actor: Actor, cluster: VirtualCluster) -> None:
    user = actor.user
    if user is None or platform_staff(user) or owner_may(user, "project.members", cluster):
        return
    if allowed(user, "project.members", cluster.project):
        return
    if not allowed(user, "virtualcluster.view", cluster):
        raise NotFound(UNSEEN)
    raise NotAllowed(
        "You may not end this.", hint="Its owner, the admins of its project and platform staff may end it."
    )


def _tell(cluster: VirtualCluster, grant: RoleBinding, now: datetime) -> None:
    notification_send(
        recipients=[*people_of(cluster.owner), *project_admins(cluster.project)],
        kind="break-glass",
        about=about_cluster(cluster),
        text=f"{grant.user} of the platform staff is {grant.role} of {cluster} until "
        f"{grant.expires_at:%Y-%m-%d %H:%M} UTC. Their reason: {grant.reason}",
        now=now,
        link=cluster_link(cluster),
        command=f"marina break-glass {cluster.pk} --end",
    )


def _audit(actor: Actor, action: str, cluster: VirtualCluster, grant: RoleBinding, **details: object) -> None:
    virtual_cluster_audit(
        actor,
        action,
        cluster,
        details={"grant": str(grant.pk), **details},
    )
