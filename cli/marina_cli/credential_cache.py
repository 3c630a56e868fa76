"""Short-lived tokens on this machine's disk, so that not every kubectl asks the server for one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from marina_cli.durations import time_parse
from marina_cli.errors import CliError
from marina_cli.private_file import private_file_write


@dataclass(frozen=True)
class Credential:
    """A token for the gateway, and when it ends by this machine's clock."""

    token: str = field(repr=False)
    ends: datetime

    def seconds_left(self, now: datetime) -> float:
        """Until its end; negative afterwards."""
        return (self.ends - now).total_seconds()


class CredentialCache:
    """One file for each server, login, cluster and level, readable by its owner only.

    A cache that cannot be read or written is no cache, and no error: the server is asked each time then.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        chosen, base = environment.get("MARINA_CREDENTIAL_CACHE", ""), environment.get("XDG_CACHE_HOME", "")
        usual = (Path(base) if base else Path.home() / ".cache") / "marina" / "credentials"
        self._folder = Path(chosen) if chosen else usual

    def read(self, key: str) -> Credential | None:
        """What is kept under this key; None where nothing is, or where others could have read or written it."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with (self._folder / key).open(encoding="utf-8") as file:
                if not _private(file.fileno()):
                    return None
                data = json.load(file)
            ends = time_parse(data["ends"])
            return Credential(str(data["token"]), ends) if ends else None
        return None

    def write(self, key: str, credential: Credential, *, now: datetime) -> None:
        """Keep it, and remove what has ended."""
        with contextlib.suppress(CliError, OSError):
            text = json.dumps({"token": credential.token, "ends": credential.ends.isoformat()})
            private_file_write(self._folder / key, text)
            for path in self._folder.iterdir():
                known = self.read(path.name)
                if known is not None and known.seconds_left(now) <= 0:
                    path.unlink(missing_ok=True)


def cache_key(*, server: str, token: str, cluster: str, level: str) -> str:
    """Of another login, so that whoever logs in anew gets nothing of what is revoked. Tells nothing of the token."""
    return hashlib.sha256("\0".join((server, token, cluster, level)).encode()).hexdigest()


def _private(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    return found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077
