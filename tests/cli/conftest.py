"""A server that speaks the contract, and the command run against it in a home of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from marina_cli.clock import Clock
from marina_cli.main import cli
from marina_cli.session import Session

from tests.cli.api_server import ApiServer

TOKEN = "mar_alice001_secret"


class QuickClock(Clock):
    """A clock on which waiting takes no time; it remembers how long it was asked to wait."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC) + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any configuration, whatever the person who runs the tests has."""
    for name in list(os.environ):
        if name.startswith("MARINA_") or name in ("KUBECONFIG", "KUBECTL", "XDG_CONFIG_HOME", "SSL_CERT_FILE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


Run = Callable[..., Result]


@pytest.fixture
def run_without_login(clock: QuickClock) -> Run:
    def run(*args: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, list(args), input=stdin, obj=Session(clock=clock), prog_name="marina")

    return run


@pytest.fixture
def run(server: ApiServer, run_without_login: Run) -> Run:
    """The command of somebody who has logged in."""
    assert run_without_login("login", server.url, "--token", TOKEN).exit_code == 0
    server.requests.clear()
    return run_without_login
