"""Commands as a person would type them: shown with a prompt, then run, their output going where ours goes."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.environment import marina_settings
from dev.errors import DevError
from dev.progress import Progress
from localkube.lifetime import dies_with_parent

_OF_THE_COMMAND_LINE = ("MARINA_SERVER", "MARINA_TOKEN", "MARINA_PROJECT", "MARINA_CONTEXT", "KUBECONFIG")


class Terminal:
    """A person's shell in `folder`, with a configuration of its own: the caller's own log-ins stay untouched."""

    def __init__(self, folder: Path, programs: Sequence[Path], progress: Progress) -> None:
        self.folder = folder
        self._progress = progress
        folder.mkdir(parents=True, exist_ok=True)
        self.exports = {
            "PATH": os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)]),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "KUBECACHEDIR": str(folder / "kube-cache"),
            "MARINA_CREDENTIAL_CACHE": str(folder / "credentials"),
        }
        # all the rest of the caller's own: a kubeconfig's plugin may need any of it
        hidden = {*_OF_THE_COMMAND_LINE, *marina_settings()}
        self.environment = {name: text for name, text in os.environ.items() if name not in hidden} | self.exports

    def run(self, *command: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> None:
        """Shows and runs a command. Raises DevError when it fails; it has said why by then."""
        shown = {**(environment or {})}
        prefix = "".join(f"{name}={shlex.quote(text)} " for name, text in shown.items())
        self._progress.plain(f"\n$ {prefix}{shlex.join(command)}")
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | shown,
            input=stdin,
            text=True,
            preexec_fn=dies_with_parent(),
            check=False,
        )
        if done.returncode:
            raise DevError(f"`{shlex.join(command)}` ended with exit code {done.returncode}.")

    def ask(self, *command: str) -> str:
        """Runs a command unseen and returns what it printed. Raises DevError with its own words when it fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=dies_with_parent(),
            check=False,
        )
        if done.returncode:
            words = (done.stderr or done.stdout).strip()
            raise DevError(f"`{shlex.join(command)}` ended with exit code {done.returncode}: {words}")
        return done.stdout

    def write_exports(self, file: Path) -> None:
        """A file to source: `. FILE` makes another shell the same person."""
        # `marina kubeconfig --merge` there must not write into the person's own ~/.kube/config
        exports = {**self.exports, "KUBECONFIG": str(self.folder / "kubeconfig")}
        file.write_text("".join(f"export {name}={shlex.quote(text)}\n" for name, text in exports.items()))
