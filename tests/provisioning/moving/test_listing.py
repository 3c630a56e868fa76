"""Looking through two real API servers at once, several kinds at a time."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from secrets import token_hex

import pytest

from dev.waiting import wait_until
from localkube import LocalHost
from localkube.ports import free_ports
from provisioning.drivers.kinds import CONFIG_MAP, CRON_JOB, DEPLOYMENT, JOB, NAMESPACE, SECRET, SERVICE, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import TemporaryError
from provisioning.engine.lease import LeaseLost
from provisioning.exports.reading import kind_key
from provisioning.moving.listing import AT_ONCE, Sides, both_sides
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.drivers.fault_servers import connection_to

KINDS = (CONFIG_MAP, SECRET, SERVICE, DEPLOYMENT, JOB, CRON_JOB)
GONE = Kind("gone.example.com/v1", "Gone", "gones", namespaced=True)


@dataclass
class Two:
    source: KubeClient
    target: KubeClient
    space: str

    def put(self, side: KubeClient, *names: str) -> None:
        for name in names:
            side.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.space}})

    def seen(self, revisions: Mapping[str, int], *kinds: Kind, counts: Mapping[str, int] | None = None) -> list[Sides]:
        return list(
            both_sides(
                self.source,
                self.target,
                kinds or KINDS,
                revisions,
                there=lambda kind: kind is not GONE,
                before_page=lambda: None,
                counts=counts,
            )
        )

    def settled(self) -> Sides:
        """The config maps, once the namespace's own one is among them."""
        wait_until(
            lambda: has_its_own(self.source, self.space) and has_its_own(self.target, self.space),
            seconds=30,
            what="the namespace's own config map is not there",
        )
        return self.seen({}, CONFIG_MAP)[0]

    def named(self, items: list[Json]) -> list[str]:
        return sorted(item["metadata"]["name"] for item in items if item["metadata"]["namespace"] == self.space)


def has_its_own(kube: KubeClient, space: str) -> bool:
    return kube.get(CONFIG_MAP, "kube-root-ca.crt", space) is not None


@pytest.fixture
def two(local_hosts: Mapping[str, LocalHost]) -> Iterator[Two]:
    """A namespace of the same name on both hosts."""
    space = f"listing-{token_hex(3)}"
    with ExitStack() as opened:
        clients = [
            KubeClient(opened.enter_context(connection_open(connection_of(host.kubeconfig), target=host.name)))
            for host in local_hosts.values()
        ]
        for kube in clients:
            kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
        yield Two(clients[0], clients[1], space)
        for kube in clients:
            kube.delete(NAMESPACE, space)


def test_what_is_newer_than_told_and_what_is_only_at_the_target_is_seen(two: Two) -> None:
    two.put(two.source, "old")
    first = {kind_key(sides.kind): sides.revision for sides in two.seen({})}
    two.put(two.source, "new")
    two.put(two.target, "old", "extra")
    config_maps = two.seen({key: revision or 0 for key, revision in first.items()})[0]
    assert {"new", "old"} & set(two.named(config_maps.newer)) == {"new"}
    assert {"new", "old", "extra"} & set(two.named(config_maps.extra)) == {"extra"}
    assert (config_maps.revision or 0) > (first[kind_key(CONFIG_MAP)] or 0)


def test_where_as_many_are_there_and_none_is_newer_the_target_is_not_asked(two: Two) -> None:
    two.put(two.source, "one", "other")
    before = two.settled()
    counts, revisions = {kind_key(CONFIG_MAP): before.count}, {kind_key(CONFIG_MAP): before.revision or 0}
    two.put(two.target, "one", "other", "extra")
    (quiet,) = two.seen(revisions, CONFIG_MAP, counts=counts)
    assert quiet.extra == []
    two.source.delete(CONFIG_MAP, "one", two.space)
    (fewer,) = two.seen(revisions, CONFIG_MAP, counts=counts)
    assert {"one", "other", "extra"} & set(two.named(fewer.extra)) == {"one", "extra"}
    two.put(two.source, "another")
    (as_many,) = two.seen(revisions, CONFIG_MAP, counts=counts)
    assert as_many.count == before.count
    assert {"one", "other", "extra"} & set(two.named(as_many.extra)) == {"one", "extra"}


def test_kinds_come_in_their_order_each_with_the_moment_of_its_list(two: Two) -> None:
    found = two.seen({})
    assert [sides.kind for sides in found] == list(KINDS)
    assert all(sides.revision for sides in found)


def test_a_kind_that_was_deleted_meanwhile_has_nothing_and_no_moment(two: Two) -> None:
    (gone,) = two.seen({}, GONE)
    assert (gone.newer, gone.extra, gone.revision) == ([], [], None)


def test_whoever_lost_its_lease_asks_for_nothing_more(two: Two) -> None:
    asked: list[None] = []

    def check() -> None:
        asked.append(None)
        if len(asked) > AT_ONCE:
            raise LeaseLost("gone")

    sides = both_sides(two.source, two.target, KINDS, {}, there=lambda kind: True, before_page=check)
    with pytest.raises(LeaseLost):
        list(sides)
    assert len(asked) == AT_ONCE + 1


def test_what_one_side_does_not_answer_is_an_error_of_the_whole(two: Two) -> None:
    with connection_open(connection_to(free_ports(1)[0]), target="nobody") as api:
        nobody = KubeClient(api)
        with pytest.raises(TemporaryError, match="Nobody cannot be reached"):
            list(both_sides(two.source, nobody, KINDS, {}, there=lambda kind: True, before_page=lambda: None))
