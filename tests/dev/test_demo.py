"""`make demo` as a whole, with a folder of its own beside a demo that may run here."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dev.demo_hosts import LOCAL_CHART
from dev.waiting import wait_until
from localkube import LocalHost, Tools
from tests.dev.running import listening_addresses, processes_of

pytestmark = pytest.mark.e2e
LOOPBACK = "0100007F"


class RunningDemo:
    """The demo as a process, with what it has printed so far."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self.folder = folder
        self.output = folder.with_name(f"{folder.name}-output")
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dev.demo", "--folder", str(folder), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment() | settings,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.said, seconds=200, what=f"The demo did not say {text!r}", alive=self.must_run)

    def must_run(self) -> None:
        assert self.process.poll() is None, self.said

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def environment() -> dict[str, str]:
    """As a user's shell: without what this test run set for its own Marina."""
    foreign = ("DATABASE_URL", "BROKER_URL", "MARINA_", "DJANGO_", "STATIC_ROOT")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | own_tools()


def own_tools() -> dict[str, str]:
    return {"MARINA_TOOLS": os.environ["MARINA_TOOLS"]} if "MARINA_TOOLS" in os.environ else {}


@pytest.fixture(scope="module")
def demo(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One that stays up."""
    running = RunningDemo(tmp_path_factory.mktemp("demo") / "data")
    running.wait_for("Ctrl-C stops all")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGINT)


def test_it_ends_by_itself_when_asked_to_and_leaves_no_process(tools: Tools, tmp_path: Path) -> None:
    demo = RunningDemo(tmp_path / "data", "--once")
    assert demo.process.wait(280) == 0, demo.said
    assert "$ marina create hello --wait" in demo.said
    assert "nothing of it is left on the host" in demo.said
    assert "no container runs" in demo.said
    assert not processes_of(tmp_path)


def test_it_does_the_main_job_as_people_would(demo: RunningDemo) -> None:
    commands = re.findall(r"^\$ (.*)$", demo.said, re.MULTILINE)
    assert "marina create hello --wait" in commands
    assert any(command.startswith("marina kubeconfig hello") for command in commands)
    assert re.search(r"^web-\S+ +1/1 +Running", demo.said, re.MULTILINE)


def test_it_answers_at_the_address_it_prints(demo: RunningDemo) -> None:
    address = re.findall(r"Marina runs at (\S+)", demo.said)[0]
    with urllib.request.urlopen(f"{address}/readyz") as answer:
        assert json.load(answer) == {"database": "ok", "broker": "ok", "worker": "ok"}
    with urllib.request.urlopen(f"{address}/admin/login/") as answer:
        assert answer.status == 200


def test_nothing_of_it_listens_beyond_this_machine(demo: RunningDemo) -> None:
    assert listening_addresses(list(processes_of(demo.folder))) == {LOOPBACK}


def test_a_second_one_in_the_same_place_is_refused(demo: RunningDemo) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "dev.demo", "--folder", str(demo.folder)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert second.returncode == 1
    assert "runs in" in second.stderr
    demo.must_run()


def test_its_secrets_are_readable_only_by_their_owner(demo: RunningDemo) -> None:
    for file in (demo.folder / "secrets.json", demo.folder / "config" / "marina" / "config.yaml"):
        assert file.stat().st_mode & 0o077 == 0


def test_ctrl_c_stops_every_process(demo: RunningDemo) -> None:
    assert demo.end(signal.SIGINT) == 0
    assert not processes_of(demo.folder)


def test_killed_it_leaves_no_process_either(demo: RunningDemo) -> None:
    again = RunningDemo(demo.folder, "--keep")
    again.wait_for("Web server, workers and beat work together")
    again.end(signal.SIGKILL)
    wait_until(lambda: not processes_of(demo.folder), seconds=20, what="Processes of a killed demo did not end")


def test_a_wrong_kubeconfig_is_refused_before_anything_starts(tmp_path: Path) -> None:
    wrong = tmp_path / "kubeconfig"
    wrong.write_text("kind: Deployment\n")
    demo = RunningDemo(tmp_path / "data", "--kubeconfig", str(wrong))
    assert demo.process.wait(30) == 1
    assert "is no kubeconfig with a current context" in demo.said


def test_a_given_cluster_is_the_host_and_is_reached_by_a_port_forward(
    local_hosts: Mapping[str, LocalHost], tmp_path: Path
) -> None:
    kubeconfig = local_hosts["harbor-west"].kubeconfig
    demo = RunningDemo(tmp_path / "data", "--once", "--kubeconfig", str(kubeconfig), CHART_FOLDER=str(LOCAL_CHART))
    assert demo.process.wait(280) == 0, demo.said
    assert "marina kubeconfig hello --output hello.kubeconfig" in demo.said
    assert "no container runs" not in demo.said
    assert not processes_of(tmp_path)


def test_the_journeys_of_the_tests_run_on_a_given_cluster(local_hosts: Mapping[str, LocalHost]) -> None:
    kubeconfig = local_hosts["harbor-west"].kubeconfig
    done = subprocess.run(
        [sys.executable, "-m", "dev.e2e_host", "--kubeconfig", str(kubeconfig), "--", "-k", "test_virtual_cluster"],
        capture_output=True,
        text=True,
        env=environment() | {"CHART_FOLDER": str(LOCAL_CHART)},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout.splitlines()[-1]
