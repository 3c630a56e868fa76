"""Creating, changing and deleting virtual clusters: what is wanted, and the operation that brings it about."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.access import actor_require, platform_staff
from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import Project, User
from accounts.services.audit import Actor
from accounts.services.notifications import notification_send
from accounts.services.project_admins import project_admins
from clusters.chart_values import values_check
from clusters.exports.purging import PURGE
from clusters.models import Exposure, HostCluster, Operation, OperationKind, VirtualCluster, VirtualClusterPhase
from clusters.names import labels_validate, name_validate
from clusters.offering import who_can_offer
from clusters.placement_wish import PlacementWish
from clusters.placing import HostChoice, hosts_choose
from clusters.selectors import chart_schema, chart_versions
from clusters.services.cleanup_calling_off import deletion_call_off
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.generations import GENERATION_FIELDS, generation_pass
from clusters.services.operations import operation_start
from clusters.services.ownership import (
    Owner,
    about_cluster,
    cluster_link,
    owner_awaited,
    owner_check,
    owner_columns,
)
from clusters.services.project_limits import cluster_limit_check, lifetime_end, project_locked
from clusters.sizes import SIZES
from clusters.upgrade_offer import chart_supports
from clusters.versions import KubernetesVersion, check_chart_can_run, kubernetes_version_resolve

DEFAULT_SIZE = "small"
# vcluster's embedded store has one member; more replicas come with a choice of backing store
REPLICAS_MAXIMUM = 1


@dataclass(frozen=True, kw_only=True)
class VirtualClusterSpec:
    """What somebody wants. Empty strings mean the default; `exposure` empty means as the host has it."""

    kubernetes_version: str = ""
    chart_version: str = ""
    size: str = ""
    exposure: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    replicas: int = 1
    region: str = ""
    host_labels: dict[str, str] = field(default_factory=dict)

    def with_defaults(self) -> "VirtualClusterSpec":
        """The same with every default filled in, so that a later change of defaults changes nothing that exists.

        Raises InvalidInput for a Kubernetes version that is not offered.
        """
        return VirtualClusterSpec(
            kubernetes_version=str(
                kubernetes_version_resolve(self.kubernetes_version, supported=settings.KUBERNETES_VERSIONS)
            ),
            chart_version=self.chart_version or settings.CHART_VERSION,
            size=self.size or DEFAULT_SIZE,
            exposure=self.exposure,
            values=self.values,
            replicas=self.replicas,
            region=self.region,
            host_labels=self.host_labels,
        )

    def wish(self, host: HostCluster | None) -> PlacementWish:
        """What it means for the host. Its defaults must be filled in."""
        return PlacementWish(
            kubernetes_version=self.kubernetes_version,
            exposure=self.exposure,
            size=self.size,
            replicas=self.replicas,
            host=host,
            region=self.region,
            host_labels=self.host_labels,
        )


@dataclass(frozen=True)
class ClusterWork:
    """A virtual cluster and the operation at work on it; `created` is False where that was already under way."""

    virtual_cluster: VirtualCluster
    operation: Operation
    created: bool = True


@transaction.atomic
def virtual_cluster_create(
    *,
    project: Project,
    name: str,
    spec: VirtualClusterSpec,
    actor: Actor,
    now: datetime,
    host: HostCluster | None = None,
    labels: dict[str, str] | None = None,
    deletion_protection: bool = False,
    owner: Owner | None = None,
    lifetime: int | None = None,
    values_accepted: bool = False,
) -> ClusterWork:
    """Writes the cluster and its `provision` operation. InvalidInput names the field; then nothing is written.

    `values_accepted`: the project had a cluster with just these values, so also those that only staff may set stay.

    Its owner is whoever makes it unless another is given. `lifetime`: seconds, within what the project allows. Raises
    Conflict where the project has as many as it may have. The project's admins are told of what a service account made.
    """
    user = acting_user(actor)
    actor_require(actor, "virtualcluster.create", project)
    wanted = spec.with_defaults()
    owner_awaited(owner or user, project)
    locked = project_locked(project)
    as_staff = values_accepted or platform_staff(user)
    _check(project=locked, name=name, spec=wanted, host=host, labels=labels or {}, as_staff=as_staff)
    cluster_limit_check(locked)
    cluster = VirtualCluster(
        project=locked,
        name=name,
        **owner_columns(owner or user),
        creator=user,
        expires_at=lifetime_end(project=locked, seconds=lifetime, now=now),
        labels=labels or {},
        deletion_protection=deletion_protection,
        wanted_host=host,
        kubernetes_version=wanted.kubernetes_version,
        chart_version=wanted.chart_version,
        size=wanted.size,
        exposure=wanted.exposure,
        values=wanted.values,
        replicas=wanted.replicas,
        wanted_region=wanted.region,
        wanted_host_labels=wanted.host_labels,
    )
    if owner is not None:
        owner_check(owner, cluster)
    cluster.save(force_insert=True)
    if user.is_service_account:
        _tell_admins(cluster, now)
    _audit(actor, "virtualcluster.create", cluster, kubernetes_version=wanted.kubernetes_version, size=wanted.size)
    started = operation_start(kind=OperationKind.PROVISION, subject=cluster, actor=actor, now=now, is_new=True)
    return ClusterWork(cluster, started.operation)


def _tell_admins(cluster: VirtualCluster, now: datetime) -> None:
    """Nobody watches what a program makes, so somebody is told."""
    maker = cluster.creator.service_account
    notification_send(
        recipients=project_admins(cluster.project),
        kind="created-by-ci",
        about=about_cluster(cluster),
        text=f"The service account {maker} created {cluster}. {cluster.owner_label} owns it.",
        now=now,
        link=cluster_link(cluster),
        command=f"marina get {cluster.name} --project {cluster.project}",
    )


def acting_user(actor: Actor) -> User:
    """Whoever acts, as a person. Raises NotAllowed for Marina itself."""
    if actor.user is None:
        raise NotAllowed("Only a person or a service account can do this: every cluster has an owner.")
    return actor.user


def _check(
    *,
    project: Project,
    name: str,
    spec: VirtualClusterSpec,
    host: HostCluster | None,
    labels: dict[str, str],
    as_staff: bool,
) -> None:
    name_check(project=project, name=name)
    labels_validate(labels)
    spec_check(spec)
    if spec.values:  # the chart's schema is long, so it is read for those only who give some
        values_check(spec.values, schema=chart_schema(spec.chart_version), acting_staff=as_staff)
    _host_check(project=project, spec=spec, host=host)


def spec_check(spec: VirtualClusterSpec) -> None:
    """What is wrong with it wherever it is placed, but for its values; raises InvalidInput. For one with defaults."""
    _version_check(spec)
    if spec.size not in SIZES:
        raise InvalidInput(f"There is no size {spec.size}.", field="spec.size", accepted=f"one of {', '.join(SIZES)}")
    if spec.exposure and spec.exposure not in Exposure.values:
        raise InvalidInput(
            f"There is no exposure {spec.exposure}.",
            field="spec.exposure",
            accepted=f"one of {', '.join(Exposure.values)}, or nothing for the host's own",
        )
    if not 1 <= spec.replicas <= REPLICAS_MAXIMUM:
        raise InvalidInput(
            f"{spec.replicas} replicas of the control plane are not possible.",
            field="spec.control_plane.replicas",
            accepted=f"{REPLICAS_MAXIMUM}: its embedded store has one member",
        )
    labels_validate(spec.host_labels, "spec.host_labels", reserved=())  # as hosts have them


def name_check(*, project: Project, name: str) -> None:
    """Whether it may be the name of a new cluster there; raises InvalidInput.

    For a project that is `project_locked`: the second of two requests for one name waits, and then sees the first.
    """
    name_validate(name)
    namesakes = VirtualCluster.objects.filter(project=project, name=name).exclude(phase=VirtualClusterPhase.DELETED)
    if namesakes:
        raise InvalidInput(
            f"{project} already has a virtual cluster named {name} ({namesakes[0].phase}).",
            field="name",
            accepted="a name not in use there",
            hint="The name of a cluster that is being deleted is free once it is gone.",
        )


def _version_check(spec: VirtualClusterSpec) -> None:
    if spec.chart_version != settings.CHART_VERSION and spec.chart_version not in chart_versions():
        raise InvalidInput(
            f"Version {spec.chart_version} of vcluster's chart is not available here.",
            field="spec.chart_version",
            accepted=f"one of {', '.join(chart_versions())}",
        )
    support = chart_supports().get(spec.chart_version)
    if support is None:
        return  # what this version of the chart runs, nobody has said
    why_not = check_chart_can_run(KubernetesVersion.parse(spec.kubernetes_version), support)
    if why_not:
        raise InvalidInput(
            why_not, field="spec.kubernetes_version", accepted="a version that this version of the chart runs"
        )


def _host_check(*, project: Project, spec: VirtualClusterSpec, host: HostCluster | None) -> None:
    choice = host_choice(project=project, spec=spec, host=host)
    if choice.candidates:
        return
    # what the person can change, where that alone keeps every host away
    field_name = next(iter(choice.fields)) if len(choice.fields) == 1 else "host"
    raise InvalidInput(
        f"No host cluster can take it. {choice.explain()}",
        field=field_name,
        accepted="what a connected host that is offered to this project has, can run and publish",
        hint=who_can_offer(project),
    )


def host_choice(*, project: Project, spec: VirtualClusterSpec, host: HostCluster | None) -> HostChoice:
    """Where it could go, as things are now. Raises InvalidInput for a host that is not offered to the project."""
    choice = hosts_choose(project=project, wish=spec.wish(host))
    if host is not None and not choice.candidates and not choice.refused:
        raise InvalidInput(
            f"{host.name} is not offered to {project}.",
            field="host",
            accepted="a host that `marina host list` shows for this project",
            hint=who_can_offer(project),
        )
    return choice


@transaction.atomic
def virtual_cluster_update(
    *,
    virtual_cluster: VirtualCluster,
    actor: Actor,
    labels: dict[str, str] | None = None,
    deletion_protection: bool | None = None,
) -> VirtualCluster:
    """Changes what is given (None leaves a field as it is); nothing on the host has to follow."""
    actor_require(actor, "virtualcluster.update", virtual_cluster)
    locked = VirtualCluster.objects.select_for_update().get(pk=virtual_cluster.pk)
    if locked.phase == VirtualClusterPhase.DELETED:
        raise Conflict(f"{locked} was deleted; nothing of it can be changed.")
    given = {"labels": labels, "deletion_protection": deletion_protection}
    after = {name: value for name, value in given.items() if value is not None}
    before = {name: getattr(locked, name) for name in after}
    if labels is not None:
        labels_validate(labels)
        locked.labels = labels
    if deletion_protection is not None:
        locked.deletion_protection = deletion_protection
    if deletion_protection:
        deletion_call_off(virtual_cluster=locked.pk, now=timezone.now())
    generation_pass(locked)
    locked.save(update_fields=["labels", "deletion_protection", *GENERATION_FIELDS])
    _audit(actor, "virtualcluster.update", locked, before=before, after=after)
    return locked


@transaction.atomic
def virtual_cluster_delete(
    *, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, purge: bool = False
) -> ClusterWork:
    """Starts the deletion, which exports first what is in it, unless `purge` has it gone for good.

    Raises Conflict while it is protected, or where it is deleted already. A deletion under way can be told to purge.
    """
    actor_require(actor, "virtualcluster.delete", virtual_cluster)
    locked = virtual_cluster_locked(virtual_cluster)
    if locked.phase == VirtualClusterPhase.DELETED:
        raise Conflict(f"{locked} is deleted already.")
    if locked.deletion_protection:
        raise Conflict(
            f"{locked} is protected from deletion.",
            hint=f"Take the protection away first: marina unprotect {locked.name}.",
            code="protected",
        )
    params = {PURGE: True} if purge else {}
    started = operation_start(kind=OperationKind.DELETE, subject=locked, actor=actor, now=now, params=params)
    purged_later = purge and not started.created and not started.operation.params.get(PURGE)
    if purged_later:
        started.operation.params = {**started.operation.params, PURGE: True}
        started.operation.save(update_fields=["params"])
    if started.created or purged_later:
        _audit(actor, "virtualcluster.delete", locked, purge=purge or None)
    return ClusterWork(locked, started.operation, created=started.created or purged_later)


def _audit(actor: Actor, action: str, cluster: VirtualCluster, **details: Any) -> None:
    virtual_cluster_audit(
        actor,
        action,
        cluster,
        details={name: value for name, value in details.items() if value is not None},
    )
