"""Who answers for a virtual cluster: a user, a team or a service account; and who does when they leave."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.access import allowed
from accounts.errors import InvalidInput
from accounts.models import Project, Team, User
from accounts.role_reach import team_allowed
from accounts.services.audit import Actor
from accounts.services.notifications import About, notification_send
from accounts.services.project_admins import project_admins
from accounts.services.rows import row_lock
from accounts.token_scope import token_leaves, without_limits
from clusters.lifecycle.plans_writing import plans_write
from clusters.models import VirtualCluster, VirtualClusterPhase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.generations import GENERATION_FIELDS, generation_pass

Owner = User | Team
"""A service account owns by the user that stands for it."""

_MARINA = Actor(user=None, name="marina")


def owner_check(owner: Owner, cluster: VirtualCluster) -> None:
    """Whoever owns a cluster must see it; raises InvalidInput. The cluster may be one that is not written yet."""
    if not owner_sees(owner, cluster):
        raise owner_refused(cluster.project)


def owner_awaited(owner: Owner | None, project: Project) -> None:
    """Keeps a person from being deactivated until the transaction ends. Raises InvalidInput where they just were.

    To be called before organizations and projects are locked, in which order those go who deactivate somebody.
    """
    if isinstance(owner, User) and not owner.is_service_account:
        row_lock(owner)
        if not owner.is_active:
            raise owner_refused(project)


def owner_refused(project: Project) -> InvalidInput:
    """One answer for who does not exist and for who has no role: it shows neither."""
    return InvalidInput(
        "There is nobody of this name who sees the virtual cluster, and whoever owns one has to see it.",
        field="owner",
        accepted=f"a handle, team:NAME or service-account:NAME with a role in {project} or for the cluster alone",
    )


def owner_sees(owner: Owner, cluster: VirtualCluster) -> bool:
    """Whether a role shows it to them, whatever token one of them came with."""
    if isinstance(owner, Team):
        return team_allowed(owner, "virtualcluster.view", cluster)
    scope = cluster.project if cluster._state.adding else cluster
    return allowed(without_limits(owner), "virtualcluster.view", scope)


def owner_columns(owner: Owner) -> dict[str, Any]:
    """The two columns in which an owner stands."""
    by_team = isinstance(owner, Team)
    return {"owner_user": None if by_team else owner, "owner_team": owner if by_team else None}


def people_of(owner: Owner) -> list[User]:
    """Whom to tell: the person, or the people of the team. A service account reads nothing."""
    return list(owner.members.all()) if isinstance(owner, Team) else [owner]


def is_owner(user: User | None, cluster: VirtualCluster) -> bool:
    """Whether this person owns it, by themselves or as one of the team that does."""
    if user is None or not user.is_active:
        return False
    if cluster.owner_team is not None:
        return cluster.owner_team.members.filter(pk=user.pk).exists()
    return cluster.owner_user_id == user.pk


def owner_may(user: User | None, action: str, cluster: VirtualCluster) -> bool:
    """Whether this person may do it as its owner: without a role for it, but not without their token leaving it."""
    return user is not None and is_owner(user, cluster) and token_leaves(user, action, cluster.project)


def about_cluster(cluster: VirtualCluster) -> About:
    """What a notification is about."""
    return About(
        kind="virtual-cluster", id=cluster.pk, name=str(cluster), organization_id=cluster.project.organization_id
    )


def cluster_link(cluster: VirtualCluster) -> str:
    """Its page."""
    return f"/virtual-clusters/{cluster.pk}"


def clusters_pass_on(*, users: Collection[User], teams: Collection[Team], now: datetime) -> None:
    """Gives what these own and no longer see to an admin of its project, and tells all of its admins.

    Called when they lost a role. Where a project and its organization have no admin, the owner stays.
    """
    # of users only what lives; a team may be about to be deleted, and then nothing may be its own
    theirs = Q(owner_user__in=users) & ~Q(phase=VirtualClusterPhase.DELETED) | Q(owner_team__in=teams)
    owned = VirtualCluster.objects.filter(theirs).order_by("pk")
    for cluster in owned.select_related("project__organization", "owner_user", "owner_team"):
        if not owner_sees(cluster.owner, cluster):
            _inherit(cluster, now)


def _inherit(cluster: VirtualCluster, now: datetime) -> None:
    heirs = project_admins(cluster.project)
    if not heirs:
        return
    locked = VirtualCluster.objects.select_for_update(of=("self",)).get(pk=cluster.pk)
    locked.owner_user, locked.owner_team = heirs[0], None
    generation_pass(locked)
    locked.save(update_fields=["owner_user", "owner_team", *GENERATION_FIELDS])
    plans_write([(locked.pk, None, "")])  # of a deletion its new owner was not warned
    before = cluster.owner_label
    virtual_cluster_audit(
        _MARINA,
        "virtualcluster.inherit",
        cluster,
        before={"owner": before},
        after={"owner": heirs[0].handle},
    )
    if cluster.phase == VirtualClusterPhase.DELETED:
        return
    notification_send(
        recipients=heirs,
        kind="cluster-inherited",
        about=about_cluster(cluster),
        text=f"{before}, who owned {cluster}, has no access to it any more. {heirs[0].handle} owns it now, as an "
        "admin of its project. Give it to whoever works with it, or delete it.",
        now=now,
        link=cluster_link(cluster),
        command=f"marina transfer {cluster.name} --project {cluster.project} --owner HANDLE",
    )
