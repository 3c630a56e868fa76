"""Connecting, changing and disconnecting hosts: who may, what is refused, and that credentials stay inside."""

import base64
from datetime import datetime

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.connection import HostConnection
from clusters.models import (
    HostCluster,
    HostCredential,
    HostPhase,
    HostScope,
    Operation,
    OperationKind,
    OperationState,
    VirtualClusterPhase,
)
from clusters.services.hosts import candidate_erase, credential_store
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import SECRET, cluster_row, host_row, operation_row, ready_row
from tests.clusters.rules.kubeconfigs import kubeconfig_with
from tests.engine.conftest import at_once

URL = "/api/v1/host-clusters"


def connect(client, name="east", **body):
    return client.post(URL, {"name": name, "kubeconfig": kubeconfig_with(), **body}, "json")


def change(client, host, headers=None, **body):
    return client.patch(f"{URL}/{host.pk}", body, "json", headers=headers)


# --- connecting -------------------------------------------------------------------------------------------------------


def test_connecting_writes_the_host_pending_with_its_operation_and_an_encrypted_candidate(op):
    answer = connect(op, region="eu", labels={"topology.kubernetes.io/zone": "a"}, exposure="LoadBalancer")
    assert answer.status_code == 202, answer.content
    host, operation = answer.json()["host_cluster"], answer.json()["operation"]
    assert (host["phase"], host["server"], host["region"], host["exposure"]) == (
        "Pending",
        "https://east.example:6443",
        "eu",
        "LoadBalancer",
    )
    assert (operation["kind"], operation["state"], operation["host_cluster"]["name"]) == ("connect", "Pending", "east")
    assert answer["Operation-Location"].endswith(operation["id"])
    credential = HostCredential.objects.get()
    assert credential.ciphertext is None
    assert b"s3cr3t-token" not in bytes(credential.candidate or b"")
    assert b"s3cr3t-token" not in base64.urlsafe_b64decode(bytes(credential.candidate or b""))
    assert AuditEvent.objects.get(action="host.connect").details == {
        "server": "https://east.example:6443",
        "mode": "cluster",
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "East"}, "name"),
        ({"kubeconfig": "nothing: here"}, "kubeconfig.kind"),
        ({"kubeconfig": None}, "kubeconfig"),
        ({"kubeconfig": kubeconfig_with(user={"exec": {"command": "aws"}})}, "kubeconfig.users[admin].user.exec"),
        ({"kubeconfig": "# " + "x" * 1_048_576}, "kubeconfig"),
        ({"mode": "everything"}, "mode"),
        ({"mode": "namespaces"}, "namespaces"),
        ({"namespaces": ["a"]}, "namespaces"),
        ({"mode": "namespaces", "namespaces": ["a", "Bad"]}, "namespaces[1]"),
        ({"mode": "namespaces", "namespaces": ["kube-system"]}, "namespaces[0]"),
        ({"scope": "organization"}, "organization"),
        ({"scope": "galaxy"}, "scope"),
        ({"labels": {"a b": "c"}}, "labels.a b"),
        ({"exposure": "Everywhere"}, "exposure"),
        ({"values": {"controlPlane": {"statefulSet": {"highAvailability": {"replicas": 3}}}}}, None),
        ({"values": "x"}, "values"),
        ({"offered_to": {"organizations": ["nobody"]}}, "offered_to.organizations[0]"),
        ({"offered_to": {"teams": []}}, "offered_to.teams"),
        ({"phase": "Connected"}, "phase"),
        ({"cordoned": True}, "cordoned"),
    ],
)
def test_what_cannot_be_accepted_is_refused_by_field_and_nothing_is_written(op, body, field):
    answer = connect(op, **body)
    if field:
        refused(answer, field)
    else:
        (error,) = problem(answer, 400)["errors"]
        assert error["field"].startswith("values.controlPlane"), "as it was sent, not as a cluster's spec has it"
    assert HostCluster.objects.count() == HostCredential.objects.count() == Operation.objects.count() == 0
    assert not AuditEvent.objects.filter(action="host.connect").exists()


def test_a_kubeconfig_with_exec_is_told_the_command_that_helps(op):
    answer = connect(op, kubeconfig=kubeconfig_with(user={"exec": {"command": "gke-gcloud-auth-plugin"}}))
    assert "marina host connect" in answer.content.decode()


def test_a_name_that_is_connected_already_is_refused(op):
    host_row("east")
    assert "There is a host cluster named east already" in refused(connect(op), "name")["message"]


@pytest.mark.django_db(transaction=True)
def test_of_10_connects_of_one_name_at_once_one_is_taken(world, people):
    clients = [signed_in(people.op) for _ in range(10)]
    answers = at_once(10, lambda number: connect(clients[number]))
    assert sorted(answer.status_code for answer in answers) == [202] + [400] * 9
    assert {answer.json()["errors"][0]["field"] for answer in answers if answer.status_code == 400} == {"name"}


def test_a_repeated_request_with_the_same_key_connects_once(op):
    headers = {"HTTP_IDEMPOTENCY_KEY": "k"}
    body = {"name": "east", "kubeconfig": kubeconfig_with()}
    answers = [op.post(URL, body, "json", **headers).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert HostCluster.objects.count() == 1


def test_platform_staff_connect_platform_hosts_and_admins_their_organizations_own(world, people):
    for user in (people.vera, people.dan, people.ada, people.mia, people.otto, world.olivia):
        body = problem(connect(signed_in(user)), 403, "forbidden")
        assert "platform staff" in body["hint"]
        assert "organization admin" in body["hint"]
    own = {"scope": "organization", "organization": "acme"}
    assert connect(signed_in(people.mia), **own).status_code == 403
    refused(connect(signed_in(world.greta), **own), "organization")
    answer = connect(signed_in(world.olivia), **own)
    assert answer.status_code == 202, answer.content
    assert answer.json()["host_cluster"]["organization"] == "acme"
    assert answer.json()["host_cluster"]["scope"] == "organization"
    assert connect(signed_in(people.op), "west").status_code == 202


# --- changing ---------------------------------------------------------------------------------------------------------


def test_what_an_administrator_says_of_a_host_can_be_changed(world, op, host):
    answer = change(
        op, host, cordoned=True, region="us", labels={"tier": "gold"}, exposure="Local", values={"sync": {}}
    )
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["cordoned"], body["region"], body["labels"], body["exposure"]) == (
        True,
        "us",
        {"tier": "gold"},
        "Local",
    )
    assert (body["values"], body["generation"], answer["ETag"]) == ({"sync": {}}, 2, '"2"')
    row = AuditEvent.objects.get(action="host.update")
    assert row.before == {"cordoned": False, "region": "", "labels": {}, "exposure": "None"}
    assert row.after == {
        "cordoned": True,
        "region": "us",
        "labels": {"tier": "gold"},
        "exposure": "Local",
        "values": "changed",
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "other"}, "name"),
        ({"mode": "namespaces"}, "mode"),
        ({"kubeconfig": "x"}, "kubeconfig"),
        ({"labels": {"a b": "c"}}, "labels.a b"),
        ({"exposure": "Everywhere"}, "exposure"),
        ({"cordoned": "maybe"}, "cordoned"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 101}, "concurrency"),
        ({"concurrency": "many"}, "concurrency"),
        ({"breaker": {"state": "closed"}}, "breaker"),
        (
            {"values": {"controlPlane": {"statefulSet": {"image": {"tag": "x"}}}}},
            "values.controlPlane.statefulSet.image.tag",
        ),
    ],
)
def test_other_changes_are_refused_by_field(op, host, body, field):
    refused(change(op, host, **body), field)
    host.refresh_from_db()
    assert host.generation == 1


def test_how_many_operations_work_on_a_host_at_once_can_be_changed_within_bounds(op, host):
    assert op.get(f"{URL}/{host.pk}").json()["concurrency"] == 8
    assert change(op, host, concurrency=20).json()["concurrency"] == 20
    assert AuditEvent.objects.get(action="host.update").after == {"concurrency": 20}
    assert "1 to 100" in str(problem(change(op, host, concurrency=200), 400)["errors"])


def test_a_host_tells_whether_it_answers_and_when_it_was_asked_and_looked_at(op, dan, host):
    now = timezone.now()
    told = {"breaker": "open", "breaker_since": now, "failures": 3, "answered_at": now, "probed_at": now}
    HostCluster.objects.update(**told, surveyed_at=now)
    for client in (op, dan):
        body = client.get(f"{URL}/{host.pk}").json()
        assert (body["breaker"]["state"], body["breaker"]["failures"]) == ("open", 3)
        for moment in (body["breaker"]["since"], body["answered_at"], body["probed_at"], body["surveyed_at"]):
            assert datetime.fromisoformat(moment) == now


def test_roles_decide_who_changes_replaces_and_disconnects(world, people, host):
    own = host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)

    def tries(user, target):
        client = signed_in(user)
        return (
            change(client, target, region="x"),
            client.put(f"{URL}/{target.pk}/credential", {"kubeconfig": kubeconfig_with()}, "json"),
            client.delete(f"{URL}/{target.pk}"),
        )

    for user in (people.vera, people.dan, people.mia, people.otto, world.olivia):
        for answer in tries(user, host):
            assert (
                problem(answer, 403, "forbidden")["hint"]
                == "The host belongs to the platform; it takes platform staff."
            )
    for answer in tries(people.mia, own):
        assert "organization admin of acme" in problem(answer, 403, "forbidden")["hint"]
    for user in (world.greta, people.eve):
        for answer in tries(user, own):
            problem(answer, 404, "not-found")
    assert [answer.status_code for answer in tries(world.olivia, own)] == [200, 202, 409], (
        "busy with its new credential"
    )


def test_if_match_lets_nobody_overwrite_what_they_did_not_see(op, host):
    etag = op.get(f"{URL}/{host.pk}")["ETag"]
    assert change(op, host, {"If-Match": etag}, region="a").status_code == 200
    body = problem(change(op, host, {"If-Match": etag}, region="b"), 412, "precondition-failed")
    assert "generation 2" in body["detail"]
    problem(op.delete(f"{URL}/{host.pk}", headers={"If-Match": etag}), 412, "precondition-failed")
    problem(change(op, host, {"If-Match": "nonsense"}, region="b"), 400)
    assert HostCluster.objects.get().region == "a"


# --- credentials ------------------------------------------------------------------------------------------------------


def test_a_new_credential_is_a_candidate_beside_the_one_in_use(op, host):
    before = HostCredential.objects.get().ciphertext
    answer = op.put(f"{URL}/{host.pk}/credential", {"kubeconfig": kubeconfig_with()}, "json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["operation"]["kind"] == "connect"
    row = HostCredential.objects.get()
    assert bytes(row.ciphertext or b"") == bytes(before or b"")
    assert row.candidate is not None
    assert HostCluster.objects.get().phase == HostPhase.CONNECTED, "what runs there is not cut off"
    refused(op.put(f"{URL}/{host.pk}/credential", {"kubeconfig": "x"}, "json"), "kubeconfig")


def test_a_newer_credential_supersedes_and_is_kept_when_the_older_connect_ends(op, host):

    for _ in range(2):
        op.put(f"{URL}/{host.pk}/credential", {"kubeconfig": kubeconfig_with()}, "json")
    old, new = Operation.objects.order_by("id")
    assert (old.abort_requested, old.message, new.state) == (True, "Superseded by connect.", "Queued")
    # however the older one ends, as its hooks and steps do it
    candidate_erase(host=host)
    assert HostCredential.objects.get().candidate is not None
    connection = HostConnection(server=host.server, token="t-1")
    credential_store(host=host, connection=connection, now=timezone.now(), renewable=False)
    assert HostCredential.objects.get().candidate is not None
    # the newer one's own end
    Operation.objects.filter(pk=old.pk).update(state=OperationState.ABORTED)
    Operation.objects.filter(pk=new.pk).update(state=OperationState.PROCESSING)
    candidate_erase(host=host)
    assert HostCredential.objects.get().candidate is None


def test_a_queued_connect_that_is_aborted_forgets_its_credential(op, host):
    operation_row(host, OperationKind.RENEW_CREDENTIAL, state=OperationState.PROCESSING)
    answer = op.put(f"{URL}/{host.pk}/credential", {"kubeconfig": kubeconfig_with()}, "json")
    queued = answer.json()["operation"]
    assert queued["state"] == "Queued"
    assert op.post(f"/api/v1/operations/{queued['id']}/abort").json()["operation"]["state"] == "Aborted"
    assert HostCredential.objects.get().candidate is None
    assert HostCredential.objects.get().ciphertext is not None


# --- disconnecting ----------------------------------------------------------------------------------------------------


def test_a_free_host_is_forgotten_with_its_credential(op, host):
    assert op.delete(f"{URL}/{host.pk}").status_code == 204
    assert HostCluster.objects.count() == HostCredential.objects.count() == 0
    assert AuditEvent.objects.filter(action="host.disconnect", object_name="east").exists()
    problem(op.delete(f"{URL}/{host.pk}"), 404)


def test_a_host_stays_while_anything_is_placed_there_or_is_to_be(world, op, host):
    ready_row(world, host)
    body = problem(op.delete(f"{URL}/{host.pk}"), 409, "conflict")
    assert "acme/payments/hello" in body["detail"]
    assert body["hint"] == "Move them away (marina host evacuate east), or delete them."
    wanted = host_row("wanted")
    cluster = cluster_row(world, "soon", wanted_host=wanted)
    assert "acme/payments/soon" in problem(op.delete(f"{URL}/{wanted.pk}"), 409)["detail"]
    cluster.phase = VirtualClusterPhase.DELETED
    cluster.save()
    assert op.delete(f"{URL}/{wanted.pk}").status_code == 204, "a record keeps no host"
    cluster.refresh_from_db()
    assert cluster.wanted_host is None


def test_who_looks_after_an_organizations_host_hears_no_name_of_another_tenants_cluster(world):
    own = host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)
    ready_row(world, own, "ours")
    ready_row(world, own, "theirs", project=world.foreign)
    told = problem(signed_in(world.olivia).delete(f"{URL}/{own.pk}"), 409, "conflict")["detail"]
    assert told == "own still holds 2 virtual clusters, or is to: acme/payments/ours, 1 that you may not see."


def test_a_host_stays_while_an_operation_is_at_work_on_it(op, host):
    busy = operation_row(host, OperationKind.RENEW_CREDENTIAL, state=OperationState.PROCESSING)
    body = problem(op.delete(f"{URL}/{host.pk}"), 409, "conflict")
    assert body["operation_id"] == str(busy.pk)
    assert "renew-credential is at work" in body["detail"]
    busy.state, busy.finished_at = OperationState.SUCCEEDED, timezone.now()
    busy.save()
    assert op.delete(f"{URL}/{host.pk}").status_code == 204


# --- looking ----------------------------------------------------------------------------------------------------------


def test_values_of_a_host_are_shown_to_platform_staff_only(op, dan, people):
    host = host_row(values={"sync": {"toHost": {}}})
    assert op.get(f"{URL}/{host.pk}").json()["values"] == {"sync": {"toHost": {}}}
    assert dan.get(f"{URL}/{host.pk}").json()["values"] is None
    assert SECRET not in op.get(f"{URL}/{host.pk}").content.decode()


CONDITION = {
    "type": "Reachable",
    "status": "False",
    "reason": "ProbeFailed",
    "message": "https://east.example:6443 did not answer.",
    "last_transition_time": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize("path", ["", "/{}"], ids=["list", "one"])
@pytest.mark.parametrize(
    ("who", "platforms", "own"),
    [
        ("op", True, True),
        ("olivia", False, True),
        ("ada", False, False),
        ("dan", False, False),
        ("mia", False, False),
        ("otto", False, False),
    ],
)
def test_address_size_neighbours_and_errors_are_shown_to_who_looks_after_the_host(
    world, people, who, platforms, own, path
):
    inside = {"mode": "namespaces", "namespaces": ["a"], "capacity": {"cpu": "4"}, "conditions": [CONDITION]}
    hosts = (
        (host_row("theirs", **inside), platforms),
        (host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme, **inside), own),
    )
    client = signed_in(getattr(people, who, None) or world.olivia)
    for host, sees in hosts:
        answer = client.get(URL + path.format(host.pk))
        body = next(each for each in answer.json().get("results", [answer.json()]) if each["id"] == str(host.pk))
        assert ("east.example" in str(body)) == sees
        assert (body["namespaces"], body["capacity"]) == ((["a"], {"cpu": "4"}) if sees else (None, None))
        assert (body["server"] is not None, body["offered_to"] is not None) == (sees, sees)
        told = {**CONDITION, "message": CONDITION["message"] if sees else ""}
        assert body["conditions"] == [told]
        assert (body["kubernetes_version"], body["phase"]) == ("1.36.3", "Connected")


def test_hosts_are_filtered_by_name_phase_and_region(op):
    host_row("east", region="eu")
    host_row("west", region="us", phase=HostPhase.FAILED)
    for query, expected in (("name=east", ["east"]), ("phase=Failed", ["west"]), ("region=us", ["west"])):
        found = op.get(f"{URL}?{query}").json()["results"]
        assert [each["name"] for each in found] == expected, query
    assert len(op.get(f"{URL}?phase=Failed&phase=Connected&ordering=name").json()["results"]) == 2
    refused(op.get(f"{URL}?phase=Nonsense"), "phase")
    refused(op.get(f"{URL}?colour=red"), "colour")


def test_the_manifest_is_served_for_each_mode_and_its_parameters_are_checked(dan):
    text = dan.get(f"{URL}/manifest")
    assert text["Content-Type"] == "application/yaml"
    assert "kind: ClusterRole\n" in text.content.decode()
    listed = dan.get(f"{URL}/manifest?mode=namespaces&namespaces=a,b&long_lived=true").content.decode()
    assert "kind: ClusterRole\n" not in listed
    assert "kind: Secret" in listed
    refused(dan.get(f"{URL}/manifest?mode=other"), "mode")
    refused(dan.get(f"{URL}/manifest?mode=namespaces"), "namespaces")
    refused(dan.get(f"{URL}/manifest?mode=namespaces&namespaces=A"), "namespaces")
