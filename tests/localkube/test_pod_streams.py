"""Logs, exec, attach, cp and port-forward of a pod in a virtual cluster: on the way that vcluster's syncer gives them.

The virtual API server asks the kubelet of its node, which is vcluster itself; that asks the host's API for the pod's
copy, as vcluster's ServiceAccount. What kwok makes of it at the end is said in tests/pod_streams.py.
"""

import json
import secrets
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localkube.conftest import MakeCluster
from tests.localkube.driving import Kubectl, VirtualCluster, phase, pod_spec, wait_for
from tests.pod_streams import Copy, Lines, by_websocket, log_line, running, web_server

WAYS = pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "spdy"])


@pytest.fixture
def pod(hello: VirtualCluster) -> Iterator[Copy]:
    """A pod that runs."""
    inside = hello.inside()
    name = f"streams-{secrets.token_hex(3)}"
    inside.apply(pod_spec(name))
    wait_for("it runs", lambda: phase(inside, name) == "Running")
    yield Copy(hello.on_host, hello.name, hello.namespace, name)
    inside("delete", "pod", name, "--grace-period=0", "--force", "--wait=false", "--ignore-not-found")


@pytest.fixture
def inside(hello: VirtualCluster) -> Kubectl:
    return hello.inside()


def command(inside: Kubectl, *arguments: str) -> list[str | Path]:
    return [inside.binary, f"--kubeconfig={inside.kubeconfig}", *arguments]


def test_a_pod_of_which_nothing_was_said_logs_that_no_container_runs(inside: Kubectl, pod: Copy) -> None:
    assert inside("logs", pod.pod).startswith("No container runs on this local host")


def test_logs_are_those_of_the_copy_and_go_on_while_lines_come(inside: Kubectl, pod: Copy, tmp_path: Path) -> None:
    file = tmp_path / "log"
    log_line(file, "one")
    log_line(file, "two")
    pod.logs_from(file)
    wait_for("the first lines", lambda: inside("logs", pod.pod) == "one\ntwo\n")
    assert inside("logs", pod.pod, "--container=main", "--tail=1") == "two\n"
    with running(command(inside, "logs", "--follow", pod.pod)) as following:
        assert following.stdout
        assert [following.stdout.readline() for _ in range(2)] == ["one\n", "two\n"]
        log_line(file, "three")
        assert following.stdout.readline() == "three\n"


def test_nothing_is_executed_unless_the_hosts_administrator_said_so(inside: Kubectl, pod: Copy) -> None:
    assert "no exec found for container" in inside.refusal("exec", pod.pod, "--", "true")


@WAYS
def test_exec_has_input_and_output_and_tells_a_failure(
    inside: Kubectl, pod: Copy, tmp_path: Path, websocket: bool
) -> None:
    pod.executes_in(tmp_path)
    wait_for("exec is on", lambda: inside("exec", pod.pod, "--", "echo", "on") == "on\n")
    done = subprocess.run(
        command(inside, "exec", "--stdin", pod.pod, "--", "sh", "-c", "head -c 500000 | tr a-z A-Z; pwd; exit 7"),
        env=by_websocket(websocket),
        input="loud " * 100_000,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "LOUD " * 100_000 + f"{tmp_path}\n"
    assert done.returncode != 0
    assert "exit status 7" in done.stderr


@WAYS
def test_a_port_of_the_pod_is_forwarded(inside: Kubectl, pod: Copy, websocket: bool) -> None:
    with web_server() as port:
        pod.forwards(80, port)
        with running(command(inside, "port-forward", pod.pod, ":80"), by_websocket(websocket)) as forwarding:
            assert forwarding.stdout
            address = forwarding.stdout.readline().split()[2]
            wait_for("an answer", lambda: _asked(address) == b"hello from /x")


def _asked(address: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://{address}/x", timeout=5) as answer:
            return bytes(answer.read())
    except OSError as error:
        return str(error).encode()


def test_who_attaches_sees_what_is_said_from_then_on(inside: Kubectl, pod: Copy, tmp_path: Path) -> None:
    file = tmp_path / "log"
    log_line(file, "before")
    pod.attached_to(file)
    with running(command(inside, "attach", "--quiet", pod.pod)) as attached:
        said = Lines(attached)

        def sees_it() -> bool:
            log_line(file, "now")
            return bool(said.seen)

        wait_for("it is attached", sees_it)
        assert set(said.seen) == {"now"}


def test_files_are_copied_both_ways(inside: Kubectl, pod: Copy, tmp_path: Path) -> None:
    (tmp_path / "in-pod").mkdir()
    (tmp_path / "mine").write_text("x" * 300_000)
    pod.executes_in(tmp_path / "in-pod")
    wait_for("exec is on", lambda: inside("exec", pod.pod, "--", "echo", "on") == "on\n")
    with running(command(inside, "cp", str(tmp_path / "mine"), f"{pod.pod}:theirs")):
        theirs = tmp_path / "in-pod" / "theirs"
        wait_for("the file", lambda: theirs.exists() and theirs.read_text() == "x" * 300_000)
    inside("cp", f"{pod.pod}:theirs", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "x" * 300_000


def test_what_is_open_to_a_pod_ends_with_it(inside: Kubectl, pod: Copy, tmp_path: Path) -> None:
    pod.executes_in(tmp_path)
    wait_for("exec is on", lambda: inside("exec", pod.pod, "--", "echo", "on") == "on\n")
    with running(command(inside, "exec", "--stdin", pod.pod, "--", "cat")) as open_one:
        assert open_one.stdin
        assert open_one.stdout
        open_one.stdin.write("still\n")
        assert open_one.stdout.readline() == "still\n"
        inside("delete", "pod", pod.pod, "--grace-period=1")
        open_one.wait(timeout=10)  # by SPDY kubectl takes it for a good end, by WebSocket for an error


def test_the_host_sees_vclusters_service_account_ask_for_the_copy(
    hello: VirtualCluster, inside: Kubectl, pod: Copy
) -> None:
    assert inside("logs", pod.pod)

    def asked() -> list[str]:
        lines = map(json.loads, (hello.host.folder / "audit.log").read_text().splitlines())
        about = ((line["user"]["username"], line.get("objectRef", {})) for line in lines)
        return [user for user, what in about if what.get("subresource") == "log" and what.get("name") == pod.name]

    assert wait_for("it is in the audit log", asked)[0] == f"system:serviceaccount:{hello.namespace}:vc-{hello.name}"


def test_where_the_host_forbids_exec_the_virtual_cluster_cannot_either(
    new_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = new_cluster("forbidden")
    cluster.install()
    cluster.wait_ready()
    inside = cluster.inside()
    inside.apply(pod_spec("worker"))
    wait_for("it runs", lambda: phase(inside, "worker") == "Running")
    Copy(cluster.on_host, cluster.name, cluster.namespace, "worker").executes_in(tmp_path)
    wait_for("exec is on", lambda: inside("exec", "worker", "--", "echo", "on") == "on\n")
    role = cluster.get("role", "vc-forbidden")
    for rule in role["rules"]:
        rule["resources"] = [name for name in rule["resources"] if name != "pods/exec"]
    cluster.on_host("replace", "--filename=-", stdin=json.dumps(role))
    refusal = wait_for("it is forbidden", lambda: inside.refusal("exec", "worker", "--", "echo", "on"))
    assert "forbidden" in refusal.lower()


def test_nobody_but_the_virtual_api_server_speaks_to_its_kubelet(hello: VirtualCluster, inside: Kubectl) -> None:
    (node,) = inside.items("nodes")
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    anyone = ssl._create_unverified_context()
    with pytest.raises((ssl.SSLError, OSError)):
        urllib.request.urlopen(f"https://127.0.0.1:{port}/containerLogs/default/x/y", context=anyone, timeout=5).read()
