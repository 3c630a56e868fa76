"""Virtual clusters that were found on hosts: adopting them, and saying that one is none of Marina's business."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.access import actor_require, allowed, platform_staff
from accounts.errors import Conflict, InvalidInput, NotFound
from accounts.models import Project, User
from accounts.services.audit import Actor, audit_record
from clusters.access import clusters_told, host_require, hosts_offered
from clusters.adoption import Adoption
from clusters.models import (
    DiscoveredCluster,
    HostCluster,
    HostMode,
    HostPhase,
    OperationKind,
    Placement,
    PlacementRole,
    VirtualCluster,
)
from clusters.services.operations import operation_start
from clusters.services.ownership import owner_awaited
from clusters.services.project_limits import cluster_limit_check, lifetime_end, project_locked
from clusters.services.virtual_clusters import DEFAULT_SIZE, ClusterWork, acting_user, name_check


@transaction.atomic
def discovered_adopt(
    *,
    discovered: DiscoveredCluster,
    project: Project,
    actor: Actor,
    now: datetime,
    name: str = "",
    owner: User | None = None,
) -> ClusterWork:
    """Makes a virtual cluster of it, placed where it is, and the `adopt` operation that reads what it is like.

    The name is the release's unless another is given, the owner whoever adopts it. Whoever may update the host may do
    it; who is no platform staff also needs the right to create clusters in the project. The project's limits hold as
    for a new one. InvalidInput names the field, Conflict what is in the way; then nothing is written.
    """
    user = acting_user(actor)
    owner_awaited(owner or user, project)
    found = _locked(discovered, actor)
    if not platform_staff(user):
        actor_require(actor, "virtualcluster.create", project)
    _project_check(project, found.host)
    wanted_name = name or found.release
    locked = project_locked(project)
    name_check(project=locked, name=wanted_name)
    cluster_limit_check(locked)
    cluster = VirtualCluster.objects.create(
        project=project,
        name=wanted_name,
        owner_user=_owner(project, owner, user),
        creator=user,
        expires_at=lifetime_end(project=locked, seconds=None, now=now),
        wanted_host=found.host,
        kubernetes_version=found.kubernetes_version,
        chart_version=found.chart_version,
        size=DEFAULT_SIZE,
    )
    adoption = Adoption(workload=found.workload, uid=found.uid, image=found.image, paused=found.paused)
    Placement.objects.create(
        virtual_cluster=cluster,
        host=found.host,
        role=PlacementRole.ACTIVE,
        namespace=found.namespace,
        namespace_created=False,
        release=found.release,
        chart_version=found.chart_version,
        kubernetes_version=found.kubernetes_version,
        adopted=adoption.as_json(),
    )
    _audit(actor, "virtualcluster.adopt", found, virtual_cluster=str(cluster), organization=project.organization_id)
    found.delete()
    started = operation_start(kind=OperationKind.ADOPT, subject=cluster, actor=actor, now=now)
    return ClusterWork(cluster, started.operation)


def _locked(discovered: DiscoveredCluster, actor: Actor) -> DiscoveredCluster:
    """The row, locked together with its host, as surveys do it: none of them brings it back meanwhile."""
    if actor.user is not None:
        host_require(actor.user, "host.update", discovered.host)
    host = HostCluster.objects.select_for_update(of=("self",), no_key=True).get(pk=discovered.host_id)
    found = DiscoveredCluster.objects.select_for_update(of=("self",)).filter(pk=discovered.pk).first()
    if found is None:
        raise NotFound("It is not there any more, or was adopted.")
    found.host = host
    _host_check(found, actor)
    return found


def _host_check(found: DiscoveredCluster, actor: Actor) -> None:
    host = found.host
    if host.phase != HostPhase.CONNECTED:
        raise Conflict(f"{host.name} is not connected ({host.phase}).", hint="Connect it again first.")
    if host.mode == HostMode.NAMESPACES and found.namespace not in host.namespaces:
        raise Conflict(f"The namespace {found.namespace} is none of those that Marina was given on {host.name}.")
    neighbour = Placement.objects.filter(host=host, namespace=found.namespace).select_related("virtual_cluster").first()
    if neighbour:
        told = VirtualCluster.objects.filter(clusters_told(actor), pk=neighbour.virtual_cluster_id).exists()
        which = neighbour.virtual_cluster if told else "a virtual cluster that you may not see"
        raise Conflict(
            f"The namespace {found.namespace} on {host.name} holds {which} already.",
            hint="Marina keeps one virtual cluster in a namespace.",
        )


def _project_check(project: Project, host: HostCluster) -> None:
    if not hosts_offered(project).filter(pk=host.pk).exists():
        raise InvalidInput(
            f"{host.name} is not offered to {project}.",
            field="project",
            accepted="a project that may use this host",
            hint=f"Offer it first: marina host get {host.name} shows to whom it is offered.",
        )


def _owner(project: Project, owner: User | None, user: User) -> User:
    answers = owner or user
    if not allowed(answers, "virtualcluster.view", project):
        raise InvalidInput(
            f"{answers.handle} has no role in {project}, and whoever owns a cluster has to see it.",
            field="owner",
            accepted="the handle of somebody who has a role in the project",
        )
    return answers


@transaction.atomic
def discovered_ignore(*, discovered: DiscoveredCluster, actor: Actor, ignored: bool) -> DiscoveredCluster:
    """Says that it is none of Marina's business, or that it is again. Changes nothing on the host."""
    if actor.user is not None:
        host_require(actor.user, "host.update", discovered.host)
    found = DiscoveredCluster.objects.select_related("host").select_for_update(of=("self",)).filter(pk=discovered.pk)
    row = found.first()
    if row is None:
        raise NotFound("It is not there any more, or was adopted.")
    if row.ignored != ignored:
        row.ignored = ignored
        row.save(update_fields=["ignored"])
        _audit(actor, "discoveredcluster.ignore" if ignored else "discoveredcluster.unignore", row)
    return row


def _audit(
    actor: Actor, action: str, found: DiscoveredCluster, *, organization: UUID | None = None, **details: str
) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="discovered-cluster",
        object_id=found.pk,
        name=str(found),
        organization_id=organization or found.host.organization_id,
        details={"host": found.host.name, **details},
    )
