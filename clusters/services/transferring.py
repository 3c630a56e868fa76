"""Giving a virtual cluster to another owner, or taking it into another project."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.access import actor_require
from accounts.actions_held import actions_held
from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import Organization, Project, RoleBinding
from accounts.roles import CLUSTER_ACTIONS
from accounts.services.audit import Actor
from accounts.services.notifications import notification_send
from accounts.services.permissions import organization_lock
from accounts.services.role_giving import role_remove
from clusters.access import hosts_offered
from clusters.lifecycle.plans_writing import plans_write
from clusters.models import Export, Operation, OperationKind, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.generations import GENERATION_FIELDS, generation_pass
from clusters.services.operations import operation_start
from clusters.services.ownership import (
    Owner,
    about_cluster,
    cluster_link,
    owner_awaited,
    owner_check,
    owner_columns,
    owner_may,
    owner_sees,
    people_of,
)
from clusters.services.project_limits import cluster_limit_check, lifetime_end_in, project_locked
from clusters.services.virtual_clusters import name_check


@dataclass(frozen=True)
class Transferred:
    """The cluster, and the operation by which what it bears on its host follows, where that has to."""

    virtual_cluster: VirtualCluster
    operation: Operation | None


@transaction.atomic
def virtual_cluster_transfer(
    *,
    virtual_cluster: VirtualCluster,
    actor: Actor,
    now: datetime,
    owner: Owner | None = None,
    project: Project | None = None,
    precondition: Callable[[VirtualCluster], None] | None = None,
) -> Transferred:
    """Gives it to `owner`, takes it into `project`, or both. Roles for the cluster alone stay.

    The present owner may give it away; everything else takes `virtualcluster.transfer`, and another project also
    `virtualcluster.create` there. An owner who would not see it in the new project hands over to who transfers it.
    Raises InvalidInput naming the field, Conflict where the cluster is going or the project is full, and whatever
    `precondition` raises, which looks at the locked row.
    """
    if owner is None and project is None:
        raise InvalidInput("Say who is to own it, or which project it goes to.", field="owner", accepted="an owner")
    moves = project is not None and project.pk != virtual_cluster.project_id
    _require(actor, virtual_cluster, project if moves else None)
    owner_awaited(owner or actor.user, project or virtual_cluster.project)
    _organizations_lock(virtual_cluster, project)
    locked = _locked(virtual_cluster)
    _require(actor, locked, project if moves else None)  # whoever owned it before may have given it away meanwhile
    if precondition is not None:
        precondition(locked)
    before = {"owner": locked.owner_label, "project": str(locked.project)}
    told = people_of(locked.owner)
    if moves and project is not None:
        _move(locked, project, actor, now)
    chosen = owner or _owner_after(locked, actor)
    owner_check(chosen, locked)
    for column, value in owner_columns(chosen).items():
        setattr(locked, column, value)
    after = {"owner": locked.owner_label, "project": str(locked.project)}
    operation = None
    if moves:
        operation = _follow(locked, actor, now)
    else:
        generation_pass(locked)
    locked.save(update_fields=["owner_user", "owner_team", *GENERATION_FIELDS])
    _audit(actor, locked, before=before, after=after)
    if before["owner"] != after["owner"]:
        plans_write([(locked.pk, None, "")])  # of a deletion its new owner was not warned
        _tell(locked, [*told, *people_of(chosen)], before["owner"], actor, now)
    return Transferred(locked, operation)


def _require(actor: Actor, cluster: VirtualCluster, target: Project | None) -> None:
    if target is not None:
        actor_require(actor, "virtualcluster.transfer", cluster)
        actor_require(actor, "virtualcluster.create", target)
        _no_more_require(actor, cluster, target)
    elif not owner_may(actor.user, "virtualcluster.transfer", cluster):
        actor_require(actor, "virtualcluster.transfer", cluster)


def _no_more_require(actor: Actor, cluster: VirtualCluster, target: Project) -> None:
    """Nobody takes a cluster to where they may do more to it, such as a project of their own."""
    if actor.user is None or actor.platform:
        return
    gained = set(CLUSTER_ACTIONS) & actions_held(actor.user, target).keys() - actions_held(actor.user, cluster).keys()
    if gained:
        raise NotAllowed(
            f"You may not take {cluster} to {target}: there you may do {min(gained)} to it, and here you may not.",
            hint=f"It takes an admin of {cluster.project}.",
            field="project",
        )


def _organizations_lock(cluster: VirtualCluster, target: Project | None) -> None:
    """Before the cluster itself, as those do who take a role away and then see what was owned by it."""
    keys = {cluster.project.organization_id, *([target.organization_id] if target else [])}
    for organization in Organization.objects.filter(pk__in=keys).order_by("pk"):
        organization_lock(organization)


def _locked(cluster: VirtualCluster) -> VirtualCluster:
    rows = VirtualCluster.objects.select_for_update(of=("self",))
    locked = rows.select_related("project__organization", "owner_user", "owner_team__organization").get(pk=cluster.pk)
    if locked.project_id != cluster.project_id:
        raise Conflict(f"{locked} was moved meanwhile.", hint="Look at it again, then repeat your wish.")
    if locked.phase in (Phase.DELETING, Phase.DELETED):
        raise Conflict(f"{locked} is {locked.phase}; it is not given to anybody any more.")
    return locked


def _move(locked: VirtualCluster, project: Project, actor: Actor, now: datetime) -> None:
    target = project_locked(project)
    name_check(project=target, name=locked.name)
    cluster_limit_check(target)
    _hosts_check(locked, project)
    if project.organization_id != locked.project.organization_id:
        _foreign_roles_end(locked, actor, now)
    locked.project = project
    locked.expires_at = lifetime_end_in(project, locked.expires_at, now)
    locked.save(update_fields=["project", "expires_at"])
    # whose turn it is, and who sees them, goes by these columns
    for rows in (Operation.objects, Export.objects):
        rows.filter(virtual_cluster=locked).update(project=project, organization=project.organization)


def _hosts_check(locked: VirtualCluster, project: Project) -> None:
    hosts = {placement.host_id: placement.host for placement in locked.placements.select_related("host")}
    if not hosts and locked.wanted_host is not None:
        hosts = {locked.wanted_host.pk: locked.wanted_host}
    offered = set(hosts_offered(project).filter(pk__in=hosts).values_list("pk", flat=True))
    for key, host in hosts.items():
        if key not in offered:
            raise InvalidInput(
                f"{locked.name} is on {host.name}, which is not offered to {project}.",
                field="project",
                accepted=f"a project to which {host.name} is offered",
                hint="Whoever runs the host can offer it.",
            )


def _foreign_roles_end(locked: VirtualCluster, actor: Actor, now: datetime) -> None:
    """Teams, service accounts and custom roles are their organization's: none of them could be given over there."""
    theirs = Q(team__isnull=False) | Q(service_account__isnull=False) | Q(custom_role__isnull=False)
    for binding in RoleBinding.objects.filter(theirs, virtual_cluster=locked):
        role_remove(actor=actor, binding=binding, action="role.take", now=now)


def _owner_after(locked: VirtualCluster, actor: Actor) -> Owner:
    if actor.user is None or actor.platform or owner_sees(locked.owner, locked):
        return locked.owner
    return actor.user


def _follow(locked: VirtualCluster, actor: Actor, now: datetime) -> Operation | None:
    """On its host it bears the ids of project and organization; a worker has to write the new ones."""
    if locked.phase != Phase.READY:
        # whatever is at work on it writes them, or it is not there to bear any
        generation_pass(locked)
        return None
    locked.generation += 1
    locked.save(update_fields=["generation"])
    return operation_start(kind=OperationKind.CONFIGURE, subject=locked, actor=actor, now=now).operation


def _tell(cluster: VirtualCluster, people: list[Any], before: str, actor: Actor, now: datetime) -> None:
    notification_send(
        recipients=[each for each in people if actor.user is None or each.pk != actor.user.pk],
        kind="owner-changed",
        about=about_cluster(cluster),
        text=f"{actor.label} gave {cluster} from {before} to {cluster.owner_label}, who answers for it now.",
        now=now,
        link=cluster_link(cluster),
        command=f"marina get {cluster.name} --project {cluster.project}",
    )


def _audit(actor: Actor, cluster: VirtualCluster, **details: Any) -> None:
    virtual_cluster_audit(
        actor,
        "virtualcluster.transfer",
        cluster,
        details=details,
    )
