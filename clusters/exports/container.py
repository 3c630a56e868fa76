"""The file of an export: encrypted, and so made that a changed, cut or rearranged one is refused.

Sixteen bytes of head (magic, version, seven random bytes), then gzip'ed JSON lines in chunks of 1 MiB, each sealed with
AES-256-GCM. A chunk's nonce is the random bytes, its number, and whether it is the last one (the STREAM construction
of Hoang, Reyhanitabar, Rogaway and Vizár, as age and Tink use it), so a chunk opens only at its own place. The head is
bound to each. A key is used for one file.

The first line tells what the export is of, one line each holds an object, the last one is the manifest.
"""

import json
import secrets
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Json = dict[str, Any]

MAGIC: Final = b"MARINAEX"
VERSION: Final = 1
FORMAT: Final = "marina_export"
"""In the first line: the version of what the lines hold."""
CHUNK: Final = 1024 * 1024
KEY_BYTES: Final = 32
_PREFIX: Final = 7
_HEAD: Final = len(MAGIC) + 1 + _PREFIX
_TAG: Final = 16
_GZIP: Final = 31
"""zlib's word for a gzip head and checksum around a window of 32 KiB."""


class ExportDamaged(Exception):
    """This is not the file that was written: the sentence says where it differs."""


def export_key() -> bytes:
    """A key for one file."""
    return secrets.token_bytes(KEY_BYTES)


class ExportWriter:
    """`begin`, `add` for each object, `finish`. What is written of one that was not finished is refused by readers."""

    def __init__(self, stream: IO[bytes], key: bytes, *, chunk: int = CHUNK) -> None:
        self._seal = _Sealing(stream, key, chunk)
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self.size = 0

    def begin(self, about: Json) -> None:
        """The first line: cluster id, name, versions, when it was begun."""
        self._line({FORMAT: VERSION, **about})

    def add(self, item: Json) -> None:
        """One object, as the API gave it."""
        self._line({"object": item})

    def finish(self, manifest: Json) -> int:
        """The last line; how many bytes the whole file has."""
        self._line({"manifest": manifest})
        self._seal.write(self._gzip.flush())
        self.size = self._seal.finish()
        return self.size

    def _line(self, value: Json) -> None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self._seal.write(self._gzip.compress(text.encode() + b"\n"))


class ExportReader:
    """Reads one from its beginning. ExportDamaged at the first thing that is not as it was written.

    `about` is there at once, `manifest` after the last of `objects`. Nothing that was read before an ExportDamaged is
    false, but it is not all.
    """

    def __init__(self, stream: IO[bytes], key: bytes, *, chunk: int = CHUNK) -> None:
        self._lines = _lines(_opened(stream, key, chunk))
        self._manifest: Json | None = None
        first = next(self._lines, {})
        if first.get(FORMAT) != VERSION:
            raise ExportDamaged("Its first line is not that of an export which this version of Marina can read.")
        self.about: Json = {name: value for name, value in first.items() if name != FORMAT}

    def objects(self) -> Iterator[Json]:
        """Each object once, in the order in which they were written."""
        for line in self._lines:
            if "object" in line:
                yield line["object"]
            elif "manifest" in line:
                self._manifest = line["manifest"]
        if self._manifest is None:
            raise ExportDamaged("It has no manifest, so it was never finished.")

    @property
    def manifest(self) -> Json:
        """ValueError before all objects were read."""
        if self._manifest is None:
            raise ValueError("an export's manifest is its last line: read the objects first")
        return self._manifest


class _Sealing:
    """Cuts what is written into chunks of the same length and seals each; the last may be shorter."""

    def __init__(self, stream: IO[bytes], key: bytes, chunk: int) -> None:
        self._stream, self._cipher, self._chunk = stream, AESGCM(key), chunk
        self._head = MAGIC + bytes([VERSION]) + secrets.token_bytes(_PREFIX)
        self._waiting = bytearray()
        self._number = 0
        self._size = stream.write(self._head)

    def write(self, data: bytes) -> None:
        """A whole chunk waits until it is known that it is not the last."""
        self._waiting += data
        while len(self._waiting) > self._chunk:
            self._put(bytes(self._waiting[: self._chunk]), last=False)
            del self._waiting[: self._chunk]

    def finish(self) -> int:
        self._put(bytes(self._waiting), last=True)
        return self._size

    def _put(self, data: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._head, self._number, last=last), data, self._head)
        self._size += self._stream.write(sealed)
        self._number += 1


def _nonce(head: bytes, number: int, *, last: bool) -> bytes:
    return head[-_PREFIX:] + number.to_bytes(4, "big") + bytes([last])


def _opened(stream: IO[bytes], key: bytes, chunk: int) -> Iterator[bytes]:
    """The chunks, opened. What follows one tells whether it has to be the last."""
    head, cipher = _read(stream, _HEAD), AESGCM(key)
    if len(head) < _HEAD or not head.startswith(MAGIC):
        raise ExportDamaged("It does not begin as an export does.")
    if head[len(MAGIC)] != VERSION:
        raise ExportDamaged(f"It is of version {head[len(MAGIC)]}, and this Marina reads version {VERSION}.")
    number, sealed = 0, _read(stream, chunk + _TAG)
    while sealed:
        following = _read(stream, chunk + _TAG)
        yield _open(cipher, head, number, sealed, last=not following)
        number, sealed = number + 1, following
    if number == 0:
        raise ExportDamaged("It was cut: nothing follows its head.")


def _open(cipher: AESGCM, head: bytes, number: int, sealed: bytes, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(head, number, last=last), sealed, head)
    except InvalidTag:
        pass
    try:
        cipher.decrypt(_nonce(head, number, last=not last), sealed, head)
    except InvalidTag:
        raise ExportDamaged(f"Its part {number + 1} was changed, moved or cut, or is of another export.") from None
    if last:
        raise ExportDamaged(f"It was cut after part {number + 1}: its end is missing.")
    raise ExportDamaged(f"Something was added after its end, which is part {number + 1}.")


def _read(stream: IO[bytes], size: int) -> bytes:
    """So many bytes, fewer only at the end: a stream over a network may give less than it is asked for."""
    found = bytearray()
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return bytes(found)


def _lines(chunks: Iterator[bytes]) -> Iterator[Json]:
    unzip, rest = zlib.decompressobj(_GZIP), bytearray()
    try:
        for piece in _unpacked(chunks, unzip):
            rest += piece
            if b"\n" in piece:
                *whole, last = rest.split(b"\n")
                rest = bytearray(last)
                for line in whole:
                    yield json.loads(line)
    except (zlib.error, ValueError):  # sealed with its key, so Marina wrote it so: no damage on the way
        raise ExportDamaged("What it holds cannot be read, though it was sealed with its own key.") from None
    if rest or not unzip.eof or unzip.unused_data:
        raise ExportDamaged("Its text ends in the middle.")


def _unpacked(chunks: Iterator[bytes], unzip: Any) -> Iterator[bytes]:
    """In pieces of a chunk's length at most, however much a chunk may hold when it is unpacked."""
    for chunk in chunks:
        packed, piece = chunk, b""
        while packed or len(piece) == CHUNK:
            piece = unzip.decompress(packed, CHUNK)
            packed = unzip.unconsumed_tail
            yield piece
