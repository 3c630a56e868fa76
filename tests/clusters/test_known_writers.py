"""Who writes inside a cluster: learnt by surveys, corrected by people, and what both mean for the signal of change."""

from datetime import UTC, datetime, timedelta

import pytest

from clusters.lifecycle.signal import SignalKind
from clusters.models import IdleSignal, KnownWriter, Verdict, VirtualCluster
from clusters.services.cluster_uses import Use, cluster_uses_add
from clusters.services.known_writers import MOST_WRITERS, Written, writers_note
from tests.accounts.conftest import signed_in
from tests.accounts.machines import machine
from tests.clusters.conftest import problem
from tests.clusters.making import ready_row

START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def after(**how_long: float) -> datetime:
    return START + timedelta(**how_long)


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host)


def wrote(manager: str, *times: datetime, what: str = "ConfigMap default/a", kind: str = "ConfigMap") -> Written:
    moments = tuple(time.timestamp() for time in times)
    return Written(manager=manager, times=moments, wrote=what, kinds=(kind,))


def survey(cluster: VirtualCluster, at: datetime, *written: Written) -> IdleSignal:
    """The signal of change after a survey."""
    writers_note(virtual_cluster_id=cluster.pk, written=written, observed_at=at)
    return IdleSignal.objects.get(virtual_cluster=cluster, kind=SignalKind.CHANGE)


def writer(manager: str) -> KnownWriter:
    return KnownWriter.objects.get(manager=manager)


def test_what_a_person_wrote_is_use_and_what_the_system_and_operators_wrote_is_not(cluster):
    signal = survey(
        cluster,
        after(hours=1),
        wrote("kubectl-annotate", START, what="Deployment default/web"),
        wrote("kube-controller-manager", after(minutes=50)),
        wrote("vcluster", after(minutes=51)),
        wrote("marina", after(minutes=52)),
        wrote("cert-manager-issuers", after(minutes=53)),
        wrote("argocd-controller", after(minutes=54)),
    )
    assert (signal.last_used_at, signal.who) == (START, "kubectl-annotate: Deployment default/web")
    assert (signal.observed_at, signal.state, signal.reason) == (after(hours=1), "known", "")
    verdicts = dict(KnownWriter.objects.values_list("manager", "verdict"))
    assert verdicts == {
        "kubectl-annotate": "person",
        "kube-controller-manager": "system",
        "vcluster": "system",
        "marina": "system",
        "cert-manager-issuers": "inside",
        "argocd-controller": "inside",
    }


def test_an_empty_cluster_is_known_to_be_unused(cluster):
    signal = survey(cluster, START)
    assert (signal.last_used_at, signal.observed_at, signal.state) == (None, START, "known")


def test_a_program_that_writes_every_ten_minutes_is_found_out_and_one_more_write_is_use_again(cluster):
    """As a CronJob with kubectl does: what counted until it was known stays, and nothing after that counts."""
    for turn in range(12):
        at = after(minutes=10 * turn)
        signal = survey(cluster, at + timedelta(minutes=1), wrote("kubectl-patch", at))
    assert writer("kubectl-patch").verdict == Verdict.STEADY
    assert signal.last_used_at == after(minutes=30), "the fifth time made four intervals"
    extra = after(minutes=113)
    signal = survey(cluster, after(minutes=121), wrote("kubectl-patch", extra, after(minutes=120)))
    assert writer("kubectl-patch").verdict == Verdict.PERSON
    assert signal.last_used_at == after(minutes=120)


def test_an_operator_that_writes_each_second_is_told_in_a_line_and_is_no_use(cluster):
    for turn in range(8):
        at = after(minutes=10 * turn)
        signal = survey(cluster, at, wrote("operator", at - timedelta(seconds=1)))
    row = writer("operator")
    assert (row.verdict, row.last_use_at, signal.last_used_at) == (Verdict.STEADY, None, None)
    assert (row.first_seen_at, row.last_write_at) == (after(seconds=-1), after(minutes=70, seconds=-1))
    assert len(row.times) == 8


def test_times_never_go_back_also_where_what_was_written_is_gone(cluster):
    survey(cluster, after(hours=1), wrote("helm", START, kind="Secret"))
    signal = survey(cluster, after(hours=2), wrote("helm", after(hours=-5), kind="Service"))
    assert (signal.last_used_at, signal.observed_at) == (START, after(hours=2))
    assert writer("helm").kinds == ["Secret", "Service"]
    assert survey(cluster, after(hours=3)).last_used_at == START


def test_nothing_was_written_in_the_future_whatever_objects_say(cluster):
    signal = survey(cluster, START, wrote("kubectl", after(days=9000)))
    assert signal.last_used_at == START
    assert writer("kubectl").times == [START.timestamp()]


def test_a_client_that_the_gateway_saw_somebody_use_is_theirs(world, people, cluster):
    program = machine(world.payments, "ci").user
    uses = [
        Use(cluster_id=cluster.pk, user_id=people.dan.pk, client="my-tool", writes=1, last_meant_at=START),
        Use(cluster_id=cluster.pk, user_id=program.pk, client="deploy-bot", writes=1, last_meant_at=START),
        Use(cluster_id=cluster.pk, user_id=program.pk, client="argocd-controller", reads=1, last_read_at=START),
    ]
    cluster_uses_add(uses=uses)
    names = ("my-tool", "deploy-bot", "argocd-controller")
    survey(cluster, START, *(wrote(name, START) for name in names))
    assert [writer(name).verdict for name in names] == ["person", "ci", "inside"]


def test_whoever_calls_himself_ever_new_names_fills_no_table_and_hides_nobody(cluster):
    many = [wrote(f"x-{number:04}", START) for number in range(2000)]
    signal = survey(cluster, after(hours=1), *many, wrote("kubectl", after(minutes=1)), wrote("y" * 200, START))
    assert signal.last_used_at == after(minutes=1)
    assert KnownWriter.objects.count() == MOST_WRITERS
    signal = survey(cluster, after(hours=2), *many, wrote("helm", after(hours=2)))
    assert (signal.last_used_at, signal.who) == (after(hours=2), "helm: ConfigMap default/a")
    assert KnownWriter.objects.count() == MOST_WRITERS


def test_whoever_takes_the_names_of_peoples_tools_hides_no_later_one_and_no_word_of_people(cluster, dan):
    many = [wrote(f"kubectl-{number:04}", after(minutes=number)) for number in range(MOST_WRITERS)]
    survey(cluster, after(hours=5), *many)
    first = writer("kubectl-0000")
    assert dan.patch(url(cluster, first), {"verdict": "inside"}, content_type="application/json").status_code == 200
    signal = survey(cluster, after(hours=7), *many, wrote("helm", after(hours=6)))
    assert (signal.last_used_at, KnownWriter.objects.count()) == (after(hours=6), MOST_WRITERS)
    assert writer("kubectl-0000").corrected == "inside"


def test_a_survey_costs_the_same_number_of_queries_however_many_write(cluster, django_assert_num_queries):
    survey(cluster, START, wrote("kubectl", START))
    few, many = (wrote("kubectl", START),), [wrote(f"w-{number}", START) for number in range(100)]
    for written in (few, many):
        with django_assert_num_queries(9):
            writers_note(virtual_cluster_id=cluster.pk, written=written, observed_at=after(hours=1))


# --- what people say --------------------------------------------------------------------------------------------------


def url(cluster: VirtualCluster, row: KnownWriter | None = None) -> str:
    return f"/api/v1/virtual-clusters/{cluster.pk}/writers" + (f"/{row.pk}" if row else "")


def test_whoever_sees_the_cluster_sees_who_writes_the_last_one_first(people, cluster):
    survey(cluster, after(hours=1), wrote("helm", START), wrote("operator", after(minutes=1), kind="Lease"))
    shown = signed_in(people.vera).get(url(cluster)).json()["results"]
    assert [(each["manager"], each["verdict"], each["counts"]) for each in shown] == [
        ("operator", "inside", False),
        ("helm", "person", True),
    ]
    assert shown[0]["reason"].startswith("Neither a tool of people")
    assert shown[1]["last_use_at"] == shown[1]["last_write_at"]
    assert signed_in(people.vera).get(url(cluster, writer("helm"))).json()["manager"] == "helm"
    problem(signed_in(people.eve).get(url(cluster)), 404)


def test_an_operator_that_is_peoples_counts_at_once_and_no_more_when_that_is_taken_back(people, dan, cluster):
    survey(cluster, after(hours=1), wrote("helm", START), wrote("our-deployer", after(minutes=9)))
    address = url(cluster, writer("our-deployer"))
    shown = dan.patch(address, {"verdict": "person"}, format="json").json()
    assert (shown["verdict"], shown["corrected"], shown["corrected_by"]["handle"]) == ("inside", "person", "dan")
    assert shown["counts"] is True
    signal = IdleSignal.objects.get(kind=SignalKind.CHANGE)
    assert (signal.last_used_at, signal.who) == (after(minutes=9), "our-deployer: ConfigMap default/a")
    assert survey(cluster, after(hours=2), wrote("our-deployer", after(hours=2))).last_used_at == after(hours=2)
    assert dan.patch(address, {"verdict": None}, format="json").json()["corrected"] is None
    assert IdleSignal.objects.get(kind=SignalKind.CHANGE).last_used_at == START


def test_a_tool_of_people_that_is_said_to_be_inside_counts_no_more_also_for_what_it_wrote(dan, cluster):
    survey(cluster, after(hours=1), wrote("helm", START), wrote("kubectl", after(minutes=9)))
    assert dan.patch(url(cluster, writer("kubectl")), {"verdict": "inside"}, format="json").status_code == 200
    assert IdleSignal.objects.get(kind=SignalKind.CHANGE).last_used_at == START
    dan.patch(url(cluster, writer("helm")), {"verdict": "inside"}, format="json")
    signal = IdleSignal.objects.get(kind=SignalKind.CHANGE)
    assert (signal.last_used_at, signal.who) == (None, "")


def test_who_may_not_change_the_cluster_corrects_nothing(people, cluster):
    survey(cluster, START, wrote("helm", START))
    refused = problem(signed_in(people.vera).patch(url(cluster, writer("helm")), {"verdict": "inside"}, "json"), 403)
    assert "developer" in refused["hint"]
    problem(signed_in(people.eve).patch(url(cluster, writer("helm")), {"verdict": "inside"}, "json"), 404)
    assert writer("helm").corrected == ""


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verdict": "system"}, "verdict"),
        ({"verdict": "robot"}, "verdict"),
        ({"verdict": 7}, "verdict"),
        ({"counts": True}, "counts"),
        ({}, "verdict"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(dan, cluster, body, field):
    survey(cluster, START, wrote("helm", START))
    refused = problem(dan.patch(url(cluster, writer("helm")), body, format="json"), 400)
    assert [each["field"] for each in refused["errors"]] == [field]


def test_the_system_is_not_corrected(dan, cluster):
    survey(cluster, START, wrote("vcluster", START))
    refused = problem(dan.patch(url(cluster, writer("vcluster")), {"verdict": "person"}, format="json"), 409)
    assert "belongs to the system" in refused["detail"]


def test_a_writer_of_another_cluster_is_not_there(world, host, dan, cluster):
    other = ready_row(world, host, "other")
    survey(other, START, wrote("helm", START))
    problem(dan.patch(url(cluster, writer("helm")), {"verdict": "inside"}, format="json"), 404)
