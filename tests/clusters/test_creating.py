"""A virtual cluster is made as asked, with every default filled in, or refused with the field and what would do."""

import pytest

from accounts.models import AuditEvent
from clusters.models import Chart, HostCluster, Operation, VirtualCluster, VirtualClusterPhase
from clusters.selectors import chart_source
from tests.accounts.conftest import give, person, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import cluster_row, host_row
from tests.engine.conftest import at_once

URL = "/api/v1/virtual-clusters"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "sync": {
            "type": "object",
            "properties": {"toHost": {"type": "object", "properties": {"secrets": {"type": "object"}}}},
        },
        "controlPlane": {"type": "object"},
    },
}


def create(client, name="hello", /, headers=None, **body):
    sent = {"project": "acme/payments", "name": name, **body}
    return client.post(URL, {key: value for key, value in sent.items() if value is not None}, "json", headers=headers)


def test_with_nothing_but_a_name_every_default_is_filled_in(world, host, dan, people):
    answer = create(dan)
    assert answer.status_code == 202, answer.content
    body = answer.json()
    cluster, operation = body["virtual_cluster"], body["operation"]
    assert answer["Operation-Location"] == f"/api/v1/operations/{operation['id']}"
    assert answer["Retry-After"] == "1"
    assert (operation["kind"], operation["state"], operation["virtual_cluster"]["name"]) == (
        "provision",
        "Pending",
        "hello",
    )
    assert operation["requested_by"]["handle"] == "dan"
    assert cluster["spec"] == {
        "kubernetes_version": "1.36.3",
        "chart_version": "0.36.1",
        "size": "small",
        "exposure": "",
        "values": {},
        "control_plane": {"replicas": 1},
        "region": "",
        "host_labels": {},
    }
    assert (cluster["phase"], cluster["generation"], cluster["observed_generation"]) == ("Pending", 1, 0)
    assert (cluster["owner"]["kind"], cluster["owner"]["name"], cluster["created_by"]["handle"]) == (
        "user",
        "dan",
        "dan",
    )
    project = cluster["project"]
    assert (project["id"], project["name"], project["organization"]["name"]) == (
        str(world.payments.pk),
        "payments",
        "acme",
    )
    assert (cluster["placement"], cluster["labels"], cluster["deletion_protection"]) == (None, {}, False)
    row = AuditEvent.objects.get(action="virtualcluster.create")
    assert (row.actor, row.object_name, row.organization_id) == ("dan", "acme/payments/hello", world.acme.pk)


def test_everything_that_is_asked_for_is_kept(world, host, dan):
    HostCluster.objects.update(exposure="LoadBalancer")
    spec = {
        "kubernetes_version": "1.35",
        "size": "medium",
        "exposure": "LoadBalancer",
        "values": {"sync": {"toHost": {"secrets": {"all": True}}}},
        "control_plane": {"replicas": 1},
    }
    answer = create(dan, spec=spec, labels={"team": "web"}, deletion_protection=True, host="east")
    assert answer.status_code == 202, answer.content
    cluster = answer.json()["virtual_cluster"]
    assert cluster["spec"]["kubernetes_version"] == "1.35.4"
    assert {**spec, "kubernetes_version": "1.35.4"} == {key: cluster["spec"][key] for key in spec}
    assert (cluster["labels"], cluster["deletion_protection"]) == ({"team": "web"}, True)
    row = VirtualCluster.objects.get()
    assert (row.wanted_host, row.project) == (host, world.payments)


def test_a_project_is_named_by_its_id_too(world, host, dan):
    assert create(dan, project=str(world.payments.pk)).status_code == 202


@pytest.mark.parametrize(
    ("body", "field", "accepted"),
    [
        ({"name": "Hello"}, "name", "lower-case letters"),
        ({"name": "-x"}, "name", "beginning and ending with a letter or digit"),
        ({"name": "x" * 41}, "name", "1 to 40"),
        ({"name": ""}, "name", "1 to 40"),
        ({"name": 5.5}, "name", ""),
        ({"name": None}, "name", "1 to 40"),
        ({"project": "acme/nothing"}, "project", "organization/name"),
        ({"project": "globex/payments"}, "project", "organization/name"),
        ({"project": 7}, "project", "organization/name"),
        ({"host": "nowhere"}, "host", "a host cluster's id or name"),
        ({"spec": {"kubernetes_version": "1.12.0"}}, "spec.kubernetes_version", "1.36.3"),
        ({"spec": {"kubernetes_version": "latest"}}, "spec.kubernetes_version", "1.36.3"),
        ({"spec": {"chart_version": "9.9.9"}}, "spec.chart_version", "0.36.1"),
        ({"spec": {"size": "gigantic"}}, "spec.size", "small, medium, large"),
        ({"spec": {"exposure": "Everywhere"}}, "spec.exposure", "None, LoadBalancer, Local"),
        ({"spec": {"control_plane": {"replicas": 0}}}, "spec.control_plane.replicas", "1"),
        ({"spec": {"control_plane": {"replicas": 3}}}, "spec.control_plane.replicas", "1"),
        ({"spec": {"control_plane": {"store": "etcd"}}}, "spec.control_plane.store", "replicas"),
        ({"spec": {"sise": "small"}}, "spec.sise", "did you mean `size`?"),
        ({"spec": {"values": "text"}}, "spec.values", "an object"),
        ({"spec": {"values": {"sync": {"toHost": {"secrets": 5}}}}}, "spec.values.sync.toHost.secrets", ""),
        ({"spec": {"values": {"unknown": 1}}}, "spec.values.unknown", ""),
        (
            {"spec": {"values": {"controlPlane": {"hostPathMapper": {"enabled": True}}}}},
            "spec.values.controlPlane.hostPathMapper.enabled",
            "sync.toHost.secrets.all",
        ),
        ({"labels": {"kubernetes.io/x": "1"}}, "labels.kubernetes.io/x", "one of your own"),
        ({"labels": {"team": "a b"}}, "labels.team", "at most 63"),
        ({"labels": {"team": ["x"]}}, "labels.team", ""),
        ({"colour": "blue"}, "colour", "project"),
        ({"deletion_protection": "perhaps"}, "deletion_protection", "true or false"),
    ],
)
def test_what_cannot_be_accepted_is_refused_by_field_and_nothing_is_written(host, dan, body, field, accepted):
    Chart.objects.create(source=chart_source(), version="0.36.1", digest="sha256:x", schema=SCHEMA)
    error = refused(dan.post(URL, {"project": "acme/payments", "name": "hello", **body}, "json"), field)
    assert accepted in error["accepted"]
    assert VirtualCluster.objects.count() == Operation.objects.count() == 0
    assert not AuditEvent.objects.filter(action="virtualcluster.create").exists()


def test_all_that_is_wrong_with_a_body_is_told_at_once(host, dan):
    body = problem(dan.post(URL, {"name": "Hello", "colour": 1, "spec": {"sise": 1}}, "json"), 400)
    assert {error["field"] for error in body["errors"]} == {"project", "name", "colour", "spec.sise"}


def test_a_name_is_taken_until_its_cluster_is_deleted(world, host, dan):
    row = cluster_row(world)
    error = refused(create(dan), "name")
    assert "already has a virtual cluster named hello" in error["message"]
    assert error["accepted"] == "a name not in use there"
    VirtualCluster.objects.filter(pk=row.pk).update(phase=VirtualClusterPhase.DELETED)
    assert create(dan).status_code == 202
    give(dan_user := person("dora"), "developer", world.search)
    assert create(signed_in(dan_user), project="acme/search").status_code == 202, "another project has names of its own"


def test_staff_only_values_are_refused_with_the_reason(host, dan):
    values = {"controlPlane": {"statefulSet": {"image": {"repository": "evil/image"}}}}
    error = refused(create(dan, spec={"values": values}), "spec.values.controlPlane.statefulSet.image.repository")
    assert "Only platform staff may set this" in error["message"]


def test_no_host_that_fits_is_told_with_each_hosts_reason(world, dan):
    body = problem(create(dan), 400)
    assert "No host cluster is offered to this project." in body["detail"]
    host_row("east", cordoned=True)
    host_row("west", phase="Failed")
    error = refused(create(dan), "host")
    assert "east: It is cordoned: it takes nothing new." in error["message"]
    assert "west: It is not connected (Failed)." in error["message"]
    assert "offer or connect one" in problem(create(dan), 400)["hint"]


def test_where_only_the_version_is_in_the_way_that_is_the_field(world, dan):
    host_row("old", kubernetes_version="1.20.0")
    assert "old: " in refused(create(dan), "spec.kubernetes_version")["message"]


def test_a_host_that_is_seen_but_not_offered_to_this_project_is_refused_by_name(world, dan, people):
    elsewhere = host_row("elsewhere", offered_to_all=False)
    elsewhere.offered_to_projects.add(world.search)
    give(people.dan, "developer", world.search)
    host_row("east")
    assert "elsewhere is not offered to acme/payments" in refused(create(dan, host="elsewhere"), "host")["message"]
    assert create(dan, host="elsewhere", project="acme/search").status_code == 202


@pytest.mark.parametrize("who", ["vera", "mia", "otto", "eve", "op"])
def test_who_may_not_create_is_refused(world, host, people, who):
    answer = create(signed_in(getattr(people, who)))
    assert VirtualCluster.objects.count() == 0
    if who in ("mia", "eve", "op"):  # they do not see the project, so it is as if it were not there
        refused(answer, "project")
        return
    body = problem(answer, 403, "forbidden")
    assert "project developer" in body["hint"]
    assert "project viewer" not in body["hint"]


def test_the_same_key_gives_the_same_answer_and_one_cluster(host, dan):
    first = create(dan, headers={"Idempotency-Key": "k"})
    again = create(dan, headers={"Idempotency-Key": "k"})
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.status_code == 202
    assert again["Operation-Location"] == first["Operation-Location"]
    assert VirtualCluster.objects.count() == Operation.objects.count() == 1
    assert create(dan, "other", headers={"Idempotency-Key": "k"}).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_of_20_requests_for_one_name_at_once_one_is_taken(world, host, people):
    clients = [signed_in(people.dan) for _ in range(20)]
    answers = at_once(20, lambda number: create(clients[number]))
    assert sorted(answer.status_code for answer in answers) == [202] + [400] * 19
    assert {answer.json()["errors"][0]["field"] for answer in answers if answer.status_code == 400} == {"name"}
    assert VirtualCluster.objects.count() == Operation.objects.count() == 1


def test_an_address_that_no_host_publishes_is_refused_by_its_field(world, host, dan):
    told = refused(create(dan, spec={"exposure": "LoadBalancer"}), "spec.exposure")
    assert "east: It publishes APIs by exposure None, not LoadBalancer." in told["message"]


def test_a_kubernetes_version_that_the_chart_does_not_run_is_refused(world, host, dan, settings):
    settings.KUBERNETES_VERSIONS = ["1.38.0"]
    settings.CHART_KUBERNETES_VERSIONS = "1.32-1.36"
    told = refused(create(dan, spec={"kubernetes_version": "1.38.0"}), "spec.kubernetes_version")
    assert "runs Kubernetes 1.32 to 1.36" in told["message"]
