"""Making again what an export holds: inside a virtual cluster that is there, or in one that is made for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from accounts.access import actor_require, allowed
from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import Project
from accounts.roles import roles_that_may
from accounts.services.audit import Actor
from clusters.exports.secrets import spec_of
from clusters.models import (
    Export,
    ExportState,
    HostCluster,
    Operation,
    OperationKind,
    Placement,
    PlacementRole,
    VirtualCluster,
)
from clusters.models import VirtualClusterPhase as Phase
from clusters.names import NAME_MAX, name_validate
from clusters.restoration import EXPORT, OVERWRITE
from clusters.selectors import chart_versions
from clusters.services.ceilings import ceiling_check
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.exports import export_read
from clusters.services.operations import operation_start
from clusters.services.project_limits import project_locked
from clusters.services.virtual_clusters import ClusterWork, VirtualClusterSpec, virtual_cluster_create
from clusters.versions import KubernetesVersion, kubernetes_version_resolve

CREATE: Final = "virtualcluster.create"
OLDER_FIELD: Final = "older_kubernetes"


@transaction.atomic
def restore_into(
    *,
    export: Export,
    virtual_cluster: VirtualCluster,
    actor: Actor,
    now: datetime,
    overwrite: bool = False,
    older_kubernetes: bool = False,
) -> ClusterWork:
    """Starts the restore into a cluster that is there; it waits for its turn behind whatever is at work.

    What is there already and differs is listed and left as it is, unless `overwrite`. Takes the right to read the
    export and, at the target, all that a kubeconfig for admins takes: whatever the export holds is written there. A
    cluster of an older Kubernetes than the export's is InvalidInput unless `older_kubernetes`: what it does not know
    is listed, not restored.
    """
    export_read(export=export, actor=actor)
    actor_require(actor, "virtualcluster.update", virtual_cluster)
    if actor.user is not None and not actor.platform:
        actor_require(actor, "virtualcluster.kubeconfig.admin", virtual_cluster)
        ceiling_check("admin", virtual_cluster)
    _complete_check(export)
    locked = virtual_cluster_locked(virtual_cluster)
    _target_check(locked)
    placement = Placement.objects.filter(virtual_cluster=locked, role=PlacementRole.ACTIVE).first()
    has = (placement.kubernetes_version if placement else "") or locked.kubernetes_version
    _version_check(export, has, f"{locked} runs", allowed=older_kubernetes)
    return _started(export, locked, actor, now, overwrite=overwrite)


@transaction.atomic
def restore_as_new(
    *,
    export: Export,
    actor: Actor,
    now: datetime,
    project: Project | None = None,
    name: str = "",
    host: HostCluster | None = None,
    kubernetes_version: str = "",
    older_kubernetes: bool = False,
) -> ClusterWork:
    """Makes the cluster again as it was when it was exported, and starts the restore, which waits until it is there.

    Name and project are those it had unless others are given; so is its Kubernetes version. Where the name is taken,
    InvalidInput names one that is free. All else is as for any new cluster: limits, hosts, the right to create it.
    """
    target = project or export.virtual_cluster.project
    at_home = target.pk == export.virtual_cluster.project_id
    export_read(export=export, actor=actor)
    _create_check(actor, target, named=project is not None)
    _complete_check(export)
    spec = spec_of(export)
    wanted = name or str(spec["name"])
    _name_check(target, wanted)
    version = _version(kubernetes_version, spec, export)
    _version_check(export, version, "The new cluster would run", allowed=older_kubernetes)
    work = virtual_cluster_create(
        project=target,
        name=wanted,
        spec=_spec(spec, version, anywhere=host is not None),
        actor=actor,
        now=now,
        host=host,
        labels=spec["labels"],
        deletion_protection=spec["deletion_protection"],
        values_accepted=at_home,
    )
    if not at_home and actor.user is not None and not actor.platform:
        ceiling_check("admin", work.virtual_cluster)  # the project's: the cluster has none of its own yet
    _ceiling_keep(work.virtual_cluster, spec["kubeconfig_ceiling"])
    # what a new cluster has of itself (its namespace `default`, say) is to be as it was exported
    return _started(export, work.virtual_cluster, actor, now, overwrite=True)


def _create_check(actor: Actor, project: Project, *, named: bool) -> None:
    """Of who sees the cluster alone, its project is no secret: where nobody named one, no other is meant."""
    user = actor.user
    if named or user is None or actor.platform or allowed(user, CREATE, project):
        actor_require(actor, CREATE, project)
        return
    raise NotAllowed(
        f"You may not make a virtual cluster in {project}, where it was.",
        hint=f"It takes {', '.join(roles_that_may(CREATE))}. Or restore it into another project (--to-project), or "
        "into a cluster that is there (--into).",
        action=CREATE,
        subject=project,
    )


def _complete_check(export: Export) -> None:
    if export.state != ExportState.COMPLETE:
        raise Conflict(
            f"This export is {export.state}; there is nothing to restore from.",
            hint="`marina export list` shows those that are Complete.",
        )


def _target_check(cluster: VirtualCluster) -> None:
    if cluster.phase in (Phase.DELETING, Phase.DELETED):
        raise Conflict(
            f"{cluster} is {cluster.phase}; nothing can be restored into it.",
            hint=f"Make it again from the export: marina restore {cluster.name}.",
        )
    if cluster.sleeping or cluster.phase == Phase.ASLEEP:
        raise Conflict(f"{cluster} is asleep.", hint=f"Wake it first: marina wake {cluster.name}.", code="asleep")


def _version_check(export: Export, has: str, who: str, *, allowed: bool) -> None:
    """Whether it is older than what the export was made of, by major and minor."""
    if allowed or not export.kubernetes_version:
        return
    came_from, goes_to = (KubernetesVersion.parse(text) for text in (export.kubernetes_version, has))
    if goes_to.line < came_from.line:
        raise InvalidInput(
            f"{who} Kubernetes {goes_to}, and the export is of {came_from}: what the older one does not know would "
            "not be restored.",
            field=OLDER_FIELD,
            accepted="true, to restore all the same: what is refused is listed",
            hint="Or restore into a cluster of that version or a newer one.",
        )


def _name_check(project: Project, name: str) -> None:
    """The project stays locked until the transaction ends, so the name that is told free is not taken meanwhile."""
    name_validate(name)
    locked = project_locked(project)
    living = VirtualCluster.objects.filter(project=locked).exclude(phase=Phase.DELETED)
    taken = set(living.values_list("name", flat=True))
    if name in taken:
        free = free_name(name, taken)
        raise InvalidInput(
            f"{project} has a virtual cluster named {name} already.",
            field="name",
            accepted=f"a name not in use there, such as {free}",
            hint=f"Restore it beside the other one (--as {free}), or into it (--into {name}).",
        )


def free_name(name: str, taken: set[str]) -> str:
    """The first of NAME-2, NAME-3 and so on that nobody has; shortened where it would be too long."""
    number = 2
    while (found := f"{name[: NAME_MAX - len(str(number)) - 1].rstrip('-')}-{number}") in taken:
        number += 1
    return found


def _version(asked: str, spec: Mapping[str, Any], export: Export) -> str:
    """Of the new cluster: the one asked for, else its own, else the newest patch of its own line."""
    if asked:
        return str(
            kubernetes_version_resolve(asked, supported=settings.KUBERNETES_VERSIONS, field="kubernetes_version")
        )
    had = KubernetesVersion.parse(spec["kubernetes_version"], field="kubernetes_version")
    offered = {KubernetesVersion.parse(text) for text in settings.KUBERNETES_VERSIONS}
    same_line = [each for each in offered if each.line == had.line]
    if had in offered or not same_line:
        return str(had)
    return str(max(same_line))


def _spec(spec: Mapping[str, Any], version: str, *, anywhere: bool) -> VirtualClusterSpec:
    """As it was; with the present chart where its own is no longer there, and where a host is named in any region."""
    return VirtualClusterSpec(
        kubernetes_version=version,
        chart_version=spec["chart_version"] if spec["chart_version"] in chart_versions() else "",
        size=spec["size"],
        exposure=spec["exposure"],
        values=spec["values"],
        replicas=spec["replicas"],
        region="" if anywhere else spec["region"],
        host_labels={} if anywhere else spec["host_labels"],
    )


def _ceiling_keep(cluster: VirtualCluster, ceiling: str) -> None:
    """Making it again opens nothing that was closed."""
    cluster.kubeconfig_ceiling = ceiling
    cluster.save(update_fields=["kubeconfig_ceiling"])


def _started(export: Export, cluster: VirtualCluster, actor: Actor, now: datetime, *, overwrite: bool) -> ClusterWork:
    params: dict[str, Any] = {EXPORT: str(export.pk), OVERWRITE: overwrite}
    started = operation_start(kind=OperationKind.RESTORE, subject=cluster, actor=actor, now=now, params=params)
    _audit(actor, export, cluster, started.operation, overwrite)
    return ClusterWork(cluster, started.operation, created=started.created)


def _audit(actor: Actor, export: Export, cluster: VirtualCluster, operation: Operation, overwrite: bool) -> None:
    virtual_cluster_audit(
        actor,
        "virtualcluster.restore",
        cluster,
        details={
            "export": str(export.pk),
            "of": str(export.virtual_cluster),
            "overwrite": overwrite,
            "operation": str(operation.pk),
        },
    )
