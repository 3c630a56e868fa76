"""`make check`: everything that can be found out without running Marina. All of it runs, then tells what failed."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from dev.environment import of_the_machine
from dev.settings_names import ROOT

_BIN = Path(sys.executable).parent

# As on a server behind TLS: `check --deploy` judges the settings that production would have.
_PRODUCTION = {
    "DJANGO_SECRET_KEY": "check-" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "MARINA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "MARINA_PUBLIC_URL": "https://marina.example.com",
    "ALLOWED_HOSTS": "marina.example.com",
    "BEHIND_TLS_PROXY": "true",
}


@dataclass(frozen=True)
class Check:
    """One of them: what it is called, and what is run where."""

    name: str
    command: Sequence[str | Path]
    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How it went."""

    check: Check
    seconds: float
    exit_code: int
    output: str


_MANAGE = (_BIN / "python", "manage.py")
CHECKS = (
    Check("ruff check", (_BIN / "ruff", "check", ".")),
    Check("ruff format", (_BIN / "ruff", "format", "--check", ".")),
    Check("mypy", (_BIN / "mypy", ".")),
    Check("mypy cli", (_BIN / "mypy", "marina_cli"), ROOT / "cli"),
    Check("import-linter", (_BIN / "lint-imports",)),
    Check("migrations", (*_MANAGE, "makemigrations", "--check", "--dry-run")),
    Check("check --deploy", (*_MANAGE, "check", "--deploy", "--fail-level", "WARNING")),
    Check("roles' page", (*_MANAGE, "render_permissions", "--check")),
    Check("kinds' page", (*_MANAGE, "render_kinds", "--check")),
    Check("exports' page", (*_MANAGE, "render_exports", "--check")),
    Check("API's document", (*_MANAGE, "render_openapi", "--check")),
    Check("requirements", (_BIN / "python", "-m", "dev.requirements", "check")),
)


def run(check: Check) -> Result:
    """Runs one and keeps what it said."""
    started = time.monotonic()
    environment = {**of_the_machine(), **_PRODUCTION, **check.environment}
    done = subprocess.run(
        check.command,
        cwd=check.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(check, time.monotonic() - started, done.returncode, done.stdout)


def main() -> int:
    """0 when all pass, else 1 after everything that failed was shown."""
    failed = []
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for result in pool.map(run, CHECKS):
            word = "ok" if result.exit_code == 0 else "FAILED"
            print(f"{result.check.name:16} {word:7} {result.seconds:5.1f} s", flush=True)
            if result.exit_code:
                failed.append(result)
    for result in failed:
        print(f"\n--- {result.check.name}\n{result.output.rstrip()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
