"""Database and broker: those that DATABASE_URL and BROKER_URL name, else servers of our own."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.postgres import Postgres
from dev.processes import Processes
from dev.valkey import Valkey


@dataclass(frozen=True)
class Backing:
    """Where they are; `postgres` and `valkey` are None where configured ones are used.

    `database_url` is for the owner of the tables, `application_url` for Marina itself.
    """

    database_url: str
    application_url: str
    broker_url: str
    postgres: Postgres | None
    valkey: Valkey | None

    @property
    def own_database(self) -> bool:
        """Whether the database is ours to make anew."""
        return self.postgres is not None

    def start(self) -> None:
        """Starts what is ours; returns when it answers."""
        if self.postgres:
            self.postgres.start()
        if self.valkey:
            self.valkey.start()

    def remove_sockets(self) -> None:
        """For after the end."""
        if self.postgres:
            self.postgres.remove_socket()


def backing_of(
    *,
    folder: Path,
    processes: Processes,
    database: str,
    configured: Mapping[str, str] = os.environ,
    data: Callable[[Path], None] | None = None,
) -> Backing:
    """Nothing runs yet; `database` is the name of the database in a server of our own, `data` what it begins with."""
    postgres = None if configured.get("DATABASE_URL") else Postgres(folder / "postgres", processes, data=data)
    valkey = None if configured.get("BROKER_URL") else Valkey(folder / "valkey", processes)
    owner_url = configured.get("DATABASE_OWNER_URL") or configured.get("DATABASE_URL", "")
    return Backing(
        database_url=postgres.url(database) if postgres else owner_url,
        application_url=postgres.application_url(database) if postgres else configured["DATABASE_URL"],
        broker_url=valkey.url() if valkey else configured["BROKER_URL"],
        postgres=postgres,
        valkey=valkey,
    )
