"""Loaded by pytest before Django's settings: says where database and broker of this run are, and owns its folder.

They are started by the first test that needs them (fixture `backing`), so a run of pure rules starts nothing.
"""

import os
import secrets
import shutil
from pathlib import Path

import pytest

from dev.backing import Backing, backing_of
from dev.environment import marina_settings
from dev.processes import Processes
from dev.settings_names import ROOT

_RUNS = ROOT / ".marina" / "tests"
RUN_FOLDER = pytest.StashKey[Path]()
PROCESSES = pytest.StashKey[Processes]()
BACKING = pytest.StashKey[Backing]()
GIVEN_SETTINGS = pytest.StashKey[dict[str, str]]()
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
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "MARINA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": backing.database_url,
        "BROKER_URL": backing.broker_url,
        "MARINA_STATE_FOLDER": str(folder / "state"),
        "STATIC_ROOT": str(folder / "static"),
        "LOG_FORMAT": "console",
    }


def pytest_report_header(config: pytest.Config) -> str:
    """Where to look when a process of the run fails."""
    return f"logs of this run: {config.stash[PROCESSES].logs}"


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
    """Remembers how the run ended."""
    session.config.stash[_FAILED] = exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def _remove_runs_of_the_dead() -> None:
    for folder in _RUNS.glob("*"):
        if folder.name == str(os.getpid()) or not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)
