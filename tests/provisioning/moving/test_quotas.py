"""Quotas of a host's administrators on a given namespace are told before a cluster goes there."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clusters.encryption import connection_encrypt
from clusters.models import HostCredential, HostMode
from clusters.preflight import Weight
from clusters.sizes import SIZES, Requests
from provisioning.drivers.kinds import NAMESPACE, RESOURCE_QUOTA, SERVICE_ACCOUNT, Json
from provisioning.moving.quotas import GivenSeen, needed, quotas_fit
from tests.fakes.host import FakeHost
from tests.provisioning.hosts import host_at
from tests.provisioning.moving.samples import of
from tests.provisioning.moving.test_move_check import by_weight, looked
from tests.provisioning.shops import Shop, api_groups

MIB = 1024**2


def quota(hard: Json, used: Json | None = None, **spec: Any) -> Json:
    return of("ResourceQuota", "most", spec={"hard": hard, **spec}, status={"hard": hard, "used": used or {}})


def told(*quotas: Json, running: Requests | None = None) -> list[tuple[str, str]]:
    given = GivenSeen(host="west", namespace="shop", quotas=quotas)
    needs = needed(SIZES["small"], replicas=1, running=running)
    return [(each.code, each.message) for each in quotas_fit(given, needs)]


@pytest.mark.parametrize(
    ("hard", "used", "says"),
    [
        ({"requests.cpu": "200m"}, {}, "requests.cpu: 0.2 CPU left, 0.22 CPU needed"),
        ({"cpu": "2"}, {"cpu": "1900m"}, "requests.cpu: 0.1 CPU left, 0.22 CPU needed"),
        ({"memory": "1Gi"}, {"memory": "900Mi"}, "requests.memory: 124 MiB left, 320 MiB needed"),
        ({"limits.memory": "4Gi"}, {}, "limits.memory: 4 GiB left, 4.2 GiB needed"),
        ({"pods": "5"}, {"pods": "4"}, "pods: 1 left, 2 needed"),
        ({"count/pods": "1"}, {}, "pods: 1 left, 2 needed"),
    ],
)
def test_a_quota_without_room_for_the_control_plane_is_in_the_way(hard: Json, used: Json, says: str) -> None:
    assert told(quota(hard, used)) == [
        ("host-quota", f"The quota shop/most on west leaves no room for what runs in it: {says}.")
    ]


def test_what_runs_in_it_now_counts() -> None:
    found = quota({"requests.cpu": "4", "pods": "40"})
    assert told(found, running=Requests(cpu=5000, memory=100, pods=12))[0][0] == "host-quota"
    assert told(quota({"requests.cpu": "9", "pods": "40"}), running=Requests(cpu=5000, memory=100, pods=12)) == []
    limited = quota({"limits.memory": "6Gi"})
    assert "host-quota" not in [code for code, _ in told(limited)]
    assert told(limited, running=Requests(cpu=0, memory=20 * 1024, pods=12))[0][0] == "host-quota", "no limit is lower"


def test_what_is_kept_there_is_not_asked_for_twice() -> None:
    given = GivenSeen(
        host="west", namespace="shop", quotas=(quota({"count/secrets": "10", "requests.storage": "1Gi"}),)
    )

    def codes(*, kept: bool) -> list[str]:
        needs = needed(SIZES["small"], replicas=1, running=None, kept=kept)
        return [each.code for each in quotas_fit(given, needs)]

    assert (codes(kept=False), codes(kept=True)) == (["host-quota-tight"], [])


def test_a_quota_below_its_size_is_worth_knowing() -> None:
    assert told(quota({"requests.cpu": "1", "secrets": "10"})) == [
        (
            "host-quota-tight",
            "The quota shop/most on west leaves less than its size lets it ask for: requests.cpu: 1 CPU left, 2.22 CPU "
            "needed; secrets: 10 left, 140 needed.",
        )
    ]


def test_what_is_not_certain_keeps_it_from_nowhere() -> None:
    ((code, message),) = told(quota({"pods": "0"}, scopes=["BestEffort"]))
    assert (code, "(BestEffort)" in message) == ("host-quota-scoped", True)
    assert [code for code, _ in told(quota({"limits.cpu": "8"}))] == ["host-quota-limits"]
    assert told(quota({"count/widgets.example.com": "0", "requests.nvidia.com/gpu": "0"})) == []


def test_marinas_own_quota_is_none_of_the_hosts() -> None:
    own = quota({"pods": "0"})
    own["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "marina"}
    assert told(own) == []


@pytest.fixture
def given(shop: Shop, certificates: Any) -> Iterator[FakeHost]:
    """A host with two given namespaces."""
    with FakeHost(certificates) as fake:
        for name in ("given-a", "given-b"):
            fake.cluster.make(NAMESPACE, name)
        groups = api_groups(fake)
        names = ["given-a", "given-b"]
        host_at(fake.connection, "west", api_groups=groups, mode=HostMode.NAMESPACES, namespaces=names)
        yield fake


def limited(fake: FakeHost, namespace: str, pods: str) -> None:
    meta = {"namespace": namespace}
    fake.cluster.make(RESOURCE_QUOTA, "most", metadata=meta, spec={"hard": {"pods": pods}})


def test_the_preflight_looks_at_the_namespace_that_it_would_get(shop: Shop, given: FakeHost) -> None:
    limited(given, "given-b", "0")
    assert "host-quota" not in by_weight(looked(shop), Weight.BLOCKS)
    limited(given, "given-a", "1")
    report = looked(shop)
    assert "host-quota" in by_weight(report, Weight.BLOCKS)
    assert "given-a/most on west leaves no room" in next(
        each["message"] for each in report["findings"] if each["code"] == "host-quota"
    )


def test_where_marina_may_not_look_it_says_so(shop: Shop, given: FakeHost) -> None:
    given.cluster.make(SERVICE_ACCOUNT, "poor", metadata={"namespace": "given-a"})
    token, _ = given.cluster.access.token_for("given-a", "poor", 3600)
    connection = connection_encrypt(replace(given.connection, token=token))
    HostCredential.objects.filter(host__name="west").update(ciphertext=connection)
    report = looked(shop)
    assert "quotas-unknown" in by_weight(report, Weight.NOTE)
    assert not [each for each in report["findings"] if each["code"].startswith("host-quota")]
