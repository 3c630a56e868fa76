"""Who uses a cluster: added up in batches by several gateways, and shown with the cluster."""

import threading
from datetime import datetime, timedelta
from itertools import permutations
from uuid import uuid4

import pytest
from django.db import close_old_connections, connection
from django.utils import timezone

from clusters.models import ClusterUse, VirtualCluster
from clusters.services.cluster_uses import MOST_CLIENTS, OTHER, Use, cluster_uses_add
from tests.accounts.conftest import person, signed_in, world_make
from tests.accounts.machines import machine
from tests.clusters.conftest import people_make, problem
from tests.clusters.making import cluster_row, ready_row


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host)


def reading(cluster, user, at: datetime, *, client="kubectl", count=1) -> Use:
    return Use(cluster_id=cluster.pk, user_id=user.pk, client=client, reads=count, last_read_at=at)


def writing(cluster, user, at: datetime, *, client="kubectl", count=1) -> Use:
    return Use(cluster_id=cluster.pk, user_id=user.pk, client=client, writes=count, last_write_at=at)


def test_reads_and_writes_are_told_apart_by_person_and_kind_of_client(people, cluster):
    now = timezone.now()
    later = now + timedelta(seconds=5)
    cluster_uses_add(
        uses=[
            reading(cluster, people.dan, now, count=3),
            writing(cluster, people.dan, later),
            reading(cluster, people.dan, now, client="helm"),
            reading(cluster, people.vera, now),
        ]
    )
    rows = {(row.user.handle, row.client): row for row in ClusterUse.objects.select_related("user")}
    assert set(rows) == {("dan", "kubectl"), ("dan", "helm"), ("vera", "kubectl")}
    mine = rows["dan", "kubectl"]
    assert (mine.reads, mine.writes, mine.last_read_at, mine.last_write_at) == (3, 1, now, later)
    assert mine.last_used_at == later
    assert rows["vera", "kubectl"].last_write_at is None


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whatever_order_batches_come_times_never_go_back_and_counts_add_up(people, cluster, order):
    start = timezone.now()
    times = [start, start + timedelta(seconds=1), start + timedelta(seconds=2)]
    for index in order:
        make = writing if index == 1 else reading
        cluster_uses_add(uses=[make(cluster, people.dan, times[index], count=10)])
    row = ClusterUse.objects.get()
    assert (row.reads, row.writes) == (20, 10)
    assert (row.last_read_at, row.last_write_at, row.last_used_at) == (times[2], times[1], times[2])


def test_a_batch_is_written_by_two_statements_however_long_it_is(people, cluster, django_assert_num_queries):
    now = timezone.now()
    with django_assert_num_queries(4):  # two of them are the savepoint that the test's transaction makes of it
        cluster_uses_add(uses=[reading(cluster, people.dan, now, client=f"c{n}") for n in range(MOST_CLIENTS)])
    assert ClusterUse.objects.count() == MOST_CLIENTS


def test_a_client_that_calls_itself_ever_new_names_makes_no_more_rows(people, cluster):
    now = timezone.now()
    for start in (0, 500):
        uses = [reading(cluster, people.dan, now, client=f"c{n:04}") for n in range(start, start + 500)]
        cluster_uses_add(uses=uses)
    assert ClusterUse.objects.count() == MOST_CLIENTS + 1
    assert ClusterUse.objects.get(client=OTHER).reads == 1000 - MOST_CLIENTS
    cluster_uses_add(uses=[reading(cluster, people.vera, now, client="kubectl")])
    assert ClusterUse.objects.filter(user=people.vera, client="kubectl").exists()


def test_what_is_gone_meanwhile_is_left_out_and_the_rest_is_written(people, cluster):
    now = timezone.now()
    gone = Use(cluster_id=uuid4(), user_id=people.dan.pk, client="kubectl", reads=1, last_read_at=now)
    nobody = Use(cluster_id=cluster.pk, user_id=uuid4(), client="kubectl", reads=1, last_read_at=now)
    assert cluster_uses_add(uses=[gone, nobody, reading(cluster, people.dan, now)]) == 1
    assert ClusterUse.objects.get().user == people.dan
    cluster.operations.all().delete()
    cluster.placements.all().delete()
    cluster.delete()
    assert not ClusterUse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_gateways_that_write_the_same_clusters_at_once_lose_no_count_and_do_not_deadlock():
    world = world_make()
    people = people_make(world)
    clusters = [cluster_row(world, f"c-{n}") for n in range(8)]
    pairs = [(cluster, user) for cluster in clusters for user in (people.dan, people.vera, people.ada)]
    errors: list[BaseException] = []

    def gateway(turn: int) -> None:
        try:
            for _ in range(15):
                turned = pairs[turn:] + pairs[:turn]
                cluster_uses_add(uses=[reading(*pair, timezone.now()) for pair in turned])
        except BaseException as error:
            errors.append(error)
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=gateway, args=(turn,)) for turn in (0, 7, 13, 20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    assert set(ClusterUse.objects.values_list("reads", flat=True)) == {60}
    assert ClusterUse.objects.count() == len(pairs)


def test_whoever_sees_the_cluster_sees_who_uses_it_the_last_one_first(people, cluster):
    now = timezone.now()
    cluster_uses_add(uses=[reading(cluster, people.dan, now), writing(cluster, people.ada, now - timedelta(hours=1))])
    url = f"/api/v1/virtual-clusters/{cluster.pk}/uses"
    listed = signed_in(people.vera).get(url).json()["results"]
    assert [(each["user"]["handle"], each["client"]) for each in listed] == [("dan", "kubectl"), ("ada", "kubectl")]
    assert (listed[0]["reads"], listed[0]["last_write_at"], listed[1]["writes"]) == (1, None, 1)
    assert signed_in(people.otto).get(url).status_code == 200
    problem(signed_in(people.eve).get(url), 404)
    problem(signed_in(people.mia).get(url), 404)


def test_a_cluster_shows_when_it_was_last_used_by_whom_and_with_what(world, people, dan, cluster):
    url = f"/api/v1/virtual-clusters/{cluster.pk}"
    assert (dan.get(url).json()["last_used_at"], dan.get(url).json()["last_used_by"]) == (None, None)
    now = timezone.now()
    program = machine(world.payments, "ci").user
    uses = [reading(cluster, people.ada, now), writing(cluster, program, now + timedelta(seconds=1), client="helm")]
    cluster_uses_add(uses=uses)
    (listed,) = dan.get("/api/v1/virtual-clusters").json()["results"]
    for shown in (dan.get(url).json(), listed):
        assert datetime.fromisoformat(shown["last_used_at"]) == now + timedelta(seconds=1)
        who = {"id": str(program.pk), "handle": program.handle, "name": program.label, "client": "helm"}
        assert shown["last_used_by"] == who


def test_that_it_is_used_is_no_change_of_the_cluster(world, people, dan, cluster):
    """Else every request of anybody would send every page that watches clusters its row anew."""
    before = VirtualCluster.objects.get(pk=cluster.pk)
    cluster_uses_add(uses=[writing(cluster, person("zoe"), timezone.now())])
    after = VirtualCluster.objects.get(pk=cluster.pk)
    assert (after.changed_in, after.generation) == (before.changed_in, before.generation)
