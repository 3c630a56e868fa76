"""The installed program: both of its names, terminals, Ctrl-C, completion."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path

import pytest
from marina_cli.main import cli

from tests.cli.api_server import ApiServer
from tests.cli.conftest import TOKEN

CLI = Path(__file__).parents[2] / "cli"
DEADLINE = 60


@pytest.fixture
def programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with the programs that the package's entry points name, as an installer writes them."""
    folder = home / "bin"
    folder.mkdir()
    for name, target in tomllib.loads((CLI / "pyproject.toml").read_text())["project"]["scripts"].items():
        module, function = target.split(":")
        program = folder / name
        program.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        program.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(CLI))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def logged_in(programs: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARINA_SERVER", server.url)
    monkeypatch.setenv("MARINA_TOKEN", TOKEN)


def call(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, env={**os.environ, **more})


@pytest.mark.usefixtures("programs")
def test_the_command_has_two_names() -> None:
    assert call("marina", "--version").stdout.startswith("marina 0.")
    assert call("kubectl-marina", "list", "-h").stdout.startswith("Usage: kubectl marina list")


@pytest.mark.usefixtures("logged_in")
def test_results_go_to_stdout_and_remarks_to_stderr(server: ApiServer) -> None:
    done = call("marina", "create", "hello", "--wait", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "hello"
    assert "Choose a host: done" in done.stderr


@pytest.mark.usefixtures("logged_in")
def test_exit_codes_reach_the_shell(server: ApiServer) -> None:
    assert call("marina", "get", "nothing").returncode == 4
    assert call("marina", "nonsense").returncode == 2
    assert call("marina", "list", MARINA_TOKEN="wrong").returncode == 3


@pytest.mark.usefixtures("logged_in")
def test_ctrl_c_while_waiting_says_that_the_work_goes_on(server: ApiServer) -> None:
    server.polls_needed = 10_000
    # what runs in the background of a shell is not interrupted, nor are its children unless they ask for it
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = ["marina", "create", "hello", "--wait"]
    waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    try:
        assert waiting.stderr
        waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=DEADLINE)
    finally:
        waiting.kill()
    assert waiting.returncode == 130
    assert "the work goes on" in said
    assert "Error" not in said
    assert f"marina op watch {next(iter(server.operations))}" in said
    assert "Traceback" not in said


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command: str) -> None:
        self.text = ""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)

    def read_until(self, wanted: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while wanted not in self.text:
            assert time.monotonic() < deadline, self.text
            self.text += os.read(self._terminal, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        try:
            while chunk := os.read(self._terminal, 4096):
                self.text += chunk.decode()
        except OSError:
            pass  # what a terminal says when nobody writes to it any more
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.usefixtures("logged_in")
def test_on_a_terminal_the_steps_are_a_timeline(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal("marina", "create", "hello", "--wait")
    assert terminal.end() == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.text)
    assert re.search(r"✓ Wait for the API server\s+2\.0 s\s+hello is Ready after", plain)
    assert "\x1b[" in terminal.text


@pytest.mark.usefixtures("logged_in")
def test_no_color_is_respected(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    server.add_cluster("hello", phase="Failed")
    terminal = Terminal("marina", "list")
    assert terminal.end() == 0
    assert "✗ Failed" in terminal.text
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.text)


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(("answer", "left", "code"), [("n", 1, 1), ("y", 0, 0)])
def test_delete_asks_on_a_terminal_and_names_what_goes(server: ApiServer, answer: str, left: int, code: int) -> None:
    server.add_cluster("hello")
    terminal = Terminal("marina", "delete", "hello")
    terminal.read_until("Delete hello?")
    assert "hello of acme/payments on harbor-east" in terminal.text
    terminal.type(f"{answer}\n")
    assert terminal.end() == code
    assert len(server.asked("DELETE", "/virtual-clusters")) == 1 - left
    assert ("Nothing was deleted." in terminal.text.splitlines()) == bool(left)


@pytest.mark.usefixtures("programs")
def test_the_password_is_not_shown_while_it_is_typed(server: ApiServer) -> None:
    terminal = Terminal("marina", "login", server.url, "--handle", "alice")
    terminal.read_until("Password:")
    terminal.type("correct horse\n")
    assert terminal.end() == 0
    assert "correct horse" not in terminal.text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.usefixtures("programs")
def test_there_is_a_completion_script_for_each_shell(shell: str) -> None:
    assert "_MARINA_COMPLETE" in call("marina", "completion", shell).stdout


@pytest.mark.usefixtures("logged_in")
def test_names_of_clusters_are_completed(server: ApiServer) -> None:
    for name in ("hello", "help", "other"):
        server.add_cluster(name)
    asked = {"_MARINA_COMPLETE": "bash_complete", "COMP_WORDS": "marina get hel", "COMP_CWORD": "2"}
    assert call("marina", **asked).stdout.split() == ["plain,hello", "plain,help"]


@pytest.mark.usefixtures("programs")
def test_completion_without_a_server_is_silent() -> None:
    asked = {"_MARINA_COMPLETE": "bash_complete", "COMP_WORDS": "marina get hel", "COMP_CWORD": "2"}
    done = call("marina", MARINA_SERVER="http://127.0.0.1:9", MARINA_TOKEN=TOKEN, **asked)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(
    ("option", "offered"), [("--size", "small"), ("--exposure", "LoadBalancer"), ("--kubernetes-version", "1.36.3")]
)
def test_options_of_create_are_completed(option: str, offered: str) -> None:
    asked = {"_MARINA_COMPLETE": "bash_complete", "COMP_WORDS": f"marina create x {option} ", "COMP_CWORD": "4"}
    assert f"plain,{offered}" in call("marina", **asked).stdout.split()


@pytest.mark.usefixtures("programs")
def test_help_tells_every_command_in_a_line_by_what_it_is_about() -> None:
    told = call("marina", "--help", COLUMNS="80").stdout
    told = told[told.index("To begin:") :]
    lines = [line for line in told.splitlines() if re.match(r"  [a-z][a-z-]*  +[A-Z]", line)]
    assert {line.split()[0] for line in lines} == set(cli.commands)
    assert len(lines) == len(cli.commands), "each in one place"
    assert max(map(len, lines)) <= 80
    assert told.index("To begin:") < told.index("Virtual clusters:") < told.index("Host clusters, for platform teams:")
