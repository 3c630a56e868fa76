"""PostgreSQL and Valkey of our own: reachable only for their owner, and with their data where it was said."""

from collections.abc import Iterator
from pathlib import Path

import environ
import psycopg
import pytest
import redis

from dev.backing import backing_of
from dev.postgres import Postgres
from dev.processes import Processes
from dev.valkey import Valkey
from tests.migrated import MIGRATED, migrated_data


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path / "logs")
    yield processes
    processes.stop_all()


def connect(url: str) -> psycopg.Connection:
    settings = environ.Env.db_url_config(url)
    host = settings["OPTIONS"]["host"]
    return psycopg.connect(host=host, user=settings["USER"], dbname=settings["NAME"], autocommit=True)


@pytest.mark.parametrize("place", ["pg", "a folder with blanks & 100%", "deep/" * 30])
def test_a_database_is_reached_by_its_url_wherever_its_folder_lies(
    tmp_path: Path, group: Processes, place: str
) -> None:
    postgres = Postgres(tmp_path / place, group)
    postgres.start()
    with connect(postgres.create_database("some")) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("some",)
    group.stop_all()
    postgres.remove_socket()


def test_data_stays_over_a_restart_and_goes_when_made_anew(tmp_path: Path, group: Processes) -> None:
    postgres = Postgres(tmp_path / "pg", group)
    postgres.start()
    with connect(postgres.ensure_database("kept")) as connection:
        connection.execute("CREATE TABLE here (id int)")
    group.stop_all()
    postgres.start()
    with connect(postgres.ensure_database("kept")) as connection:
        connection.execute("SELECT * FROM here")
    with connect(postgres.create_database("kept")) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM here")


def test_a_server_begins_with_the_data_it_is_given_and_a_database_with_those_of_another(
    tmp_path: Path, group: Processes
) -> None:
    postgres = Postgres(tmp_path / "pg", group, data=migrated_data)
    postgres.start()
    one, other = (postgres.create_database(name, like=MIGRATED) for name in ("one", "other"))
    with connect(one) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM django_migrations").fetchone() == (True,)
        connection.execute("DELETE FROM django_migrations")
    with connect(other) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM django_migrations").fetchone() == (True,)
    assert (tmp_path / "pg" / "data").stat().st_mode & 0o077 == 0


def test_the_sockets_folder_is_only_for_its_owner(tmp_path: Path, group: Processes) -> None:
    postgres = Postgres(tmp_path / "pg", group)
    postgres.start()
    assert (tmp_path / "pg" / "socket").stat().st_mode & 0o077 == 0
    assert (tmp_path / "pg" / "data").stat().st_mode & 0o077 == 0


def test_the_broker_asks_for_its_password(tmp_path: Path, group: Processes) -> None:
    valkey = Valkey(tmp_path / "valkey", group)
    valkey.start()
    assert redis.Redis.from_url(valkey.url()).ping()
    port = redis.Redis.from_url(valkey.url()).connection_pool.connection_kwargs["port"]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(host="127.0.0.1", port=port).ping()
    assert (tmp_path / "valkey" / "valkey.conf").stat().st_mode & 0o077 == 0


def test_configured_servers_are_used_instead_of_our_own(tmp_path: Path, group: Processes) -> None:
    configured = {"DATABASE_URL": "postgres://db.example/marina", "BROKER_URL": "redis://broker.example/0"}
    backing = backing_of(folder=tmp_path, processes=group, database="marina", configured=configured)
    backing.start()
    assert (backing.database_url, backing.broker_url) == tuple(configured.values())
    assert not group.pids
