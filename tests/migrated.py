"""Databases that begin with Marina's tables: migrating an empty one takes longer than most tests.

The data of a server in which one database was migrated are kept below .marina, and every server of the tests begins
with a copy. They are made anew when a migration or what makes them has changed. That an empty database can be migrated
is tested by itself (tests/dev/test_database_roles.py, tests/dev/test_demo.py).
"""

import fcntl
import hashlib
import shutil
from pathlib import Path

from dev.backing import backing_of
from dev.processes import Processes
from dev.settings_names import ROOT
from dev.stack import Stack, StackPlan

MIGRATED = "marina_migrated"
"""The database of each such server that others are copies of."""
_KEPT = ROOT / ".marina" / "migrated"
_MADE_OF = (
    "*/migrations/*.py",
    "controlplane/database_roles.py",
    "requirements.txt",
    "dev/postgres.py",
    "dev/stack.py",
)


def migrated_data(folder: Path) -> None:
    """Fills the empty folder of a server's data; for the first time it takes as long as migrating does."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    with (_KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # processes of a run begin at the same time
        kept = _KEPT / _version()
        if not kept.exists():
            _make(kept)
        shutil.copytree(kept, folder, dirs_exist_ok=True)


def _version() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(path for pattern in _MADE_OF for path in ROOT.glob(pattern)):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make(kept: Path) -> None:
    for older in _KEPT.iterdir():
        if older.is_dir():
            shutil.rmtree(older)
    folder = _KEPT / "making"
    processes = Processes(folder / "logs")
    backing = backing_of(folder=folder, processes=processes, database=MIGRATED, configured={})
    assert backing.postgres
    try:
        backing.postgres.start()
        stack = Stack(
            StackPlan(
                folder=folder,
                owner_url=backing.postgres.create_database(MIGRATED),
                database_url=backing.application_url,
                broker_url=backing.broker_url,
                port=0,
                helm=Path("helm"),
            ),
            processes,
        )
        stack.migrate()
    finally:
        processes.stop_all()
        backing.remove_sockets()
    (folder / "postgres" / "data").rename(kept)
    shutil.rmtree(folder)
