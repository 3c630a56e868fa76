"""Hosts, clusters and operations as rows, in whatever state a test begins with."""

import base64
from typing import Any

from django.utils import timezone

from clusters.connection import HostConnection
from clusters.encryption import connection_encrypt
from clusters.models import (
    HostCluster,
    HostCredential,
    HostPhase,
    HostScope,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    VirtualCluster,
    VirtualClusterPhase,
)
from tests.accounts.conftest import World
from tests.canaries import canary

SECRET = canary("s3cr3t-token-of-the-host", "the token of a host")
PUBLIC_KEY = base64.b64encode(bytes(range(32))).decode()


def host_row(name: str = "east", **fields: Any) -> HostCluster:
    """A connected platform host with a credential, offered to all."""
    to_all = fields.get("scope", HostScope.PLATFORM) == HostScope.PLATFORM
    given = {"phase": HostPhase.CONNECTED, "kubernetes_version": "1.36.3", "server": "https://east.example:6443"}
    host = HostCluster.objects.create(name=name, **{"offered_to_all": to_all, **given, **fields})
    connection = HostConnection(server=host.server, token=SECRET)
    HostCredential.objects.create(host=host, ciphertext=connection_encrypt(connection), issued_at=timezone.now())
    return host


def cluster_row(world: World, name: str = "hello", **fields: Any) -> VirtualCluster:
    """Of olivia, in acme/payments, without a placement."""
    given = {
        "project": world.payments,
        "owner_user": world.olivia,
        "creator": world.olivia,
        "kubernetes_version": "1.36.3",
        "chart_version": "0.36.1",
        "size": "small",
    }
    return VirtualCluster.objects.create(name=name, **{**given, **fields})


def ready_row(world: World, host: HostCluster, name: str = "hello", **fields: Any) -> VirtualCluster:
    """A Ready one, placed on the host, with the operation that made it."""
    cluster = cluster_row(world, name, phase=VirtualClusterPhase.READY, **fields)
    Placement.objects.create(virtual_cluster=cluster, host=host, namespace=f"marina-{name}", release=name)
    operation_row(cluster, OperationKind.PROVISION, state=OperationState.SUCCEEDED)
    return cluster


def operation_row(subject: HostCluster | VirtualCluster, kind: OperationKind, **fields: Any) -> Operation:
    """An operation in any state, with the columns that the services would fill."""
    if isinstance(subject, HostCluster):
        given: dict[str, Any] = {
            "host": subject,
            "organization": subject.organization,
            "lock_key": f"host:{subject.pk}",
        }
    else:
        project = subject.project
        given = {"virtual_cluster": subject, "project": project, "organization": project.organization}
        given["lock_key"] = None if kind == OperationKind.ISSUE_KUBECONFIG else f"virtual-cluster:{subject.pk}"
    return Operation.objects.create(kind=kind, **{**given, **fields})
