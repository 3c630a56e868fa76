"""From the body that makes a virtual cluster to the service that does: alone, and as one of several."""

from typing import Any

from django.utils import timezone

from accounts.access import require
from accounts.api.actor import actor_of, user_of
from clusters.api.owners import owner_given
from clusters.services.virtual_clusters import ClusterWork, VirtualClusterSpec, virtual_cluster_create


def cluster_make(request: Any, body: dict[str, Any]) -> ClusterWork:
    """Makes what the body (as VirtualClusterCreateSerializer read it) asks for."""
    owner = None
    if "owner" in body:
        # before anybody's name is looked up
        require(user_of(request), "virtualcluster.create", body["project"])
        owner = owner_given(body["owner"], project=body["project"])
    return virtual_cluster_create(
        project=body["project"],
        name=body["name"],
        spec=VirtualClusterSpec(**spec_given(body.get("spec", {}))),
        actor=actor_of(request),
        now=timezone.now(),
        host=body.get("host"),
        labels=body.get("labels"),
        deletion_protection=body.get("deletion_protection", False),
        owner=owner,
        lifetime=body.get("lifetime"),
    )


def spec_given(spec: dict[str, Any]) -> dict[str, Any]:
    """A body's `spec` as the services name its fields."""
    given = {name: value for name, value in spec.items() if name != "control_plane"}
    return {**given, **spec.get("control_plane", {})}
