"""Loaded by pytest before Django's settings: says where database and broker of this run are, and owns its folder.

They are started by the first test that needs them (fixture `backing`), so a run of pure rules starts nothing.
"""

import logging
import os
import secrets
import shutil
from pathlib import Path

import pytest

from dev.backing import Backing, backing_of
from dev.environment import marina_settings
from dev.processes import Processes
from dev.settings_names import ROOT
from tests.canaries import CANARIES, Written, canary

_RUNS = ROOT / ".marina" / "tests"
RUN_FOLDER = pytest.StashKey[Path]()
PROCESSES = pytest.StashKey[Processes]()
BACKING = pytest.StashKey[Backing]()
GIVEN_SETTINGS = pytest.StashKey[dict[str, str]]()
SECRETS_FOUND = pytest.StashKey[list[str]]()
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before pytest-django reads the settings. Settings of the caller reach no unit test, only `make e2e-host`."""
    folder = _RUNS / str(os.getpid())
    _remove_runs_of_the_dead()
    (folder / "static").mkdir(parents=True)
    processes = Processes(folder / "logs")
    backing = backing_of(folder=folder, processes=processes, database="marina")
    early_config.stash[RUN_FOLDER] = folder
    early_config.stash[PROCESSES] = processes
    early_config.stash[BACKING] = backing
    early_config.stash[GIVEN_SETTINGS] = marina_settings()
    for name in early_config.stash[GIVEN_SETTINGS]:
        del os.environ[name]
    os.environ.update(_settings(folder, backing))


def _settings(folder: Path, backing: Backing) -> dict[str, str]:
    from cryptography.fernet import Fernet

    return {
        "DJANGO_SECRET_KEY": canary(secrets.token_urlsafe(50), "Django's secret key"),
        "MARINA_ENCRYPTION_KEYS": canary(Fernet.generate_key().decode(), "an encryption key"),
        "DATABASE_URL": backing.database_url,
        "BROKER_URL": backing.broker_url,
        "MARINA_STATE_FOLDER": str(folder / "state"),
        "STATIC_ROOT": str(folder / "static"),
        "LOG_FORMAT": "console",
    }


def pytest_report_header(config: pytest.Config) -> str:
    """Where to look when a process of the run fails."""
    return f"logs of this run: {config.stash[PROCESSES].logs}"


def pytest_sessionstart(session: pytest.Session) -> None:
    """What Marina logs in this process is kept beside the logs of the others."""
    logs = session.config.stash[PROCESSES].logs
    logs.mkdir(parents=True, exist_ok=True)
    kept = logging.FileHandler(logs / "pytest.log", delay=True)
    kept.setFormatter(next((handler.formatter for handler in logging.getLogger().handlers if handler.formatter), None))
    logging.getLogger().addHandler(kept)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops everything; the folder of a run that failed stays until the next one."""
    processes = config.stash.get(PROCESSES, None)
    if processes is None:
        return
    processes.stop_all()
    config.stash[BACKING].remove_sockets()
    failed = config.stash.get(_FAILED, False)
    folder = config.stash[RUN_FOLDER]
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Looks for the run's secrets in everything that was written, and remembers how the run ended."""
    found = _written(session.config).found(CANARIES, session.config.stash[RUN_FOLDER])
    session.config.stash[SECRETS_FOUND] = found
    if found and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED
    session.config.stash[_FAILED] = exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says which secret was found where."""
    if found := config.stash.get(SECRETS_FOUND, []):
        terminalreporter.section("secrets in what was written", red=True)
        for sentence in found:
            terminalreporter.line(sentence)


def _written(config: pytest.Config) -> Written:
    backing, running = config.stash[BACKING], config.stash[PROCESSES].pids
    folder = config.stash[RUN_FOLDER]
    return Written(
        databases=backing.postgres.databases() if backing.postgres and "postgres" in running else [],
        brokers=[backing.valkey.url(each) for each in range(3)] if backing.valkey and "valkey" in running else [],
        folders=[config.stash[PROCESSES].logs, folder / "state", folder / "stack" / "state"],
    )


def _remove_runs_of_the_dead() -> None:
    for folder in _RUNS.glob("*"):
        if folder.name == str(os.getpid()) or not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)
