"""Asking for an upgrade: what is begun, what is refused with which next step, and who may."""

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.adoption import Adoption
from clusters.models import HostCluster, Operation, OperationKind, Placement, VirtualCluster
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import cluster_row, operation_row, ready_row

URL = "/api/v1/virtual-clusters"
ADOPTED = Adoption(workload="StatefulSet", uid="u", image="vcluster-oss:0.36.1", complete=True)


@pytest.fixture(autouse=True)
def offered(settings) -> None:
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.36.1", "1.35.4"]


@pytest.fixture
def cluster(world, host):
    HostCluster.objects.update(kubernetes_version="1.36.0")
    return ready_row(world, host, kubernetes_version="1.35.4")


def ask(client, cluster, status=202, verb="upgrade", **body):
    answer = client.post(f"{URL}/{cluster.pk}/{verb}", body, "json")
    assert answer.status_code == status, answer.content
    return answer.json()


def refused(client, cluster, **body):
    return problem(client.post(f"{URL}/{cluster.pk}/upgrade", body, "json"), 400)


def params(operation):
    return Operation.objects.get(pk=operation["id"]).params


def test_an_upgrade_is_an_operation_and_the_cluster_stays_as_it_is_until_that_begins(dan, cluster):
    body = ask(dan, cluster, kubernetes_version="1.36.3")
    assert (body["operation"]["kind"], body["operation"]["state"]) == ("upgrade", "Pending")
    assert params(body["operation"]) == {"to": {"kubernetes": "1.36.3", "chart": "0.36.1"}, "choices": {}}
    cluster.refresh_from_db()
    assert (cluster.kubernetes_version, cluster.generation) == ("1.35.4", 1)
    row = AuditEvent.objects.get(action="virtualcluster.upgrade")
    assert (row.before["kubernetes"], row.after["kubernetes"]) == ("1.35.4", "1.36.3")


def test_a_minor_means_its_newest_patch_and_nothing_means_the_newest_of_all(dan, cluster, host, world):
    assert params(ask(dan, cluster, kubernetes_version="1.36")["operation"])["to"]["kubernetes"] == "1.36.3"
    other = ready_row(world, host, "other", kubernetes_version="1.35.4")
    assert params(ask(dan, other)["operation"])["to"]["kubernetes"] == "1.36.3"


def test_the_newest_is_what_its_host_can_run(dan, cluster, settings):
    settings.KUBERNETES_VERSIONS = ["1.38.0", "1.37.0", "1.36.3", "1.35.4"]
    settings.CHART_KUBERNETES_VERSIONS = "1.32-1.38"
    assert params(ask(dan, cluster)["operation"])["to"]["kubernetes"] == "1.37.0"


def test_choices_come_along(dan, cluster):
    operation = ask(dan, cluster, kubernetes_version="1.36.3", choices={"removed-apis": "accept"})["operation"]
    assert params(operation)["choices"] == {"removed-apis": "accept"}


@pytest.mark.parametrize(
    ("asked", "field", "said", "accepted"),
    [
        ({"kubernetes_version": "1.34.9"}, "kubernetes_version", "never goes down", "1.36.3, or leave it out"),
        ({"kubernetes_version": "1.36.9"}, "kubernetes_version", "is not offered", "one of 1.36.1, 1.36.3"),
        ({"kubernetes_version": "1.35.4"}, "kubernetes_version", "already", "a newer one: 1.36.1, 1.36.3"),
        ({"kubernetes_version": "newest"}, "kubernetes_version", "does not offer", "one of 1.36.3, 1.36.1, 1.35.4"),
        ({"chart_version": "0.35.1"}, "chart_version", "never goes down", "leave it out"),
        ({"chart_version": "0.37.0"}, "chart_version", "is not offered", "leave it out"),
        ({"chart_version": "x"}, "chart_version", "no version of the chart", "0.36.1"),
        ({"version": "1.36.3"}, "version", "", ""),
        ({"choices": {"removed-api": "accept"}}, "choices.removed-api", "no such choice", "one of removed-apis"),
        ({"choices": {"removed-apis": "yes"}}, "choices.removed-apis", "yes cannot be chosen", "one of accept"),
        ({"choices": {"differences": "accept"}}, "choices.differences", "no such choice", "one of removed-apis"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field_and_what_can(dan, cluster, asked, field, said, accepted):
    body = refused(dan, cluster, **asked)
    (error,) = body["errors"]
    assert error["field"] == field
    assert said in error["message"]
    assert accepted in error["accepted"]
    assert not Operation.objects.filter(kind="upgrade").exists()


def test_a_skipped_minor_is_refused_with_the_step_that_is_missing(dan, cluster, settings):
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.34.9", "1.34.2"]
    VirtualCluster.objects.update(kubernetes_version="1.34.2")
    (error,) = refused(dan, cluster, kubernetes_version="1.36.3")["errors"]
    assert "skips a minor of Kubernetes: 1.35 comes first" in error["message"]
    assert error["accepted"] == "Kubernetes 1.34.9, as the next step"


def test_what_its_host_cannot_run_is_refused_with_the_next_step(dan, cluster, settings):
    settings.KUBERNETES_VERSIONS = ["1.37.1", "1.36.3", "1.35.4"]
    settings.CHART_KUBERNETES_VERSIONS = "1.32-1.37"
    HostCluster.objects.update(kubernetes_version="1.35.2")
    (error,) = refused(dan, cluster, kubernetes_version="1.37.1")["errors"]
    assert "1.37.1 is too new for this host, which has 1.35.2" in error["message"]
    assert error["accepted"] == "Kubernetes 1.36.3, as the next step"


def test_the_chart_goes_one_minor_at_a_time_over_versions_that_the_settings_name(dan, cluster, settings):
    settings.CHART_VERSION, settings.CHART_KUBERNETES_VERSIONS = "0.38.0", "1.34-1.38"
    (error,) = refused(dan, cluster, chart_version="0.38.0")["errors"]
    assert "0.37 comes first" in error["message"]
    settings.CHART_VERSIONS = {"0.37.2": "1.33-1.37"}
    assert params(ask(dan, cluster, chart_version="0.38.0")["operation"])["to"]["chart"] == "0.38.0"


def test_a_second_upgrade_is_refused_with_the_first(dan, cluster):
    first = ask(dan, cluster, kubernetes_version="1.36.3")["operation"]["id"]
    assert first in ask(dan, cluster, 409, kubernetes_version="1.36.3")["hint"]


def test_what_is_failed_deleted_or_as_it_was_adopted_is_not_upgraded(dan, cluster, world, host):
    VirtualCluster.objects.filter(pk=cluster.pk).update(phase="Failed")
    assert "marina configure" in ask(dan, cluster, 409, kubernetes_version="1.36.3")["hint"]
    gone = cluster_row(world, "gone", phase="Deleted", kubernetes_version="1.35.4")
    ask(dan, gone, 409, kubernetes_version="1.36.3")
    taken = ready_row(world, host, "taken", kubernetes_version="1.35.4")
    Placement.objects.filter(virtual_cluster=taken).update(adopted=ADOPTED.as_json())
    assert "marina configure taken" in ask(dan, taken, 409, kubernetes_version="1.36.3")["hint"]


def test_a_preflight_is_an_operation_beside_all_others_and_refuses_what_an_upgrade_would(dan, cluster):
    operation_row(cluster, OperationKind.EXPORT, started_at=timezone.now())
    body = ask(dan, cluster, verb="upgrade-preflight", kubernetes_version="1.36.3")
    assert (body["operation"]["kind"], body["operation"]["state"]) == ("preflight", "Pending")
    ask(dan, cluster, 400, verb="upgrade-preflight", kubernetes_version="1.34.9")


def test_who_only_looks_may_not_upgrade(people, cluster):
    answer = signed_in(people.vera).post(f"{URL}/{cluster.pk}/upgrade", {}, "json")
    assert answer.status_code == 403
    assert "developer" in answer.json()["detail"] + answer.json().get("hint", "")


def test_a_change_of_versions_by_its_spec_points_to_the_upgrade(dan, cluster):
    answer = dan.patch(f"{URL}/{cluster.pk}", {"spec": {"kubernetes_version": "1.36.3"}}, "json")
    assert answer.status_code == 400
    assert answer.json()["hint"] == "marina upgrade hello --to VERSION --project acme/payments"
