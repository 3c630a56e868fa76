"""Connecting host clusters by both roads, and operating them."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

import pytest
import yaml
from marina_cli.text import Json

from tests.cli.api_server import ApiServer, problem
from tests.cli.conftest import Run

SECRET_OF_THE_ADMINISTRATOR = "this-must-stay-here"
FAKE_KUBECTL = """\
#!{python} -SE
# Stands in for kubectl: notes how it was called, and answers as a cluster with one ServiceAccount would.
import json, os, sys
home = os.environ["HOME"]
stdin = sys.stdin.read()
with open(home + "/kubectl.calls", "a") as calls:
    calls.write(json.dumps({"arguments": sys.argv[1:], "stdin": stdin}) + "\\n")
words = [word for word in sys.argv[1:] if not word.startswith("-")]
if os.path.exists(home + "/kubectl.fails"):
    sys.exit("error: You must be logged in to the server (Unauthorized)")
if "view" in words:
    print(open(home + "/view.json").read())
elif "apply" in words:
    print("serviceaccount/marina created")
elif "create" in words:
    print("issued-token")
elif "get" in words:
    filled = os.path.exists(home + "/asked.before")
    open(home + "/asked.before", "w").close()
    print(json.dumps({"data": {"token": "bG9uZy1saXZlZA=="} if filled else {}}))
"""


@pytest.fixture
def kubectl(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl on PATH whose context `prod` logs in with a plugin."""
    program = home / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(FAKE_KUBECTL.replace("{python}", sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    cluster = {"server": "https://prod:6443", "certificate-authority-data": base64.b64encode(b"CA").decode()}
    write_view(home, cluster)
    return home


def write_view(home: Path, cluster: Json) -> None:
    user = {"exec": {"command": "aws"}, "token": SECRET_OF_THE_ADMINISTRATOR}
    view = {"clusters": [{"name": "prod", "cluster": cluster}], "users": [{"name": "me", "user": user}]}
    (home / "view.json").write_text(json.dumps(view))


def calls(home: Path) -> list[Json]:
    return [json.loads(line) for line in (home / "kubectl.calls").read_text().splitlines()]


def sent_kubeconfig(server: ApiServer, method: str = "POST") -> Json:
    sent: Json = yaml.safe_load(server.asked(method, "/host-clusters")[-1].body["kubeconfig"])
    return sent


def test_a_context_is_connected_with_server_ca_and_a_token_of_marinas_own_account(
    server: ApiServer, run: Run, kubectl: Path
) -> None:
    result = run("host", "connect", "east", "--context", "prod", "--yes", "--wait")
    assert result.exit_code == 0, result.output
    assert "east is connected, Kubernetes 1.36.3." in result.stdout
    sent = sent_kubeconfig(server)
    assert sent["clusters"][0]["cluster"] == {"server": "https://prod:6443", "certificate-authority-data": "Q0E="}
    assert sent["users"] == [{"name": "marina", "user": {"token": "issued-token"}}]
    assert not any(SECRET_OF_THE_ADMINISTRATOR in json.dumps(request.body) for request in server.requests)
    assert SECRET_OF_THE_ADMINISTRATOR not in result.output
    assert "issued-token" not in result.output


def test_the_manifest_is_shown_and_applied_to_that_context_as_it_was_shown(
    server: ApiServer, run: Run, kubectl: Path
) -> None:
    result = run("host", "connect", "east", "--context", "prod", "--yes")
    applied = next(call for call in calls(kubectl) if "apply" in call["arguments"])
    assert applied["stdin"] in result.stderr
    assert "kind: ServiceAccount" in applied["stdin"]
    assert all(call["arguments"][:2] == ["--context", "prod"] for call in calls(kubectl))
    token = next(call for call in calls(kubectl) if "token" in call["arguments"])
    assert token["arguments"][3:] == ["create", "token", "marina", "-n", "marina-system", "--duration=86400s"]


def test_nothing_is_applied_or_sent_where_nobody_can_say_yes(server: ApiServer, run: Run, kubectl: Path) -> None:
    result = run("host", "connect", "east", "--context", "prod")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert not any("apply" in call["arguments"] for call in calls(kubectl))
    assert not server.asked("POST", "/")


def test_long_lived_waits_until_the_token_secret_is_filled(server: ApiServer, run: Run, kubectl: Path) -> None:
    result = run("host", "connect", "east", "--context", "prod", "--long-lived", "--yes")
    assert result.exit_code == 0, result.output
    assert sent_kubeconfig(server)["users"][0]["user"] == {"token": "long-lived"}
    assert server.asked("GET", "/host-clusters/manifest")[0].query["long_lived"] == "true"


def test_namespaces_mode_asks_for_the_manifest_of_those_namespaces(server: ApiServer, run: Run, kubectl: Path) -> None:
    arguments = ("--mode", "namespaces", "--namespace", "a", "--namespace", "b")
    assert run("host", "connect", "east", "--context", "prod", "--yes", *arguments).exit_code == 0
    query = server.asked("GET", "/host-clusters/manifest")[0].query
    assert (query["mode"], query["namespaces"]) == ("namespaces", "a,b")
    assert server.asked("POST", "/host-clusters")[0].body["namespaces"] == ["a", "b"]
    assert run("host", "connect", "west", "--context", "prod", "--yes", "--mode", "namespaces").exit_code == 2


def test_a_failing_kubectl_is_quoted(server: ApiServer, run: Run, kubectl: Path) -> None:
    (kubectl / "kubectl.fails").touch()
    result = run("host", "connect", "east", "--context", "prod", "--yes")
    assert result.exit_code == 1
    assert "(context prod): error: You must be logged in to the server (Unauthorized)" in result.stderr
    assert not server.asked("POST", "/")


def test_a_server_that_cannot_be_verified_is_refused(run: Run, kubectl: Path) -> None:
    write_view(kubectl, {"server": "https://prod", "insecure-skip-tls-verify": True})
    result = run("host", "connect", "east", "--context", "prod", "--yes")
    assert result.exit_code == 2
    assert "insecure-skip-tls-verify" in result.stderr


def test_a_missing_kubectl_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL", "no-such-kubectl")
    result = run("host", "connect", "east", "--context", "prod", "--yes")
    assert result.exit_code == 2
    assert "no-such-kubectl is not found" in result.stderr


def test_another_address_and_the_name_on_the_certificate_go_along(server: ApiServer, run: Run, kubectl: Path) -> None:
    write_view(kubectl, {"server": "https://127.0.0.1:6443", "tls-server-name": "prod"})
    run("host", "connect", "east", "--context", "prod", "--yes", "--server", "https://10.0.0.1:6443")
    cluster = sent_kubeconfig(server)["clusters"][0]["cluster"]
    assert cluster == {"server": "https://10.0.0.1:6443", "tls-server-name": "prod"}


def test_a_file_is_sent_as_it_is_with_what_was_said_about_the_host(server: ApiServer, run: Run, home: Path) -> None:
    (home / "host.yaml").write_text("kind: Config\n")
    options = ["--organization", "acme", "--label", "a=b", "--region", "fsn", "--exposure", "loadbalancer"]
    offers = ["--offer-to", "acme", "--offer-to", "acme/payments"]
    result = run("host", "connect", "east", "--kubeconfig", str(home / "host.yaml"), *options, *offers, "-o", "name")
    assert result.stdout == "east\n"
    [request] = server.asked("POST", "/host-clusters")
    assert request.headers["idempotency-key"]
    assert request.body == {
        "name": "east",
        "mode": "cluster",
        "scope": "organization",
        "organization": "acme",
        "labels": {"a": "b"},
        "region": "fsn",
        "exposure": "LoadBalancer",
        "offered_to": {"organizations": ["acme"], "projects": ["acme/payments"]},
        "kubeconfig": "kind: Config\n",
    }


def test_a_refused_plugin_names_the_road_that_works(server: ApiServer, run: Run, home: Path) -> None:
    (home / "host.yaml").write_text("kind: Config\n")
    errors = [{"field": "kubeconfig.users[me].user.exec", "message": "A plugin cannot run here."}]
    server.say_once("POST", "/host-clusters", problem(400, "The kubeconfig cannot be used.", errors=errors))
    result = run("host", "connect", "east", "--kubeconfig", str(home / "host.yaml"))
    assert result.exit_code == 1
    assert "kubeconfig.users[me].user.exec: A plugin cannot run here." in result.stderr
    assert "marina host connect NAME --context" in result.stderr


def test_exactly_one_road_has_to_be_taken(run: Run) -> None:
    assert run("host", "connect", "east").exit_code == 2
    assert run("host", "connect", "east", "--kubeconfig", "f", "--context", "c").exit_code == 2


def test_a_credential_is_renewed_by_the_same_roads(server: ApiServer, run: Run, kubectl: Path) -> None:
    host = server.add_host("east", mode="namespaces", namespaces=["a"])
    assert run("host", "renew", "east", "--context", "prod", "--yes", "--wait").exit_code == 0
    assert server.asked("GET", "/host-clusters/manifest")[0].query["namespaces"] == "a"
    assert server.asked("PUT", "/host-clusters")[0].path == f"/host-clusters/{host['id']}/credential"
    assert sent_kubeconfig(server, "PUT")["users"][0]["user"] == {"token": "issued-token"}


def test_hosts_are_listed_shown_cordoned_and_disconnected(server: ApiServer, run: Run) -> None:
    conditions = [{"type": "CredentialExpiring", "status": "True", "message": "It cannot be renewed."}]
    server.add_host("east", conditions=conditions)
    assert run("host", "list").stdout.splitlines()[1].split()[:3] == ["east", "Ready", "1.36.3"]
    assert run("host", "cordon", "east").stdout == "east is cordoned: nothing new is placed there.\n"
    shown = run("host", "get", "east").stdout
    assert "Ready, cordoned" in shown
    assert "CredentialExpiring  ✗ True  It cannot be renewed." in shown
    assert run("host", "uncordon", "east").exit_code == 0
    server.add_cluster("hello")
    assert run("host", "disconnect", "east", "--yes").exit_code == 5
    server.clusters.clear()
    assert run("host", "disconnect", "east", "--yes").stdout == "east is disconnected.\n"
    assert run("host", "get", "east").exit_code == 4


GIB = 1024**3


def test_a_host_that_does_not_answer_is_told_apart_and_since_when(server: ApiServer, run: Run) -> None:
    before = "2026-11-23T09:55:05Z"  # 5 minutes before the clock of these tests begins
    server.add_host("gone", breaker={"state": "open", "failures": 9}, answered_at=before)
    server.add_host("back", breaker={"state": "half-open", "failures": 0}, answered_at=before)
    server.add_host("well", breaker={"state": "closed", "failures": 0}, answered_at=before)
    server.add_host("new", breaker={"state": "closed", "failures": 0}, answered_at=None)
    table = run("host", "list").stdout
    assert "ANSWERS" in table
    said = {line.split()[0]: line for line in table.splitlines()}
    assert [" no " in said["gone"], "tried again" in said["back"], " yes " in said["well"]] == [True, True, True]
    assert "answers" in run("host", "get", "gone").stdout
    assert "no, last 5 min ago: operations wait for it" in run("host", "get", "gone").stdout
    assert "one operation tries it first" in run("host", "get", "back").stdout
    assert "answers" not in run("host", "get", "new").stdout


def test_capacity_is_told_in_words(server: ApiServer, run: Run) -> None:
    capacity = {
        "nodes": 3,
        "nodes_ready": 2,
        "allocatable": {"cpu": 8000, "memory": 16 * GIB, "pods": 220},
        "requested": {"cpu": 1250, "memory": GIB // 2, "pods": 7},
        "left_out": ["pods in given-a: forbidden"],
    }
    server.add_host("east", capacity=capacity, concurrency=8)
    server.add_host("given", capacity={**capacity, "nodes": None, "nodes_ready": None, "allocatable": None})
    server.add_host("new", capacity={})
    server.add_host("others", capacity=None)
    shown = run("host", "get", "east").stdout
    assert "CPU 1.25 of 8, memory 512 MiB of 16 GiB, pods 7 of 220, 2 of 3 nodes take pods" in shown
    assert "pods in given-a: forbidden" in shown
    assert "8 operations at most" in shown
    assert "CPU 1.25, memory 512 MiB, pods 7\n" in run("host", "get", "given").stdout
    assert "CPU 1.25 of 8" in run("host", "list", "-o", "wide").stdout
    for name in ("new", "others"):
        assert "capacity" not in run("host", "get", name).stdout


def test_after_a_failed_connect_a_retry_is_not_proposed(server: ApiServer, run: Run, home: Path) -> None:
    (home / "host.yaml").write_text("kind: Config\n")
    server.outcome = "Failed"
    result = run("host", "connect", "east", "--kubeconfig", str(home / "host.yaml"), "--wait")
    assert result.exit_code == 1
    assert "op retry" not in result.stderr
    assert "`marina host renew east --kubeconfig FILE`, or `marina host disconnect east`" in result.stderr


def test_a_host_without_exposure_is_said_to_publish_nothing(server: ApiServer, run: Run, home: Path) -> None:
    (home / "host.yaml").write_text("kind: Config\n")
    server.add_host("east", exposure="None")
    renewed = run("host", "renew", "east", "--kubeconfig", str(home / "host.yaml"), "--wait")
    assert "virtual clusters there get no published address" in renewed.stderr
