"""What a journey through the gateway leaves behind: who used the cluster, and what they did in it."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dev.demo_people import DemoPeople
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import Tools
from localkube.lifetime import dies_with_parent
from localkube.ports import free_ports
from tests.commands import Kubectl
from tests.e2e.api import Api, Json
from tests.e2e.gate import Gate

SECONDS = 30
HUSH = "hush-in-a-body"
ABOVE_ALL = "kubernetes-super-admin"


@pytest.fixture
def admin(stack: Stack, people: DemoPeople) -> Api:
    """The API as an admin of the demo project."""
    return Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)


def requests_of(admin: Api, developer: Api, cluster: Json) -> list[Json]:
    """What was written down of the developer's requests for config maps, newest first."""
    return admin.list("/gateway-requests", cluster=cluster["id"], user=developer.handle, resource="configmaps")


def use_of(developer: Api, cluster: Json) -> Json:
    """What the developer did with kubectl."""
    uses = developer.list(f"/virtual-clusters/{cluster['id']}/uses")
    mine = (use for use in uses if (use["user"]["handle"], use["client"]) == (developer.handle, "kubectl"))
    return next(mine, {"reads": 0, "writes": 0})


def test_a_journey_leaves_its_use_and_its_requests(
    stack: Stack, admin: Api, developer: Api, shared: Json, tools: Tools, tmp_path: Path
) -> None:
    inside = Kubectl(tools.kubectl, Gate.of(stack).kubeconfig(tmp_path, shared, developer.token))
    before = use_of(developer, shared)
    inside("create", "configmap", "booked", f"--from-literal=word={HUSH}")
    inside("get", "configmap", "booked")
    joe = "system:serviceaccount:default:joe"
    inside("delete", "configmap", "booked", "--as", joe, exit_code=1)
    inside("get", "configmap", "booked", "--as", joe, "--as-group", "ops", "--as-group", "web", exit_code=1)
    inside("delete", "configmap", "booked", "--as", ABOVE_ALL, exit_code=1)
    inside("delete", "configmap", "booked")

    def deleted() -> bool:
        newest = requests_of(admin, developer, shared)[:1]
        return [(row["verb"], row["status"], row["name"]) for row in newest] == [("delete", 200, "booked")]

    wait_until(deleted, seconds=SECONDS, what="The deletion was not written down")
    rows = requests_of(admin, developer, shared)
    assert [(row["verb"], row["status"], row["refused_for"], row["acting_as"]) for row in rows[:5]] == [
        ("delete", 200, "", ""),
        ("delete", 403, "impersonation", ABOVE_ALL),
        ("get", 403, "", joe),
        ("delete", 403, "", joe),
        ("create", 201, "", ""),
    ]
    assert rows[2]["acting_as_groups"] == ["ops", "web"], "by --as reading is written down too"
    assert rows[0]["user_agent"].startswith("kubectl")
    assert HUSH not in json.dumps(rows)
    assert developer.token not in json.dumps(rows)

    def used() -> bool:
        use = use_of(developer, shared)
        return bool(use["writes"] >= before["writes"] + 3 and use["reads"] > before["reads"])

    wait_until(used, seconds=SECONDS, what="The use was not noted")
    shown = developer.get(f"/virtual-clusters/{shared['id']}")
    assert (shown["last_used_by"]["handle"], shown["last_used_by"]["client"]) == (developer.handle, "kubectl")


def test_a_project_that_wants_all_requests_has_them_written_down_soon_after(
    stack: Stack, admin: Api, developer: Api, shared: Json, tools: Tools, tmp_path: Path
) -> None:
    inside = Kubectl(tools.kubectl, Gate.of(stack).kubeconfig(tmp_path, shared, developer.token))
    project = f"/projects/{shared['project']['id']}"

    def read() -> bool:
        inside("get", "configmaps")
        return any(row["verb"] == "list" for row in requests_of(admin, developer, shared))

    assert not read()
    admin("PATCH", project, {"request_audit": "all"})
    try:
        wait_until(read, seconds=SECONDS, what="Reading was not written down")
    finally:
        admin("PATCH", project, {"request_audit": "writes"})


def test_a_gateway_that_is_told_to_stop_has_written_down_everything_when_it_ends(
    stack: Stack, admin: Api, developer: Api, shared: Json, tools: Tools, tmp_path: Path
) -> None:
    log = tmp_path / "gateway.log"
    with another_gateway(stack, log) as (process, gate):
        inside = Kubectl(tools.kubectl, gate.kubeconfig(tmp_path, shared, developer.token))
        inside("create", "configmap", "last-word")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    # at once: nothing is waited for
    created = requests_of(admin, developer, shared)[0]
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    (line,) = [each for each in lines if each["logger"] == "marina.requests" and each["resource"] == "configmaps"]
    assert line["id"] == created["id"]
    assert (line["event"], line["user"], line["verb"]) == ("request", developer.handle, "create")
    assert (line["level"], line["access"]) == ("info", "admin")
    assert developer.token not in log.read_text()


@contextmanager
def another_gateway(stack: Stack, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], Gate]]:
    """One beside the stack's own, on a port of its own."""
    bind = f"127.0.0.1:{free_ports(1)[0]}"
    program = stack.gateway_program("another-gateway", GATEWAY_BIND=bind, LOG_FORMAT="json")
    gate = replace(Gate.of(stack), url=f"https://{bind}")
    with log.open("wb") as output:
        process = subprocess.Popen(
            program.command, env=program.environment, cwd=program.cwd, stderr=output, preexec_fn=dies_with_parent()
        )
        try:
            wait_until(lambda: _listens(gate), seconds=SECONDS, what="The gateway did not listen")
            yield process, gate
        finally:
            process.kill()
            process.wait()


def _listens(gate: Gate) -> bool:
    try:
        gate.connect().close()
    except OSError:
        return False
    return True
