"""Whether a cluster is used, who writes in it, and what a host needs to say so, on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

KNOWN: dict[str, Any] = {
    "kind": "gateway-person",
    "required": True,
    "state": "known",
    "reason": "",
    "last_used_at": "2026-11-23T08:00:00Z",
    "who": "dan with kubectl",
    "observed_at": "2026-11-23T09:59:00Z",
}
UNKNOWN = {
    **KNOWN,
    "kind": "change",
    "state": "unknown",
    "reason": "It holds more than 20000 objects.",
    "last_used_at": None,
    "who": "",
    "observed_at": None,
}
IDLE = {
    "last_used_at": KNOWN["last_used_at"],
    "last_used_by": KNOWN["who"],
    "complete": False,
    "missing": ["change: It holds more than 20000 objects."],
    "signals": [KNOWN, UNKNOWN],
}
WRITER: dict[str, Any] = {
    "id": "w1",
    "manager": "our-deployer",
    "verdict": "inside",
    "reason": "Neither a tool of people nor seen at the gateway: something that runs inside.",
    "counts": False,
    "corrected": None,
    "corrected_by": None,
    "first_seen_at": "2026-11-20T10:00:00Z",
    "last_write_at": "2026-11-23T09:58:00Z",
    "wrote": "Deployment web/shop",
    "kinds": ["Deployment.apps"],
}


def page(*items: dict[str, Any]) -> Answer:
    return Answer(body={"next": None, "previous": None, "results": list(items)})


@pytest.fixture
def path(server: ApiServer) -> str:
    return f"/virtual-clusters/{server.add_cluster('hello')['id']}"


def test_every_signal_is_shown_with_since_when_and_who_and_what_is_not_known(
    server: ApiServer, run: Run, path: str
) -> None:
    server.say_once("GET", f"{path}/signals", Answer(body=IDLE))
    lines = run("idle", "hello").stdout.splitlines()
    assert lines[0] == "hello  last used 2 h ago by dan with kubectl"
    assert lines[1].split() == ["SIGNAL", "LAST", "USE", "WHO", "STATE", "KNOWN", "UNTIL", "NEEDED"]
    assert " ".join(lines[2].split()).startswith("gateway-person 2 h ago dan with kubectl known 6")
    assert lines[2].split()[-2:] == ["ago", "required"]
    assert lines[3].split() == ["change", "-", "-", "unknown", "-", "required"]
    assert lines[4] == "change: It holds more than 20000 objects."
    assert "calls it idle in no case" in lines[5]


def test_a_program_gets_all_of_it(server: ApiServer, run: Run, path: str) -> None:
    server.say_once("GET", f"{path}/signals", Answer(body={**IDLE, "complete": True}))
    assert json.loads(run("idle", "show", "hello", "-o", "json").stdout)["signals"] == [KNOWN, UNKNOWN]


def test_one_that_was_never_used_is_told_so(server: ApiServer, run: Run, path: str) -> None:
    body: dict[str, Any] = {"last_used_at": None, "last_used_by": "", "complete": True, "missing": [], "signals": []}
    server.say_once("GET", f"{path}/signals", Answer(body=body))
    assert run("idle", "hello").stdout.splitlines()[0] == "hello  no use is known"


def test_writers_are_listed_with_whether_they_count(server: ApiServer, run: Run, path: str) -> None:
    corrected = {**WRITER, "manager": "helm", "verdict": "person", "counts": False, "corrected": "inside"}
    corrected["corrected_by"] = {"handle": "ada", "name": "ada"}
    server.say_once("GET", f"{path}/writers", page(WRITER, corrected))
    lines = run("idle", "writers", "hello").stdout.splitlines()
    assert lines[1].split() == ["our-deployer", "no", "inside", "2", "min", "Deployment", "web/shop"]
    assert "inside, says ada (learnt: person)" in lines[2]


@pytest.mark.parametrize(
    ("option", "verdict", "counts", "said"),
    [
        ("--counts", "person", True, "What our-deployer writes in hello counts as use."),
        ("--ci", "ci", True, "What our-deployer writes in hello counts as use."),
        ("--ignored", "inside", False, "What our-deployer writes in hello is no use."),
        ("--as-learnt", None, False, "What our-deployer writes in hello is no use."),
    ],
)
def test_a_writer_is_corrected_by_its_name(
    server: ApiServer, run: Run, path: str, option: str, verdict: str | None, counts: bool, said: str
) -> None:
    server.say_once("GET", f"{path}/writers", page({**WRITER, "manager": "our-deployer-2"}, WRITER))
    server.say_once("PATCH", f"{path}/writers/w1", Answer(body={**WRITER, "counts": counts}))
    assert run("idle", "correct", "hello", "our-deployer", option).stdout.strip() == said
    assert server.asked("PATCH", path)[-1].body == {"verdict": verdict}


def test_a_writer_that_nobody_knows_and_a_correction_that_says_nothing_are_refused(
    server: ApiServer, run: Run, path: str
) -> None:
    server.say_once("GET", f"{path}/writers", page(WRITER))
    result = run("idle", "correct", "hello", "nobody", "--counts")
    assert (result.exit_code, "marina idle writers hello" in result.stderr) == (4, True)
    assert run("idle", "correct", "hello", "our-deployer").exit_code == 2
    assert not server.asked("PATCH", path)


def test_a_host_is_told_which_signals_it_needs(server: ApiServer, run: Run) -> None:
    host = server.add_host("east")
    told = {"gateway-person": "optional", "cpu": "required", "change": "required"}
    server.say_once("PATCH", f"/host-clusters/{host['id']}", Answer(body={**host, "required_signals": told}))
    result = run("host", "update", "east", "--signal", "cpu=required", "--signal", "gateway-person=optional")
    assert result.stdout.strip() == "east needs cpu, change."
    body = server.asked("PATCH", "/host-clusters")[-1].body
    assert body == {"required_signals": {"cpu": "required", "gateway-person": "optional"}}


@pytest.mark.parametrize("given", [(), ("--signal", "cpu"), ("--signal", "=required"), ("--signal", "cpu=perhaps")])
def test_what_a_host_cannot_be_told_is_refused_before_it_is_sent(
    server: ApiServer, run: Run, given: tuple[str, ...]
) -> None:
    server.add_host("east")
    assert run("host", "update", "east", *given).exit_code == 2
    assert not server.asked("PATCH", "/host-clusters")


WHERE: Json = {"service": "ingress-nginx/controller-metrics:10254", "path": "/metrics", "metric": "requests"}


def test_a_host_is_told_where_its_traffic_is_read_and_what_right_that_takes(server: ApiServer, run: Run) -> None:
    host = server.add_host("east")
    server.say_once("PATCH", f"/host-clusters/{host['id']}", Answer(body={**host, "ingress_metrics": WHERE}))
    result = run("host", "update", "east", "--ingress-metrics", WHERE["service"], "--ingress-metric", "requests")
    assert result.stdout.strip() == "east: traffic by requests of ingress-nginx/controller-metrics:10254/metrics."
    assert "marina host manifest east | kubectl apply" in result.stderr
    asked = {"ingress_metrics": {"service": WHERE["service"], "metric": "requests"}}
    assert server.asked("PATCH", "/host-clusters")[-1].body == asked
    server.say_once("PATCH", f"/host-clusters/{host['id']}", Answer(body={**host, "ingress_metrics": None}))
    result = run("host", "update", "east", "--no-ingress-metrics")
    assert result.stdout.strip() == "east: nobody reads its traffic."
    assert server.asked("PATCH", "/host-clusters")[-1].body == {"ingress_metrics": None}


@pytest.mark.parametrize(
    "given",
    [("--ingress-path", "/x"), ("--no-ingress-metrics", "--ingress-metrics", "a/b:1")],
)
def test_where_traffic_is_read_is_said_as_a_whole_or_not_at_all(
    server: ApiServer, run: Run, given: tuple[str, ...]
) -> None:
    server.add_host("east")
    assert run("host", "update", "east", *given).exit_code == 2
    assert not server.asked("PATCH", "/host-clusters")


def test_the_manifest_of_a_host_is_as_that_host_is(server: ApiServer, run: Run) -> None:
    server.add_host("east", mode="namespaces", namespaces=["a", "b"], ingress_metrics=WHERE)
    result = run("host", "manifest", "east")
    assert "kind: ServiceAccount" in result.stdout
    query = server.asked("GET", "/host-clusters/manifest")[-1].query
    assert query == {"mode": "namespaces", "namespaces": "a,b", "traffic": WHERE["service"]}
    assert run("host", "manifest").exit_code == 0
    assert server.asked("GET", "/host-clusters/manifest")[-1].query == {}
