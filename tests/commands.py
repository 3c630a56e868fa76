"""Programs that tests run as a user would: `marina` and `kubectl`, each in a process with a home of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.environment import of_the_machine
from localkube.lifetime import dies_with_parent
from tests.canaries import canary

_PATIENCE_SECONDS = 240


@dataclass(frozen=True)
class Answer:
    """What a program said."""

    command: str
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Of `-o json`."""
        return json.loads(self.stdout)

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.stdout}{self.stderr}(exit code {self.exit_code})"


class Marina:
    """The `marina` command of one person, who has a configuration folder of his own."""

    def __init__(self, *, home: Path, server: str, path: Sequence[Path] = ()) -> None:
        self.home = home
        self.server = server
        self._path = path

    def login(self, handle: str, password: str) -> None:
        """Logs in, and makes it this person's current server."""
        canary(password, f"the password of {handle}")
        self("login", self.server, "--handle", handle, "--password-stdin", stdin=password + "\n")
        for token in re.findall(r"mar_\w{8}_[\w-]+", (self.home / ".config/marina/config.yaml").read_text()):
            canary(token, f"a token of {handle}")

    def __call__(self, *arguments: str, stdin: str = "", exit_code: int | None = 0, **environment: str) -> Answer:
        """Runs `marina ARGUMENTS`. Fails the test, with all it said, on another exit code (None: any will do)."""
        path = os.pathsep.join([*map(str, self._path), os.environ["PATH"]])
        base = {**of_the_machine(), "PATH": path, "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / ".config")}
        marina = Path(sys.executable).with_name("marina")
        return program_run([marina, *arguments], base | environment, stdin, exit_code)


class Kubectl:
    """The `kubectl` command with one kubeconfig."""

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self.program = program
        self.kubeconfig = kubeconfig

    def __call__(self, *arguments: str, stdin: str = "", exit_code: int | None = 0) -> Answer:
        """Runs it. Fails the test, with all it said, on another exit code (None: any will do)."""
        how: list[str | Path] = ["--kubeconfig", self.kubeconfig, "--request-timeout", "20s"]
        return program_run([self.program, *how, *arguments], of_the_machine(), stdin, exit_code)

    def get(self, *arguments: str) -> Any:
        """`kubectl get ARGUMENTS -o json`; the items where it is a list."""
        found = self("get", *arguments, "-o", "json").json
        return found["items"] if found["kind"] == "List" else found


def program_run(
    command: Sequence[str | Path], environment: dict[str, str], stdin: str, exit_code: int | None
) -> Answer:
    """Runs a program; fails the test, with all it said, on another exit code than that."""
    done = subprocess.run(
        command,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        preexec_fn=dies_with_parent(),
        check=False,
    )
    shown = " ".join([Path(command[0]).name, *map(str, command[1:])])
    answer = Answer(shown, done.returncode, done.stdout, done.stderr)
    assert exit_code is None or done.returncode == exit_code, f"expected exit code {exit_code}:\n{answer}"
    return answer
