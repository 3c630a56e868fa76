"""How each flow is set in motion. A flow without a scenario fails a test: add one here."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from nacl.public import PrivateKey

from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_delete
from clusters.connection import kubeconfig_render
from clusters.models import HostMode, Operation, OperationKind, OperationState, Placement, VirtualCluster
from clusters.services.configuring import SpecChange, virtual_cluster_configure
from clusters.services.exports import export_start
from clusters.services.hosts import HostSettings, host_connect
from clusters.services.kubeconfig_grants import access_revoke
from clusters.services.kubeconfigs import kubeconfig_issue
from clusters.services.operations import operation_start
from clusters.services.sleeping import virtual_cluster_sleep, virtual_cluster_wake
from clusters.services.virtual_clusters import virtual_cluster_delete
from provisioning.drivers.kinds import POD, PRIORITY_CLASS, STATEFUL_SET
from tests.accounts.conftest import give, person
from tests.faults.crashes.adopting import adopt, configure_adopted, delete_adopted
from tests.faults.crashes.losing import quarantine, recover
from tests.faults.crashes.moving import move, move_back, remove_placement
from tests.faults.crashes.restoring import restore_into_its_own, restore_overwriting
from tests.faults.crashes.stage import Stage
from tests.faults.crashes.upgrading import preflight_of_upgrade, upgrade, upgrade_put_back

RECIPIENT = PrivateKey(bytes(range(32)))
"""Whoever asks for a kubeconfig in these tests."""


@dataclass(frozen=True)
class Scenario:
    """`begin` prepares the stage and asks for the operation, which nobody has worked on yet.

    `inside_helm`: the worker is also killed at each request of a running helm. Once a flow will do. `two_hosts`: there
    is a second one beside the stage's. `armed`: each of its workers has this failpoint armed. `ends`: the state that it
    comes to. `after`: only places behind this failpoint are tried, as another scenario has those before it.
    """

    name: str
    kind: OperationKind
    begin: Callable[[Stage], Operation]
    inside_helm: bool = False
    two_hosts: bool = False
    armed: str = ""
    ends: OperationState = OperationState.SUCCEEDED
    after: str = ""


def _connect(mode: HostMode) -> Callable[[Stage], Operation]:
    def begin(stage: Stage) -> Operation:
        given: tuple[str, ...] = ()
        connection = stage.marina
        if mode == HostMode.NAMESPACES:
            stage.given_namespace_make()
            given, connection = (stage.given_namespace,), stage.admin
        return host_connect(
            settings=HostSettings(name=stage.name, mode=mode, namespaces=given),
            kubeconfig=kubeconfig_render(connection),
            actor=stage.staff,
            now=timezone.now(),
        ).operation

    return begin


def _renew(stage: Stage) -> Operation:
    host = stage.host()
    with transaction.atomic():
        kind = OperationKind.RENEW_CREDENTIAL
        return operation_start(kind=kind, subject=host, actor=stage.actor, now=timezone.now()).operation


def _provision(mode: HostMode) -> Callable[[Stage], Operation]:
    return lambda stage: stage.creation(stage.host(mode=mode))


def _delete(mode: HostMode) -> Callable[[Stage], Operation]:
    def begin(stage: Stage) -> Operation:
        cluster = stage.ready_cluster(stage.host(mode=mode))
        return virtual_cluster_delete(virtual_cluster=cluster, actor=stage.actor, now=timezone.now()).operation

    return begin


def _delete_with_priority_classes(stage: Stage) -> Operation:
    """Which the stand-in does not sync: one is made as vcluster names and labels it."""
    cluster = stage.ready_cluster(stage.host(connection=stage.admin))
    placement = Placement.objects.get(virtual_cluster=cluster)
    Placement.objects.filter(pk=placement.pk).update(syncs_priority_classes=True)
    for number, owner in enumerate((f"{placement.namespace}-x-{placement.release}", "another-x-one")):
        labels = {"vcluster.loft.sh/managed-by": owner}
        stage.kube.apply(
            {
                "apiVersion": PRIORITY_CLASS.api_version,
                "kind": PRIORITY_CLASS.kind,
                "metadata": {"name": f"{stage.name}-{number}", "labels": labels},
                "value": 1000,
            }
        )
    return virtual_cluster_delete(virtual_cluster=cluster, actor=stage.actor, now=timezone.now()).operation


def _issue_kubeconfig(stage: Stage) -> Operation:
    cluster = stage.ready_cluster(stage.host())
    return kubeconfig_issue(
        virtual_cluster=cluster,
        public_key=base64.b64encode(bytes(RECIPIENT.public_key)).decode(),
        actor=stage.actor,
        now=timezone.now(),
        expires_in=3600,
    )


def _revoke_access(stage: Stage) -> Operation:
    """Of somebody who had a kubeconfig by a role that is taken again; the admin's own stays.

    Of another level, so that the two accounts are told apart when outcomes are compared.
    """
    cluster = stage.ready_cluster(stage.host())
    leaver = person(f"leaver-{stage.number:05d}")
    role = give(leaver, "developer", stage.world.payments)
    for user, level in ((leaver, "admin"), (stage.world.olivia, "view")):
        issued = kubeconfig_issue(
            virtual_cluster=cluster,
            public_key=base64.b64encode(bytes(RECIPIENT.public_key)).decode(),
            actor=Actor(user=user),
            now=timezone.now(),
            level=level,
        )
        stage.finish(issued.pk)
    role_binding_delete(actor=stage.actor, binding=role, now=timezone.now())
    access_revoke(now=timezone.now())  # or that of another case, at the same time
    return Operation.objects.get(virtual_cluster=cluster, kind=OperationKind.REVOKE_ACCESS)


def _configure_size(stage: Stage) -> Operation:
    cluster = stage.ready_cluster(stage.host())
    change = SpecChange(size="medium")
    work = virtual_cluster_configure(virtual_cluster=cluster, actor=stage.actor, now=timezone.now(), change=change)
    return work.operation


def _configure_paused(stage: Stage) -> Operation:
    """Upstream's pause, by somebody on the host."""
    cluster = stage.ready_cluster(stage.host())
    placement = Placement.objects.get(virtual_cluster=cluster)
    marks = {"loft.sh/paused": "true", "loft.sh/paused-replicas": "1", "loft.sh/paused-date": "2026-01-01"}
    patch = {"metadata": {"annotations": marks}, "spec": {"replicas": 0}}
    stage.kube.patch_merge(STATEFUL_SET, placement.release, placement.namespace, patch)
    return virtual_cluster_configure(virtual_cluster=cluster, actor=stage.actor, now=timezone.now()).operation


def _workload(stage: Stage, placement: Placement) -> None:
    """A pod as the syncer puts it on the host."""
    labels = {"vcluster.loft.sh/managed-by": placement.release, "vcluster.loft.sh/namespace": "default"}
    name = f"web-0-x-default-x-{placement.release}"
    stage.kube.apply(
        {
            "apiVersion": POD.api_version,
            "kind": POD.kind,
            "metadata": {"name": name, "namespace": placement.namespace, "labels": labels},
            "spec": {"containers": [{"name": "main", "image": "web:1"}]},
        }
    )


def _sleep(stage: Stage) -> Operation:
    cluster = stage.ready_cluster(stage.host())
    _workload(stage, Placement.objects.get(virtual_cluster=cluster))
    return virtual_cluster_sleep(virtual_cluster=cluster, actor=stage.actor, now=timezone.now()).operation


def _asleep(stage: Stage) -> VirtualCluster:
    operation = _sleep(stage)
    stage.finish(operation.pk)
    return VirtualCluster.objects.get(operations=operation)


def _wake(stage: Stage) -> Operation:
    return virtual_cluster_wake(virtual_cluster=_asleep(stage), actor=stage.actor, now=timezone.now()).operation


def _configure_asleep(stage: Stage) -> Operation:
    cluster, change = _asleep(stage), SpecChange(size="medium")
    work = virtual_cluster_configure(virtual_cluster=cluster, actor=stage.actor, now=timezone.now(), change=change)
    return work.operation


def _export(stage: Stage) -> Operation:
    cluster = stage.ready_cluster(stage.host())
    return export_start(virtual_cluster=cluster, actor=stage.actor, now=timezone.now()).operation


SCENARIOS = (
    Scenario("connect", OperationKind.CONNECT, _connect(HostMode.CLUSTER)),
    Scenario("connect-given-namespaces", OperationKind.CONNECT, _connect(HostMode.NAMESPACES)),
    Scenario("renew-credential", OperationKind.RENEW_CREDENTIAL, _renew),
    Scenario("provision", OperationKind.PROVISION, _provision(HostMode.CLUSTER), inside_helm=True),
    Scenario("provision-given-namespace", OperationKind.PROVISION, _provision(HostMode.NAMESPACES)),
    Scenario("configure-size", OperationKind.CONFIGURE, _configure_size, inside_helm=True),
    Scenario("configure-paused-outside", OperationKind.CONFIGURE, _configure_paused),
    Scenario("configure-adopted", OperationKind.CONFIGURE, configure_adopted),
    Scenario("configure-asleep", OperationKind.CONFIGURE, _configure_asleep),
    Scenario("sleep", OperationKind.SLEEP, _sleep),
    Scenario("wake", OperationKind.WAKE, _wake),
    Scenario("adopt", OperationKind.ADOPT, adopt),
    Scenario("delete", OperationKind.DELETE, _delete(HostMode.CLUSTER), inside_helm=True),
    Scenario("delete-given-namespace", OperationKind.DELETE, _delete(HostMode.NAMESPACES)),
    Scenario("delete-priority-classes", OperationKind.DELETE, _delete_with_priority_classes),
    Scenario("delete-adopted", OperationKind.DELETE, delete_adopted),
    Scenario("export", OperationKind.EXPORT, _export),
    Scenario("restore", OperationKind.RESTORE, restore_into_its_own),
    Scenario("restore-overwriting", OperationKind.RESTORE, restore_overwriting),
    Scenario("upgrade", OperationKind.UPGRADE, upgrade),
    Scenario(
        "upgrade-put-back",
        OperationKind.UPGRADE,
        upgrade_put_back,
        armed="upgrade.hop:fail",
        ends=OperationState.FAILED,
        after="upgrade.hop",
    ),
    Scenario("preflight-of-upgrade", OperationKind.PREFLIGHT, preflight_of_upgrade),
    Scenario("migrate", OperationKind.MIGRATE, move, two_hosts=True),
    Scenario(
        "migrate-put-back",
        OperationKind.MIGRATE,
        move,
        two_hosts=True,
        armed="move.switch:fail",
        ends=OperationState.FAILED,
        after="move.switch",
    ),
    Scenario("migrate-back", OperationKind.MIGRATE, move_back, two_hosts=True),
    Scenario("remove-placement", OperationKind.REMOVE_PLACEMENT, remove_placement, two_hosts=True),
    Scenario("recover", OperationKind.RECOVER, recover, two_hosts=True),
    Scenario("quarantine", OperationKind.QUARANTINE, quarantine, two_hosts=True),
    Scenario("issue-kubeconfig", OperationKind.ISSUE_KUBECONFIG, _issue_kubeconfig),
    Scenario("revoke-access", OperationKind.REVOKE_ACCESS, _revoke_access),
)
