"""Whatever is done to an export's file, it is refused: nobody restores something that was not exported."""

import io
import itertools
import json
import tracemalloc
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import assume, example, given
from hypothesis import strategies as st

from clusters.exports.container import CHUNK, ExportDamaged, ExportReader, ExportWriter, export_key

KEY = bytes(range(32))
SMALL = 64
"""Bytes a chunk in these tests, so that a small file has many."""
HEAD, TAG = 16, 16
OBJECTS = [{"kind": "ConfigMap", "data": {"text": f"{number}-{'xyz' * number}"}} for number in range(40)]

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


def written(objects: list[Any], *, key: bytes = KEY, chunk: int = SMALL) -> bytes:
    stream = io.BytesIO()
    writer = ExportWriter(stream, key, chunk=chunk)
    writer.begin({"name": "shop"})
    for each in objects:
        writer.add(each)
    assert writer.finish({"counts": len(objects)}) == len(stream.getvalue())
    return stream.getvalue()


def read(content: bytes, *, key: bytes = KEY, chunk: int = SMALL) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    reader = ExportReader(io.BytesIO(content), key, chunk=chunk)
    objects = list(reader.objects())
    return reader.about, objects, reader.manifest


FILE = written(OBJECTS)
PARTS = [FILE[at : at + SMALL + TAG] for at in range(HEAD, len(FILE), SMALL + TAG)]


def refused(content: bytes) -> str:
    """The sentence with which it is refused."""
    with pytest.raises(ExportDamaged) as raised:
        read(content)
    return str(raised.value)


@given(st.lists(TREES, max_size=12), st.integers(1, 300))
def test_what_is_written_is_read_again(objects, chunk):
    assert read(written(objects, chunk=chunk), chunk=chunk) == ({"name": "shop"}, objects, {"counts": len(objects)})


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_a_file_with_any_byte_changed_is_refused(at, change):
    refused(FILE[:at] + bytes([FILE[at] ^ change]) + FILE[at + 1 :])


@given(st.integers(0, len(FILE) - 1))
@example(HEAD)
@example(HEAD + SMALL + TAG)
@example(HEAD + 2 * (SMALL + TAG))
def test_a_file_that_was_cut_anywhere_is_refused(length):
    refused(FILE[:length])


@given(st.binary(min_size=1, max_size=3 * SMALL))
def test_a_file_to_which_something_was_added_is_refused(more):
    refused(FILE + more)


@given(st.data())
def test_a_file_whose_parts_were_reordered_dropped_or_doubled_is_refused(data):
    order = data.draw(st.lists(st.integers(0, len(PARTS) - 1), max_size=len(PARTS) + 2))
    assume(order != list(range(len(PARTS))))
    refused(FILE[:HEAD] + b"".join(PARTS[number] for number in order))


@given(st.integers(0, len(PARTS) - 1))
def test_a_part_of_another_export_is_refused(number):
    other = written(OBJECTS)
    at = HEAD + number * (SMALL + TAG)
    assume(FILE[:HEAD] != other[:HEAD])
    refused(FILE[:at] + other[at : at + SMALL + TAG] + FILE[at + SMALL + TAG :])


def test_a_head_of_another_export_is_refused():
    refused(written(OBJECTS)[:HEAD] + FILE[HEAD:])


def test_another_key_opens_nothing():
    with pytest.raises(ExportDamaged, match="part 1"):
        read(FILE, key=export_key())


def test_the_sentence_says_what_happened_where():
    last, whole = len(PARTS), FILE[: HEAD + 3 * (SMALL + TAG)]
    assert refused(b"PK\x03\x04") == "It does not begin as an export does."
    assert refused(FILE[:8] + b"\x02" + FILE[9:]) == "It is of version 2, and this Marina reads version 1."
    assert refused(FILE[:HEAD]) == "It was cut: nothing follows its head."
    assert refused(whole) == "It was cut after part 3: its end is missing."
    assert refused(whole[:-1]) == "Its part 3 was changed, moved or cut, or is of another export."
    full = next(file for size in itertools.count() if (len(file := written(["x" * size])) - HEAD) % (SMALL + TAG) == 0)
    assert "Something was added after its end" in refused(full + b"more")
    assert f"part {last} " in refused(FILE + b"more")


def test_one_that_was_not_finished_is_refused():
    stream = io.BytesIO()
    writer = ExportWriter(stream, KEY, chunk=SMALL)
    writer.begin({})
    for each in OBJECTS:
        writer.add(each)
    refused(stream.getvalue())


def test_nothing_of_it_can_be_read_without_its_key():
    canary = "s3cret-of-a-tenant"
    content = written([{"kind": "Secret", "stringData": {"password": canary}}])
    assert canary.encode() not in content
    assert b"Secret" not in content


def test_two_files_never_use_one_nonce_even_by_mistake_with_one_key():
    assert written(OBJECTS)[:HEAD] != FILE[:HEAD]
    assert len(export_key()) == 32


def test_a_part_is_what_the_construction_says():
    """So that another program can read it: nonce of head, number and end; the head as associated data."""
    nonce = FILE[9:HEAD] + (0).to_bytes(4, "big") + b"\x00"
    assert AESGCM(KEY).decrypt(nonce, PARTS[0], FILE[:HEAD]).startswith(b"\x1f\x8b")


def test_a_stream_that_gives_little_at_a_time_is_read_all_the_same():
    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self._inner = io.BytesIO(FILE)

        def read(self, size: int = -1) -> bytes:
            return self._inner.read(min(size, 7))

    reader = ExportReader(Slow(), KEY, chunk=SMALL)  # type: ignore[arg-type]
    assert list(reader.objects()) == OBJECTS


def test_objects_larger_than_a_part_are_whole():
    big = [{"data": json.dumps(list(range(400_000)))}]
    assert read(written(big, chunk=CHUNK), chunk=CHUNK)[1] == big


def test_the_manifest_comes_after_the_objects():
    reader = ExportReader(io.BytesIO(FILE), KEY, chunk=SMALL)
    with pytest.raises(ValueError, match="read the objects first"):
        _ = reader.manifest


def test_objects_that_are_nearly_nothing_when_they_are_packed_fill_no_memory_when_they_are_read():
    """A tenant may make as many as they like; 100 MB of them are a file of some 100 KB here."""
    packed = written([{"kind": "ConfigMap", "data": {"text": "x" * 1_000_000}} for _ in range(100)], chunk=CHUNK)
    assert len(packed) < CHUNK
    tracemalloc.start()
    try:
        found = sum(1 for _ in ExportReader(io.BytesIO(packed), KEY).objects())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == 100
    assert peak < 20 * 1024 * 1024
