"""Rows that gateways write, made for tests."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts.models import User
from clusters.models import GatewayRequest, VirtualCluster
from clusters.models.gateway_request import request_id_at


def request_row(cluster: VirtualCluster, user: User, *, at: datetime | None = None, **fields: Any) -> GatewayRequest:
    """One that is not written yet: this person deletes a pod of the cluster."""
    moment = at or timezone.now()
    given = {
        "organization_id": cluster.project.organization_id,
        "project_id": cluster.project_id,
        "cluster_id": cluster.pk,
        "cluster": str(cluster),
        "user_id": user.pk,
        "user": user.handle,
        "by_token": "mar_abcd1234",
        "access": "admin",
        "verb": "delete",
        "version": "v1",
        "resource": "pods",
        "namespace": "web",
        "name": "web-1",
        "status": 200,
        "seconds": 0.012,
        "address": "192.0.2.7",
        "user_agent": "kubectl/v1.36.3",
    }
    return GatewayRequest(id=request_id_at(moment), at=moment, **{**given, **fields})
