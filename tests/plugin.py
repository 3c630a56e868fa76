"""Loaded by pytest before Django's settings: says where database and broker of this run are, and owns its folder.

They are started by the first test that needs them (fixture `backing`), so a run of pure rules starts nothing.

With `-n 3` (`make test`) three processes run the tests side by side, each with a folder, a database, a broker and hosts
of its own; the process that hands them their tests starts nothing. A test that measures seconds is marked `alone`.
"""

import json
import logging
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest

from dev.backing import Backing, backing_of
from dev.environment import marina_settings
from dev.processes import Processes
from dev.settings_names import ROOT
from tests.canaries import CANARIES, Written, canary
from tests.migrated import migrated_data
from tests.turns import turns_offer, turns_take

_RUNS = ROOT / ".marina" / "tests"
RUN_FOLDER = pytest.StashKey[Path]()
PROCESSES = pytest.StashKey[Processes]()
BACKING = pytest.StashKey[Backing]()
GIVEN_SETTINGS = pytest.StashKey[dict[str, str]]()
_GIVEN = "MARINA_TESTS_GIVEN"
SECRETS_FOUND = pytest.StashKey[list[str]]()
_FAILED = pytest.StashKey[bool]()
_FOUND = "secrets found"
_TOGETHER = {"tests/faults": 0, "tests/e2e": 1}
"""Folders of tests that share servers, and in which order they begin."""
TOLD = "told"
"""The property of a report that is a line for the end of the run's output."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before pytest-django reads the settings. Settings of the caller reach no unit test, only `make e2e-host`."""
    given = _given_settings()
    folder = _RUNS / str(os.getpid())
    _remove_runs_of_the_dead()
    (folder / "static").mkdir(parents=True)
    processes = Processes(folder / "logs")
    backing = backing_of(folder=folder, processes=processes, database="marina", data=migrated_data)
    early_config.stash[RUN_FOLDER] = folder
    early_config.stash[PROCESSES] = processes
    early_config.stash[BACKING] = backing
    early_config.stash[GIVEN_SETTINGS] = given
    _settings_remove()
    os.environ.update(_settings(folder, backing))


def _given_settings() -> dict[str, str]:
    """What the caller set. The processes of `-n` inherit the environment of the one that started them, and have put

    back here what stood there before that one changed it.
    """
    if _GIVEN in os.environ:
        _settings_remove()
        os.environ.update(json.loads(os.environ[_GIVEN]))
    given = marina_settings()
    os.environ[_GIVEN] = json.dumps(given)
    return given


def _settings_remove() -> None:
    for name in marina_settings():
        del os.environ[name]


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


def pytest_configure(config: pytest.Config) -> None:
    """In a process of `-n`, its tests wait for one that has to be alone."""
    turns_take(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """One of the processes of `-n` begins."""
    turns_offer(node.workerinput, node.config.stash[RUN_FOLDER])


def pytest_report_header(config: pytest.Config) -> str:
    """Where to look when a process of the run fails."""
    return f"logs of this run: {config.stash[PROCESSES].logs}, or beside it with -n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts first what takes longest."""
    items.sort(key=lambda item: _TOGETHER.get(scope_of(item.nodeid), len(_TOGETHER)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of `-n`: hands out files, and as one what shares servers that are dear to start."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return Together(config, log)


def scope_of(nodeid: str) -> str:
    """What stays in one process: a folder of tests, or a file."""
    file = nodeid.partition("::")[0]
    folder = str(Path(file).parent)
    return next((each for each in _TOGETHER if folder.startswith(each)), file)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What tests told, such as figures and seeds, and which secret was found where."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, line in report.user_properties if report.when == "call" else ():
            if name == TOLD:
                terminalreporter.write_line(str(line))
    if found := config.stash.get(SECRETS_FOUND, []):
        terminalreporter.section("secrets in what was written", red=True)
        for sentence in found:
            terminalreporter.line(sentence)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of the processes of `-n` has ended: what it found counts as found here."""
    node.config.stash.setdefault(SECRETS_FOUND, []).extend(node.workeroutput.get(_FOUND, []))


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
    config = session.config
    found = config.stash.setdefault(SECRETS_FOUND, [])
    found += _written(config).found(CANARIES, config.stash[RUN_FOLDER])
    if workeroutput := getattr(config, "workeroutput", None):  # of xdist: what the process tells when it has ended
        workeroutput[_FOUND] = found
    if found and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED
    config.stash[_FAILED] = exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


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
