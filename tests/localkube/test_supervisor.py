"""Local hosts: what starting, stopping and dying leave behind."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from localkube import LocalHost, LocalKube, LocalKubeError, Tools
from localkube.hostfolder import HostFolder, HostState, Ports
from localkube.ports import free_ports
from tests.localkube.driving import Kubectl, processes_of, wait_for

REPOSITORY = Path(__file__).parents[2]
STARTS_A_HOST_AND_WAITS = """
import sys, signal
from pathlib import Path
from localkube import LocalKube, ensure_tools
kube = LocalKube(folder=Path(sys.argv[1]), tools=ensure_tools(print))
kube.start("bound")
print("started", flush=True)
signal.pause()
"""


def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_A_HOST_AND_WAITS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "started\n"
        assert len(processes_of(tmp_path / "bound")) >= 5
        parent.kill()
    wait_for("no process of the host", lambda: not _all_of(tmp_path))


def test_a_killed_supervisor_leaves_no_process_behind(kube: LocalKube) -> None:
    host = kube.start("alone")
    state = HostFolder(host.folder).read_state()
    assert state
    os.kill(state.supervisor_pid, signal.SIGKILL)
    wait_for("no process of the host", lambda: not _all_of(host.folder), within=5)
    assert kube.list() == []
    assert kube.start("alone").server == host.server


def test_a_taken_port_is_named(kube: LocalKube) -> None:
    folder = HostFolder(kube.folder / "crowded")
    etcd, etcd_peer, api, kubelet, kwok = free_ports(5)
    lock = folder.lock()
    assert lock
    lock.close()
    folder.write_state(HostState("crowded", Ports(etcd, etcd_peer, api, kubelet, kwok), supervisor_pid=0))
    with socket.socket() as other:
        other.bind(("127.0.0.1", api))
        other.listen()
        with pytest.raises(LocalKubeError, match=f"Port {api} on 127.0.0.1, which host 'crowded' uses for api"):
            kube.start("crowded")
    assert not _all_of(folder.path)


def test_a_stopped_host_keeps_its_data_and_its_address(kube: LocalKube, tools: Tools) -> None:
    before = kube.start("steady")
    kubectl = Kubectl(tools.kubectl, before.kubeconfig)
    kubectl("create", "configmap", "kept", "--from-literal=a=b")
    config = before.kubeconfig.read_text()
    kube.stop("steady")
    assert not _all_of(before.folder)
    assert kube.start("steady") == before
    assert before.kubeconfig.read_text() == config
    assert kubectl.json("get", "configmap", "kept")["data"] == {"a": "b"}
    assert not (before.folder / "audit.log").exists()  # only where it was asked for


def test_two_hosts_run_at_the_same_time_and_know_nothing_of_each_other(kube: LocalKube, tools: Tools) -> None:
    east, west = kube.start_all(["east", "west"])
    Kubectl(tools.kubectl, east.kubeconfig)("create", "namespace", "only-east")
    assert "only-east" in Kubectl(tools.kubectl, east.kubeconfig)("get", "namespaces")
    assert "only-east" not in Kubectl(tools.kubectl, west.kubeconfig)("get", "namespaces")
    assert [host.name for host in kube.list()] == ["east", "west"]
    assert kube.start("east") == east  # runs already, so it is returned
    kube.stop_all()
    assert kube.list() == []


def test_the_command_starts_a_host_that_outlives_it(tmp_path: Path) -> None:
    def localkube(*args: str) -> str:
        command = [sys.executable, "-m", "localkube", *args, "--folder", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout

    try:
        name, server, _ = localkube("start", "daemon").split("\t")
        assert name == "daemon"
        assert localkube("list").startswith(f"daemon\t{server}\t")
        assert yaml.safe_load(localkube("kubeconfig", "daemon"))["clusters"][0]["cluster"]["server"] == server
    finally:
        localkube("stop", "--all")
    assert not _all_of(tmp_path)


def test_the_kubeconfig_embeds_everything_and_is_private(host: LocalHost, tools: Tools) -> None:
    assert stat.S_IMODE(host.kubeconfig.stat().st_mode) == 0o600
    config = yaml.safe_load(host.kubeconfig.read_text())
    assert set(config["clusters"][0]["cluster"]) == {"server", "certificate-authority-data"}
    assert set(config["users"][0]["user"]) == {"token"}
    assert Kubectl(tools.kubectl, host.kubeconfig)("auth", "can-i", "*", "*").strip() == "yes"


@pytest.mark.parametrize("name", ["", "Harbor", "a_b", "-a", "a" * 41, "../x"])
def test_a_name_that_is_no_label_is_refused(kube: LocalKube, name: str) -> None:
    with pytest.raises(LocalKubeError, match="cannot name a host"):
        kube.start(name)


def _all_of(folder: Path) -> dict[int, str]:
    """The processes of hosts below that folder, but not this test's own."""
    return {pid: line for pid, line in processes_of(folder).items() if pid != os.getpid()}
