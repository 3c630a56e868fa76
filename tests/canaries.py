"""Secrets that tests make, so that each can be looked for in everything that was written.

Wherever a test or fixture gets hold of a secret, it says so: `canary(text, "what it is")` gives the text back. At the
end of the run all tables, the broker, logs and state folders are searched for each, also in hex and inside of base64,
and the run fails with what was found where. What tests roll back is looked at before that happens (`nowhere_in`).
"""

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import redis
import yaml
from psycopg import sql

PLACEHOLDER: Final = "not-made-in-a-dry-run"
"""What a dry run answers instead of a secret."""
_SHORTEST: Final = 8
"""Anything shorter would be found by chance."""


@dataclass
class Canaries:
    """Those of one run: each text by what it is."""

    secrets: dict[str, str] = field(default_factory=dict)

    def add(self, text: str, what: str) -> None:
        """The part of it that makes it usable: of tokens what follows the prefix or the signature, of keys one line,

        of links what stands for the secret.
        """
        part = telling_part(text)
        if len(part) >= _SHORTEST:
            self.secrets.setdefault(part, what)

    def found_in(self, text: str) -> list[str]:
        """What stands in a text as it is."""
        return [what for part, what in list(self.secrets.items()) if part in text]

    def found_in_files(self, places: Iterable[Path]) -> list[str]:
        """Sentences; `places` are files and folders."""
        there = [str(place) for place in places if place.exists()]
        if not (there and self.secrets):
            return []
        forms = {form: what for part, what in self.secrets.items() for form in forms_of(part)}
        grep = ["grep", "--recursive", "--text", "--fixed-strings", "--only-matching", "--file=-"]
        done = subprocess.run(
            [*grep, "--with-filename", "--null", *there],
            input=b"\n".join(form.encode() for form in forms),
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            capture_output=True,
            check=False,
        )
        # what writes goes on meanwhile: files of a helm at work come and go
        faults = [line for line in done.stderr.splitlines() if not line.endswith(b": No such file or directory")]
        assert done.returncode in (0, 1) or not faults, faults
        hits = (line.partition(b"\0") for line in done.stdout.splitlines())
        return sorted({f"{forms[form.decode()]} is in {Path(os.fsdecode(name)).name}" for name, _, form in hits})


def telling_part(text: str) -> str:
    """What has to be there for the secret to be of use to who finds it."""
    if match := re.fullmatch(r"m(?:ar|gs)_[a-z0-9]{8}_(.+)", text):
        return match[1]
    if re.fullmatch(r"(?:mgt_)?eyJ[\w-]*\.[\w-]+\.[\w-]+", text):
        return text.rpartition(".")[2]
    if match := re.fullmatch(r"https?://\S+/invitations/([^/?]+)", text):
        return match[1]
    if match := re.match(r"otpauth://\S+[?&]secret=([A-Z2-7]+)", text):
        return match[1]
    lines = text.strip().splitlines()
    return lines[len(lines) // 2].strip() if len(lines) > 2 else text


def forms_of(part: str) -> Iterator[str]:
    """As it is, in hex (as bytes of a table are shown), and inside of base64 at each of the three alignments."""
    yield part
    yield part.encode().hex()
    for shift in range(3):
        inside = base64.b64encode(b"\0" * shift + part.encode())[4:-4].decode()
        if len(inside) >= _SHORTEST:
            yield inside


CANARIES: Final = Canaries()


def canary(text: str, what: str) -> str:
    """Notes a secret of this run, and gives it back."""
    CANARIES.add(text, what)
    return text


_OF_A_SET: Final = 2
"""So many recovery codes of one set are looked for: they are short, and many would be found by chance."""


def made_canaries(made: Mapping[str, Any], fields: Iterable[str], where: str) -> None:
    """What an answer of the API gave in the fields that its view says are secret; of a list the first few."""
    for name in fields:
        found = made.get(name)
        for text in found[:_OF_A_SET] if isinstance(found, list) else [found]:
            if isinstance(text, str) and text != PLACEHOLDER:
                canary(text, f"{name} of an answer to {where}")


def kubeconfig_canaries(document: Any, what: str) -> None:
    """The tokens and keys of a kubeconfig (text or parsed)."""
    parsed = yaml.safe_load(document) if isinstance(document, str) else document
    for user in parsed.get("users") or ():
        credential = user.get("user") or {}
        if token := credential.get("token"):
            canary(str(token), f"the token of {what}")
        if key := credential.get("client-key-data"):
            canary(base64.b64decode(key).decode(), f"the key of {what}")


def nowhere_in(written: Iterable[object], where: str) -> None:
    """Fails where a secret of this run stands in what was written there."""
    found = CANARIES.found_in("\n".join(map(str, written)))
    assert not found, f"{', '.join(found)} found in {where}"


def tables_write(url: str, folder: Path) -> None:
    """Every table of a database as a file of that name, a line a row; bytes are shown in hex."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = sql.SQL("COPY (SELECT line::text FROM {} AS line) TO STDOUT").format(sql.Identifier(table))
            with connection.cursor().copy(query) as rows, (folder / f"table {table}").open("wb") as file:
                for row in rows:
                    file.write(row)


def broker_write(url: str, folder: Path) -> None:
    """Every key of a broker with its value, as a file."""
    broker: Any = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)
    readers = {
        b"string": broker.get,
        b"list": lambda key: broker.lrange(key, 0, -1),
        b"set": broker.smembers,
        b"hash": broker.hgetall,
        b"zset": lambda key: broker.zrange(key, 0, -1),
    }
    with (folder / "the broker").open("a") as file:
        for key in broker.scan_iter():
            read = readers.get(kind := broker.type(key))
            assert read or kind == b"none", f"nobody knows how to read a {kind!r}"  # none: it has gone meanwhile
            file.write(f"{key!r} {read(key) if read else None!r}\n")


@dataclass(frozen=True)
class Written:
    """Where a run writes: databases and brokers by their addresses, and folders of logs and state."""

    databases: list[str]
    brokers: list[str]
    folders: list[Path]

    def found(self, canaries: Canaries, folder: Path) -> list[str]:
        """Sentences of what is where; `folder` is for copies that are removed again."""
        if not canaries.secrets:
            return []
        copies = folder / "written"
        try:
            for number, url in enumerate(self.databases):
                tables_write(url, _made(copies / f"database {number}"))
            for number, url in enumerate(self.brokers):
                broker_write(url, _made(copies / f"broker {number}"))
            return canaries.found_in_files([copies, *self.folders])
        finally:
            shutil.rmtree(copies, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700)
    return folder
