"""What is known of a cluster's use, by every kind of signal, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from clusters.lifecycle.required_signals import required_kinds
from clusters.lifecycle.signal import Signal, SignalKind, SignalState
from clusters.lifecycle.signals import signals_of
from clusters.models import (
    Breaker,
    ClusterUse,
    GatewayToken,
    HostCluster,
    IdleSignal,
    KubeconfigGrant,
    OperationKind,
    SignalSource,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.cluster_uses import Use, cluster_uses_add
from clusters.services.hosts import host_update
from clusters.services.idle_signals import Noted, idle_signals_write, signals_gather
from clusters.services.signal_sources import (
    GATEWAY,
    gateways_written_until,
    signal_source_ended,
    signal_source_written,
    signal_sources_forget,
)
from tests.accounts.conftest import signed_in
from tests.accounts.machines import machine
from tests.clusters.conftest import problem
from tests.clusters.making import cluster_row, operation_row, ready_row

START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
KINDS = tuple(SignalKind)


def after(**how_long: float) -> datetime:
    return START + timedelta(**how_long)


@pytest.fixture(autouse=True)
def gateway(settings) -> None:
    """There is one."""
    settings.GATEWAY_URL = "https://gateway.example"
    settings.CHANGE_SURVEY_SECONDS = 600


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host)


def read(cluster: VirtualCluster, kind: str, now: datetime = START) -> Signal:
    fresh = VirtualCluster.objects.get(pk=cluster.pk)
    return {signal.kind: signal for signal in signals_of([fresh], now=now)[cluster.pk]}[SignalKind(kind)]


def written(until: datetime = START, name: str = "a") -> None:
    signal_source_written(name=GATEWAY + name, until=until)


def note(cluster: VirtualCluster, kind: str, **found: Any) -> None:
    idle_signals_write(noted=[Noted(cluster_id=cluster.pk, kind=SignalKind(kind), **found)])


# --- requests through gateways ----------------------------------------------------------------------------------------


def test_people_and_ci_are_told_apart_and_polls_are_no_use(world, people, cluster):
    program = machine(world.payments, "ci").user
    cluster_uses_add(
        uses=[
            Use(cluster_id=cluster.pk, user_id=people.dan.pk, client="kubectl", last_meant_at=START),
            Use(cluster_id=cluster.pk, user_id=people.vera.pk, client="k9s", reads=9, last_read_at=after(hours=1)),
            Use(cluster_id=cluster.pk, user_id=program.pk, client="helm", last_meant_at=after(minutes=5)),
        ]
    )
    written(after(hours=2))
    signals_gather(now=after(hours=2))
    person, ci = read(cluster, "gateway-person"), read(cluster, "gateway-ci")
    assert (person.last_used_at, person.who, person.state) == (START, "dan with kubectl", SignalState.KNOWN)
    assert (ci.last_used_at, ci.who) == (after(minutes=5), f"{program.name} with helm")
    assert person.observed_at == ci.observed_at == after(hours=2)


def test_reading_is_use_as_well_and_later_use_moves_it_on_and_never_back(people, cluster):
    def use(at: datetime) -> None:
        use = Use(cluster_id=cluster.pk, user_id=people.vera.pk, client="kubectl", reads=1, last_read_at=at)
        cluster_uses_add(uses=[use])
        ClusterUse.objects.update(last_meant_at=at)
        signals_gather(now=at)

    written()
    for at in (START, after(hours=2), after(hours=1)):
        use(at)
    assert read(cluster, "gateway-person").last_used_at == after(hours=2)


def test_without_a_gateway_it_is_no_signal(settings, cluster):
    settings.GATEWAY_URL = ""
    signal = read(cluster, "gateway-person")
    assert (signal.state, signal.observed_at) == (SignalState.UNSUPPORTED, None)
    assert "GATEWAY_URL" in signal.reason


def test_a_region_with_a_gateway_of_its_own_has_one(settings, world, cluster):
    settings.GATEWAY_URL = ""
    settings.GATEWAY_URLS = '{"eu": "https://eu.gateway.example"}'
    HostCluster.objects.update(region="eu")
    assert read(cluster, "gateway-ci").state != SignalState.UNSUPPORTED


def test_while_no_gateway_ever_wrote_nothing_is_known_of_them(cluster):
    signals_gather(now=START)
    signal = read(cluster, "gateway-person")
    assert (signal.state, signal.observed_at) == (SignalState.UNKNOWN, None)


def test_it_is_known_as_far_as_the_slowest_gateway_has_written(cluster):
    signals_gather(now=after(hours=9))
    written(after(minutes=5), "slow")
    written(after(minutes=9), "quick")
    assert read(cluster, "gateway-person").observed_at == after(minutes=5)
    assert read(cluster, "credential").observed_at == after(hours=9)


def test_a_gateway_that_is_gone_holds_nothing_up_while_another_writes_and_does_when_it_was_the_last(cluster):
    signals_gather(now=after(hours=9))
    written(START, "crashed")
    assert read(cluster, "gateway-person", after(hours=9)).observed_at == START
    written(after(hours=1), "new")
    assert read(cluster, "gateway-person", after(hours=9)).observed_at == after(hours=1)


def test_only_gateways_say_until_when_gateways_have_written():
    one, other = GATEWAY + "one", GATEWAY + "other"
    assert gateways_written_until({}) is None
    assert gateways_written_until({"books": START}) is None
    assert gateways_written_until({one: START, other: after(minutes=1)}) == START


def test_gateways_that_ended_are_forgotten_and_the_last_one_is_not(db):
    written(START, "one")
    written(after(seconds=9), "other")
    signal_source_ended(name=GATEWAY + "one", until=after(seconds=10))
    assert set(SignalSource.objects.values_list("name", flat=True)) == {GATEWAY + "other"}
    signal_source_ended(name=GATEWAY + "other", until=after(seconds=11))
    assert SignalSource.objects.get().written_until == after(seconds=11)
    written(after(seconds=1), "long-gone")
    signal_sources_forget(now=after(days=90))
    assert SignalSource.objects.get().name == GATEWAY + "other"


def test_gathering_that_stands_still_holds_everything_of_the_books_up(cluster):
    signals_gather(now=START)
    written(after(days=3))
    for kind in ("gateway-person", "gateway-ci", "credential"):
        assert read(cluster, kind, after(days=3)).observed_at == START


# --- credentials ------------------------------------------------------------------------------------------------------


def test_a_kubeconfig_or_token_that_was_issued_is_use(people, cluster):
    signals_gather(now=timezone.now())
    assert read(cluster, "credential").last_used_at is None
    operation = operation_row(cluster, OperationKind.ISSUE_KUBECONFIG, requested_by=people.ada)
    signals_gather(now=timezone.now())
    signal = read(cluster, "credential")
    assert (signal.last_used_at, signal.who) == (operation.created_at, "ada: a direct kubeconfig")
    grant = KubeconfigGrant.objects.create(
        virtual_cluster=cluster, user=people.dan, level="view", operation=operation, expires_at=after(days=9)
    )
    signals_gather(now=timezone.now())
    signal = read(cluster, "credential")
    assert (signal.last_used_at, signal.who) == (grant.created_at, "dan: a direct kubeconfig")
    token = GatewayToken.objects.create(
        user=people.vera, virtual_cluster=cluster, level="view", name="x", prefix="abcdefgh", expires_at=after(days=9)
    )
    signals_gather(now=timezone.now())
    signal = read(cluster, "credential")
    assert (signal.last_used_at, signal.who) == (token.created_at, "vera: a static token for the gateway")
    assert signal.state == SignalState.KNOWN


def test_what_was_issued_stays_known_when_the_token_is_gone(people, cluster):
    token = GatewayToken.objects.create(
        user=people.vera, virtual_cluster=cluster, level="view", name="x", prefix="abcdefgh", expires_at=after(days=9)
    )
    signals_gather(now=timezone.now())
    made = token.created_at
    token.delete()
    signals_gather(now=timezone.now())
    assert read(cluster, "credential").last_used_at == made


# --- what is looked at ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["change", "cpu"])
def test_what_nobody_looked_at_is_unknown(cluster, kind):
    signal = read(cluster, kind)
    assert (signal.state, signal.observed_at, signal.last_used_at) == (SignalState.UNKNOWN, None, None)


def test_what_could_not_be_looked_at_is_unknown_and_says_why_and_keeps_what_was_known(cluster):
    note(cluster, "change", last_used_at=START, who="helm", observed_at=after(hours=1))
    note(cluster, "change", state=SignalState.UNKNOWN, reason="It holds more than 20000 objects.")
    signal = read(cluster, "change")
    assert (signal.last_used_at, signal.who, signal.observed_at) == (START, "helm", after(hours=1))
    assert (signal.state, signal.reason) == (SignalState.UNKNOWN, "It holds more than 20000 objects.")
    note(cluster, "change", observed_at=after(hours=2))
    assert (read(cluster, "change").state, read(cluster, "change").reason) == (SignalState.KNOWN, "")


def test_whoever_writes_late_takes_nothing_back(cluster):
    note(cluster, "cpu", last_used_at=after(hours=2), who="90 millicores", observed_at=after(hours=2))
    note(cluster, "cpu", last_used_at=START, who="70 millicores", observed_at=after(hours=1))
    signal = read(cluster, "cpu")
    assert (signal.last_used_at, signal.observed_at, signal.who) == (after(hours=2), after(hours=2), "90 millicores")


def test_of_a_cluster_that_is_gone_nothing_is_written(world, host, cluster):
    gone = cluster_row(world, "gone")
    key = gone.pk
    gone.delete()
    noted = [Noted(cluster_id=each, kind=SignalKind.CPU, observed_at=START) for each in (key, cluster.pk)]
    assert idle_signals_write(noted=noted) == 1


def test_a_silent_host_says_nothing_awake_or_asleep(host, cluster):
    note(cluster, "change", last_used_at=START, observed_at=after(hours=1))
    HostCluster.objects.update(breaker=Breaker.OPEN, answered_at=after(hours=2))
    for phase in (VirtualClusterPhase.READY, VirtualClusterPhase.ASLEEP):
        VirtualCluster.objects.update(phase=phase, asleep_since=after(hours=1))
        signal = read(cluster, "change", after(days=9))
        assert (signal.state, signal.observed_at) == (SignalState.UNKNOWN, after(hours=1))
        assert signal.reason == f"Its host {host.name} has not answered since 2026-11-26 10:00 UTC."


def asleep(since: datetime) -> None:
    VirtualCluster.objects.update(phase=VirtualClusterPhase.ASLEEP, asleep_since=since)


def test_nothing_happens_in_a_cluster_that_is_asleep_so_nobody_has_to_look(cluster):
    note(cluster, "change", last_used_at=START, who="helm", observed_at=after(hours=1))
    note(cluster, "cpu", state=SignalState.UNSUPPORTED, reason="east does not measure pods.")
    asleep(after(hours=1, minutes=15))
    signal = read(cluster, "change", after(days=30))
    assert (signal.last_used_at, signal.who, signal.state) == (START, "helm", SignalState.KNOWN)
    assert signal.observed_at == after(days=30)
    assert read(cluster, "cpu", after(days=30)).state == SignalState.UNSUPPORTED


def test_a_failed_look_just_before_it_fell_asleep_does_not_matter(cluster):
    note(cluster, "change", last_used_at=START, who="helm", observed_at=after(hours=1))
    note(cluster, "change", state=SignalState.UNKNOWN, reason="It was falling asleep.")
    asleep(after(hours=1, minutes=12))
    signal = read(cluster, "change", after(days=30))
    assert (signal.state, signal.reason, signal.last_used_at) == (SignalState.KNOWN, "", START)


@pytest.mark.parametrize("looked", [False, True])
def test_what_nobody_saw_before_it_fell_asleep_counts_as_use_until_then(cluster, looked):
    if looked:
        note(cluster, "change", last_used_at=START, who="helm", observed_at=after(hours=1))
    asleep(after(hours=3))
    signal = read(cluster, "change", after(days=30))
    assert (signal.last_used_at, signal.observed_at) == (after(hours=3), after(days=30))
    assert "not looked at" in signal.who


def test_ingress_is_no_signal_until_somebody_reports_it(cluster):
    assert read(cluster, "ingress").state == SignalState.UNSUPPORTED
    assert read(cluster, "ingress").reason
    note(cluster, "ingress", last_used_at=START, who="12 requests", observed_at=after(hours=1))
    signal = read(cluster, "ingress")
    assert (signal.state, signal.last_used_at, signal.observed_at) == (SignalState.KNOWN, START, after(hours=1))


def test_a_cluster_without_a_place_is_unknown(world):
    nowhere = cluster_row(world, "nowhere")
    assert read(nowhere, "change").state == SignalState.UNKNOWN
    assert {signal.kind for signal in signals_of([nowhere])[nowhere.pk]} == set(KINDS)


def test_all_signals_of_many_clusters_are_read_by_three_queries(world, host, django_assert_num_queries):
    clusters = [ready_row(world, host, f"c-{number}") for number in range(20)]
    for cluster in clusters:
        note(cluster, "change", observed_at=START)
    for some in (clusters[:1], clusters):
        with django_assert_num_queries(3):
            found = signals_of(some)
        assert all(tuple(signal.kind for signal in found[cluster.pk]) == KINDS for cluster in some)


def test_signals_are_written_by_one_statement_however_many(world, host, django_assert_num_queries):
    clusters = [ready_row(world, host, f"c-{number}") for number in range(20)]
    noted = [Noted(cluster_id=each.pk, kind=SignalKind.CPU, observed_at=START) for each in clusters]
    with django_assert_num_queries(3):  # two of them are the savepoint that the test's transaction makes of it
        idle_signals_write(noted=noted)
    assert IdleSignal.objects.count() == 20


# --- as people read it, and what a host needs -------------------------------------------------------------------------


def url(cluster: VirtualCluster) -> str:
    return f"/api/v1/virtual-clusters/{cluster.pk}/signals"


def test_whoever_sees_the_cluster_sees_every_signal_and_what_is_missing(people, cluster):
    written(timezone.now())
    signals_gather(now=timezone.now())
    note(cluster, "change", last_used_at=START, who="helm: Secret web/x", observed_at=after(hours=1))
    note(cluster, "change", state=SignalState.UNKNOWN, reason="Too many.")
    shown = signed_in(people.vera).get(url(cluster)).json()
    assert [each["kind"] for each in shown["signals"]] == [kind.value for kind in KINDS]
    assert [each["required"] for each in shown["signals"]] == [True, True, True, True, False, False]
    assert (shown["complete"], shown["missing"]) == (False, ["change: Too many."])
    assert shown["last_used_by"] == "helm: Secret web/x"
    assert datetime.fromisoformat(shown["last_used_at"]) == START
    note(cluster, "change", observed_at=after(hours=2))
    assert signed_in(people.otto).get(url(cluster)).json()["complete"] is True
    problem(signed_in(people.eve).get(url(cluster)), 404)
    problem(signed_in(people.mia).get(url(cluster)), 404)


def test_a_host_says_which_signals_it_needs(op, people, host, cluster):
    address = f"/api/v1/host-clusters/{host.pk}"
    shown = op.patch(address, {"required_signals": {"cpu": "required", "change": "optional"}}, format="json").json()
    assert shown["required_signals"] == {
        "gateway-person": "required",
        "gateway-ci": "required",
        "credential": "required",
        "change": "optional",
        "cpu": "required",
        "ingress": "optional",
    }
    host.refresh_from_db()
    assert required_kinds(host.required_signals) >= {SignalKind.CPU, SignalKind.CREDENTIAL}
    needed = {each["kind"] for each in signed_in(people.dan).get(url(cluster)).json()["signals"] if each["required"]}
    assert needed == {"gateway-person", "gateway-ci", "credential", "cpu"}
    problem(signed_in(people.dan).patch(address, {"required_signals": {"cpu": "optional"}}, "json"), 403)


def test_what_is_said_of_one_signal_leaves_the_others_as_they_were(op, host):
    address = f"/api/v1/host-clusters/{host.pk}"
    op.patch(address, {"required_signals": {"cpu": "required"}}, format="json")
    shown = op.patch(address, {"required_signals": {"ingress": "required"}}, format="json").json()
    assert (shown["required_signals"]["cpu"], shown["required_signals"]["ingress"]) == ("required", "required")


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"disk": "required"}, "required_signals"),
        ({"cpu": "perhaps"}, "required_signals.cpu"),
        ({"cpu": None}, "required_signals.cpu"),
        ("cpu", "required_signals"),
        (["cpu"], "required_signals"),
    ],
)
def test_what_a_host_cannot_need_is_refused_by_name(op, host, told, field):
    refused = problem(op.patch(f"/api/v1/host-clusters/{host.pk}", {"required_signals": told}, format="json"), 400)
    assert [each["field"] for each in refused["errors"]] == [field]


def test_marina_itself_may_say_it_too(host):
    changed = host_update(host=host, actor=Actor(user=None, name="test"), required_signals={"cpu": "required"})
    assert changed.required_signals == {"cpu": "required"}


# --- where a host tells of web traffic --------------------------------------------------------------------------------

WHERE = {"service": "ingress-nginx/controller-metrics:10254"}
IN_FULL = {
    **WHERE,
    "path": "/metrics",
    "metric": "nginx_ingress_controller_requests",
    "namespace_label": "",
    "ingress_class": "",
}


def test_who_looks_after_a_host_says_where_its_traffic_is_read(op, people, host, cluster):
    address = f"/api/v1/host-clusters/{host.pk}"
    assert op.get(address).json()["ingress_metrics"] is None
    assert op.patch(address, {"ingress_metrics": WHERE}, format="json").json()["ingress_metrics"] == IN_FULL
    assert signed_in(people.dan).get(address).json()["ingress_metrics"] is None
    problem(signed_in(people.dan).patch(address, {"ingress_metrics": WHERE}, "json"), 403)
    assert read(cluster, "ingress").state == SignalState.UNKNOWN
    told = AuditEvent.objects.get(action="host.update", result="ok")
    assert told.after["ingress_metrics"] == IN_FULL
    assert op.patch(address, {"ingress_metrics": None}, format="json").json()["ingress_metrics"] is None
    assert read(cluster, "ingress").state == SignalState.UNSUPPORTED


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"service": "controller-metrics:10254"}, "service"),
        ({"service": "ingress-nginx/controller-metrics"}, "service"),
        ({"service": "ingress-nginx/controller-metrics:0"}, "service"),
        ({"service": "ingress-nginx/controller-metrics:70000"}, "service"),
        ({"service": "ingress-nginx/../pods:1"}, "service"),
        ({"path": "/metrics"}, "service"),
        ({**WHERE, "path": "metrics"}, "path"),
        ({**WHERE, "path": "/metrics/../../../../secrets"}, "path"),
        ({**WHERE, "path": "/%2e%2E/secrets"}, "path"),
        ({**WHERE, "path": "/%252e%252e/secrets"}, "path"),
        ({**WHERE, "path": "/..\\secrets"}, "path"),
        ({**WHERE, "path": "/metrics#x"}, "path"),
        ({**WHERE, "path": "/met rics"}, "path"),
        ({**WHERE, "metric": "requests{}"}, "metric"),
        ({**WHERE, "namespace_label": "name space"}, "namespace_label"),
        ({**WHERE, "ingress_class": "Nginx"}, "ingress_class"),
        ({**WHERE, "port": "80"}, "port"),
        ({**WHERE, "path": 5.5}, "path"),
    ],
)
def test_a_place_that_cannot_be_is_refused_by_what_of_it_is_wrong(op, host, told, field):
    answer = op.patch(f"/api/v1/host-clusters/{host.pk}", {"ingress_metrics": told}, format="json")
    assert [each["field"] for each in problem(answer, 400)["errors"]] == [f"ingress_metrics.{field}"]
    host.refresh_from_db()
    assert host.ingress_metrics == {}


def test_a_path_may_ask_a_prometheus_for_one_metric(op, host):
    path = "/federate?match[]=nginx_ingress_controller_requests"
    shown = op.patch(f"/api/v1/host-clusters/{host.pk}", {"ingress_metrics": {**WHERE, "path": path}}, format="json")
    assert shown.json()["ingress_metrics"]["path"] == path


def test_the_manifest_has_the_right_to_read_there_and_only_where_it_is_asked_for(people):
    client, url = signed_in(people.dan), "/api/v1/host-clusters/manifest"
    assert "marina-traffic" not in client.get(url).content.decode()
    shown = client.get(f"{url}?traffic=ingress-nginx/controller-metrics:10254")
    documents = [each for each in yaml.safe_load_all(shown.content) if each["metadata"]["name"] == "marina-traffic"]
    assert [(each["kind"], each["metadata"]["namespace"]) for each in documents] == [
        ("Role", "ingress-nginx"),
        ("RoleBinding", "ingress-nginx"),
    ]
    assert [(rule["resources"], rule["verbs"], rule["resourceNames"]) for rule in documents[0]["rules"]] == [
        (["services/proxy"], ["get"], ["controller-metrics:10254"]),
        (["endpoints"], ["get"], ["controller-metrics"]),
    ]
    assert [each["field"] for each in problem(client.get(f"{url}?traffic=nowhere"), 400)["errors"]] == ["traffic"]
