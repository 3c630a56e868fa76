"""Whatever the size, its quota holds the control plane and its limit range gives what the quota demands."""

from itertools import pairwise

import pytest

from clusters.sizes import SIZES, Size

MI_PER = {"Mi": 1, "Gi": 1024}


def quantity(text: str) -> int:
    """Millicores, MiB or a count."""
    return int(text.removesuffix("m")) if text[-2:] not in MI_PER else int(text[:-2]) * MI_PER[text[-2:]]


@pytest.fixture(params=SIZES.values(), ids=list(SIZES))
def size(request: pytest.FixtureRequest) -> Size:
    found: Size = request.param
    return found


@pytest.mark.parametrize("replicas", [0, 1, 3])
def test_the_quota_holds_the_control_plane_and_the_room(size: Size, replicas: int) -> None:
    hard, plane, count = size.quota_hard(replicas=replicas), size.control_plane, max(replicas, 1)
    assert quantity(hard["requests.cpu"]) >= count * plane.cpu + size.room.cpu
    assert quantity(hard["requests.memory"]) >= count * plane.memory + size.room.memory
    assert quantity(hard["limits.memory"]) >= count * plane.memory_limit + size.room.memory_limits
    assert quantity(hard["requests.storage"]) >= count * 5 * 1024 + size.room.storage
    assert int(hard["pods"]) >= size.room.pods + count + 1
    assert int(hard["persistentvolumeclaims"]) >= size.room.claims + count


def test_the_control_plane_has_at_least_what_the_chart_gives_it(size: Size) -> None:
    assert size.control_plane.cpu >= 200
    assert size.control_plane.memory >= 256
    assert size.control_plane.memory_limit >= 4096


def test_a_container_without_limits_gets_those_that_the_quota_demands(size: Size) -> None:
    (container,) = size.limit_range_limits()
    limits = {key.removeprefix("limits.") for key in size.quota_hard() if key.startswith("limits.")}
    requests = {key.removeprefix("requests.") for key in size.quota_hard() if key.startswith("requests.")} - {"storage"}
    assert limits <= size.container_default.keys()
    assert requests <= size.container_default_request.keys()
    assert container["type"] == "Container"
    for key, request in size.container_default_request.items():
        if key in size.container_default:
            assert quantity(request) <= quantity(size.container_default[key])


def test_a_load_balancer_finds_node_ports_in_the_quota(size: Size) -> None:
    hard = size.quota_hard()
    assert int(hard["services.nodeports"]) >= int(hard["services.loadbalancers"]) >= 1


def test_sizes_grow_in_everything() -> None:
    hards = [size.quota_hard() for size in SIZES.values()]
    for smaller, larger in pairwise(hards):
        assert all(quantity(smaller[key]) < quantity(larger[key]) for key in smaller)
    assert list(SIZES) == ["small", "medium", "large"]


def test_a_size_is_described_in_words() -> None:
    assert SIZES["small"].description == (
        "2 CPU cores, 4 GiB of memory, 20 GiB of storage and 30 pods for what you run in it"
    )
