"""What stays open through the gateway: logs, exec, attach, cp and port-forward of pods, by WebSocket and by SPDY.

On a cluster whose endpoint is published and on one to which only a port-forward through its host leads. No container
runs on local hosts: what the streams lead to there stands in tests/pod_streams.py.
"""

import contextlib
import secrets
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.demo_people import DemoPeople
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import LocalHost, Tools
from tests.commands import Kubectl, Marina
from tests.e2e.api import Api, Json
from tests.e2e.conftest import MAKE_USER
from tests.e2e.gate import Gate
from tests.pod_streams import Copy, Lines, by_websocket, log_line, running, web_server

pytestmark = pytest.mark.localkube
WAYS = pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "spdy"])
AT_ONCE = 12
REVOKED_WITHIN = 5.0


@pytest.fixture(scope="module")
def unpublished(platform: Marina, local_hosts: dict[str, LocalHost], developer: Api, project: str) -> Iterator[Json]:
    """A cluster on a host that publishes nothing."""
    kubeconfig = str(local_hosts["harbor-west"].kubeconfig)
    platform("host", "connect", "closed", "--kubeconfig", kubeconfig, "--exposure", "None", "--wait")
    developer.ended(developer.create("closed", project=project, host="closed"), seconds=240)
    yield developer.cluster("closed")
    developer.ended(developer.delete("closed"), seconds=240)


@dataclass(frozen=True)
class Place:
    """A pod in a virtual cluster, kubectl there through the gateway, and what the host is told of the pod's copy."""

    cluster: Json
    inside: Kubectl
    copy: Copy
    folder: Path
    log: Path

    def command(self, *arguments: str) -> list[str | Path]:
        how: list[str | Path] = ["--kubeconfig", self.inside.kubeconfig, "--namespace", "streams"]
        return [self.inside.program, *how, *arguments]

    def run(self, *arguments: str, websocket: bool, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            env=by_websocket(websocket),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module", params=["shared", "unpublished"])
def place(
    request: pytest.FixtureRequest,
    stack: Stack,
    developer: Api,
    tools: Tools,
    admin_of: Callable[[str], Kubectl],
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    cluster: Json = request.getfixturevalue(request.param)
    assert bool(cluster["placement"]["endpoint"]) == (request.param == "shared")
    folder = tmp_path_factory.mktemp("place")
    inside = Kubectl(tools.kubectl, Gate.of(stack).kubeconfig(folder, cluster, developer.token))
    inside("create", "namespace", "streams")
    inside("-n", "streams", "run", "web", "--image=nginx:1.29")
    inside("-n", "streams", "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    where = cluster["placement"]
    admin = admin_of("harbor-east" if request.param == "shared" else "harbor-west")
    copy = Copy(admin, where["release"], where["namespace"], "web", "streams")
    pod, log = folder / "pod", folder / "log"
    pod.mkdir()
    log_line(log, "begun")
    copy.executes_in(pod)
    copy.logs_from(log)
    copy.attached_to(log)
    found = Place(cluster, inside, copy, pod, log)
    wait_until(
        lambda: found.run("exec", "web", "--", "echo", "on", websocket=True).stdout == "on\n",
        seconds=20,
        what="exec is not on",
    )
    return found


# --- logs


def test_logs_go_on_while_lines_come(place: Place) -> None:
    assert place.run("logs", "web", websocket=True).stdout.startswith("begun\n")
    with running(place.command("logs", "--follow", "--tail=1", "web")) as following:
        said = Lines(following)
        wait_until(lambda: bool(said.seen), seconds=20, what="no line came")
        for number in range(20):
            log_line(place.log, f"line {number}")
            wait_until(lambda: said.seen[-1] == f"line {number}", seconds=10, what=f"line {number} did not come")  # noqa: B023


# --- exec, attach, cp


@WAYS
def test_exec_has_input_and_output_and_tells_a_failure(place: Place, websocket: bool) -> None:
    script = "head -c 500000 | tr a-z A-Z; echo no >&2; exit 7"
    done = place.run("exec", "-i", "web", "--", "sh", "-c", script, websocket=websocket, stdin="loud " * 100_000)
    assert done.stdout == "LOUD " * 100_000
    assert done.returncode != 0
    assert "no\n" in done.stderr
    assert "exit status 7" in done.stderr


@WAYS
def test_a_terminal_talks_back(place: Place, websocket: bool) -> None:
    with running(place.command("exec", "-i", "web", "--", "cat"), by_websocket(websocket)) as talk:
        assert talk.stdin
        assert talk.stdout
        for number in range(20):
            talk.stdin.write(f"word {number}\n")
            assert talk.stdout.readline() == f"word {number}\n"


@WAYS
def test_who_attaches_sees_what_is_said_from_then_on(place: Place, websocket: bool) -> None:
    with running(place.command("attach", "--quiet", "web"), by_websocket(websocket)) as attached:
        said = Lines(attached)

        def heard() -> bool:
            log_line(place.log, "now")
            return bool(said.seen)

        wait_until(heard, seconds=20, what="nothing was heard")
        assert set(said.seen) == {"now"}


@WAYS
def test_files_are_copied_both_ways(place: Place, websocket: bool, tmp_path: Path) -> None:
    content = secrets.token_hex(500_000)
    (tmp_path / "mine").write_text(content)
    theirs = place.folder / f"theirs-{secrets.token_hex(3)}"
    with running(place.command("cp", str(tmp_path / "mine"), f"web:{theirs.name}"), by_websocket(websocket)):
        wait_until(lambda: theirs.exists() and theirs.read_text() == content, seconds=30, what="the file did not come")
    done = place.run("cp", f"web:{theirs.name}", str(tmp_path / "back"), websocket=websocket)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_text() == content


# --- port-forward


@contextlib.contextmanager
def forwarded(place: Place, websocket: bool) -> Iterator[str]:
    """The address at which port 80 of the pod is reached: a web server that greets."""
    with web_server() as port:
        place.copy.forwards(80, port)
        with running(place.command("port-forward", "pod/web", ":80"), by_websocket(websocket)) as forwarding:
            assert forwarding.stdout
            address = "http://" + forwarding.stdout.readline().split()[2]
            wait_until(lambda: fetched(address) == b"hello from /", seconds=20, what="nobody greets")
            yield address


def fetched(address: str, body: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(address + "/", body, timeout=20) as answer:
            return bytes(answer.read())
    except OSError as error:
        return str(error).encode()


@WAYS
def test_a_port_of_the_pod_is_reached(place: Place, websocket: bool) -> None:
    body = secrets.token_bytes(1_000_000)
    with forwarded(place, websocket) as address:
        assert fetched(address, body) == body
        assert [fetched(address) for _ in range(10)] == [b"hello from /"] * 10


# --- many, and their ends


def test_many_are_open_at_once_and_one_that_breaks_ends_no_other(place: Place) -> None:
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(forwarded(place, websocket=True))
        talks = [
            stack.enter_context(
                running(place.command("exec", "-i", "web", "--", "cat"), by_websocket(bool(number % 2)))
            )
            for number in range(AT_ONCE)
        ]
        for each in talks:
            _echo(each, "first")
        for each in talks[:3]:
            each.kill()
        failing = place.run("exec", "web", "--", "false", websocket=True)
        assert failing.returncode != 0
        for each in talks[3:]:
            _echo(each, "second")
        assert fetched(address) == b"hello from /"


def _echo(talk: "subprocess.Popen[str]", word: str) -> None:
    assert talk.stdin
    assert talk.stdout
    talk.stdin.write(f"{word}\n")
    assert talk.stdout.readline() == f"{word}\n"


def test_a_role_that_is_taken_ends_an_open_exec(
    place: Place, stack: Stack, people: DemoPeople, project: str, tools: Tools, tmp_path: Path
) -> None:
    handle, password = f"leaver-{secrets.token_hex(3)}", secrets.token_urlsafe(15)
    stack.manage("shell", "-c", MAKE_USER.format(handle=handle, password=password))
    admin = Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)
    role = admin("POST", "/role-bindings", {"user": handle, "role": "developer", "project": project}, status=201)
    leaver = Api(server=stack.url, handle=handle, password=password)
    kubeconfig = Gate.of(stack).kubeconfig(tmp_path, place.cluster, leaver.token)
    theirs = Place(place.cluster, Kubectl(tools.kubectl, kubeconfig), place.copy, place.folder, place.log)
    cat = ("exec", "-i", "web", "--", "cat")
    with running(theirs.command(*cat)) as lost, running(place.command(*cat)) as kept:
        _echo(lost, "still")
        _echo(kept, "still")
        admin("DELETE", f"/role-bindings/{role['id']}", status=204)
        lost.wait(timeout=REVOKED_WITHIN)
        _echo(kept, "yet")
