"""Who uses what will be gone, and what a cluster is like: read from what an API server says."""

import json
from typing import Any

from django.utils import timezone

from clusters.models import GatewayRequest
from clusters.models.gateway_request import request_id_at
from clusters.removed_apis import removed_between
from clusters.selectors_upgrades import askers_of
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import POD_DISRUPTION_BUDGET
from provisioning.upgrades.deprecated import LAST_APPLIED, requested_of, written_in
from provisioning.upgrades.likeness import differences, waited_for

METRICS = """# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="storage.k8s.io",removed_release="1.37",resource="volumeattributesclasses",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="resource.k8s.io",removed_release="1.38",resource="resourceclaims",subresource="",version="v1beta1"} 1
apiserver_request_total{group="",verb="GET"} 12
"""  # noqa: E501 (as an API server of 1.35.4 writes them)


def likeness(**workloads: list[int]) -> dict[str, Any]:
    return {"version": "1.35.4", "nodes": {"n-1": True}, "workloads": workloads}


def test_what_was_asked_for_counts_where_the_new_minor_serves_it_no_more():
    assert [str(each) for each in requested_of(METRICS, gone_by=(1, 36))] == []
    assert [str(each) for each in requested_of(METRICS, gone_by=(1, 37))] == [
        "volumeattributesclasses of storage.k8s.io/v1beta1"
    ]
    assert len(requested_of(METRICS, gone_by=(1, 38))) == 2
    assert requested_of("", gone_by=(1, 38)) == []


def test_an_object_that_was_applied_in_a_version_that_goes_is_named_with_who_wrote_it(shop):
    placement = shop.placement
    virtual = shop.fake.virtual(placement.namespace, f"{placement.release}-0")
    applied = json.dumps({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget"})
    for name, annotations in (("old", {LAST_APPLIED: applied}), ("new", {}), ("odd", {LAST_APPLIED: "{"})):
        virtual.make(POD_DISRUPTION_BUDGET, name, metadata={"namespace": "shop", "annotations": annotations}, spec={})
    with Clients().virtual(placement, lambda: None) as kube:
        (found,) = written_in(kube, removed_between((1, 24), (1, 25)))
        assert list(written_in(kube, removed_between((1, 35), (1, 36)))) == []
    assert str(found) == "PodDisruptionBudget shop/old"
    assert (found.removed.api_version, found.removed.instead) == ("policy/v1beta1", "policy/v1")
    assert found.managers == ("kubectl apply",)


def test_who_asked_through_the_gateway_is_named_with_their_program(shop):
    now = timezone.now()
    for user, version, agent in (("dan", "v1beta1", "helm/4"), ("dan", "v1beta1", "helm/4"), ("ana", "v1", "kubectl")):
        GatewayRequest.objects.create(
            id=request_id_at(now),
            at=now,
            organization_id=shop.world.acme.pk,
            project_id=shop.world.payments.pk,
            cluster_id=shop.cluster.pk,
            cluster="acme/payments/shop",
            user_id=shop.world.olivia.pk,
            user=user,
            by_token="session",
            access="admin",
            verb="list",
            group="policy",
            version=version,
            resource="poddisruptionbudgets",
            status=200,
            seconds=0.1,
            user_agent=agent,
        )
    asked = askers_of(shop.cluster, group="policy", version="v1beta1", resource="poddisruptionbudgets")
    assert asked == ["dan (helm/4)"]


def test_what_is_less_than_before_is_told_and_what_was_not_ready_before_is_not():
    before = likeness(**{"Deployment a/web": [2, 2], "Deployment a/sick": [0, 3], "DaemonSet a/gone": [1, 1]})
    now = likeness(**{"Deployment a/web": [1, 2], "Deployment a/sick": [0, 3]})
    assert waited_for(before, now) == ["Deployment a/web"]
    assert differences(before, now) == [
        "DaemonSet a/gone is gone.",
        "Deployment a/web has 1 ready pods, and had 2.",
    ]


def test_what_somebody_scaled_down_meanwhile_is_no_difference():
    assert differences(likeness(**{"Deployment a/web": [3, 3]}), likeness(**{"Deployment a/web": [1, 1]})) == []


def test_a_node_that_is_gone_or_no_longer_ready_is_told():
    before = {**likeness(), "nodes": {"n-1": True, "n-2": True, "n-3": False}}
    now = {**likeness(), "nodes": {"n-1": False, "n-3": False}}
    assert differences(before, now) == ["Node n-1 was ready and is not.", "Node n-2 is gone."]
