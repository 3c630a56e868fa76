"""Where exports are kept: whole or not at all, in a folder and in a real S3 server alike."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.storage import storages

from clusters.exports.storage import ExportStorageError, export_erase, export_folder_erase, export_opened, export_store
from localkube import Tools
from tests.s3_server import SECRET_KEY, S3Server

BIG = b"0123456789abcdef" * 1024 * 1280
"""20 MiB, which an S3 client sends in parts."""


@pytest.fixture(scope="module")
def s3(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tools.versitygw, tmp_path_factory.mktemp("s3"))
    server.start()
    server.bucket_make()
    yield server
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, settings, tmp_path: Path) -> str:
    if request.param == "folder":
        location = {"location": str(tmp_path / "exports")}
        backend = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": location}
    else:
        backend = request.getfixturevalue("s3").storage()
    settings.STORAGES = {**settings.STORAGES, "exports": backend}
    return str(request.param)


def content(name: str) -> bytes:
    with export_opened(name) as file:
        return file.read()


def test_what_is_kept_is_read_again_and_replaced_whole(storage):
    for kept in (b"first", BIG, b""):
        export_store("cluster/one/1.marina-export", io.BytesIO(kept))
        assert content("cluster/one/1.marina-export") == kept


def test_it_is_read_from_wherever_the_file_stood_when_it_was_given(storage):
    given = io.BytesIO(b"whole")
    given.seek(3)
    export_store("cluster/two/1.marina-export", given)
    assert content("cluster/two/1.marina-export") == b"whole"


def test_all_attempts_of_one_export_are_erased_and_those_of_others_stay(storage):
    for name in ("cluster/three/1", "cluster/three/2", "cluster/threefold/1"):
        export_store(name, io.BytesIO(name.encode()))
    export_erase("cluster/three/2")
    export_folder_erase("cluster/three")
    for name in ("cluster/three/1", "cluster/three/2"):
        with pytest.raises(ExportStorageError, match="no longer there"):
            content(name)
    assert content("cluster/threefold/1") == b"cluster/threefold/1"
    export_folder_erase("cluster/three")
    export_erase("cluster/three/1")


class Breaking(io.BytesIO):
    """Whoever reads it has `then` happen after so many bytes."""

    def __init__(self, content: bytes, then: Callable[[], object], after: int) -> None:
        super().__init__(content)
        self._then, self._after = then, after

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if self.tell() >= self._after:
            self._after = 10**12
            self._then()
        return found


def test_a_folder_that_is_full_half_way_keeps_nothing(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "exports": {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": str(tmp_path)}},
    }
    folder = tmp_path / "cluster" / "full"
    folder.mkdir(parents=True)
    (folder / "1.part").symlink_to("/dev/full")  # a device that has no room
    with pytest.raises(ExportStorageError) as raised:
        export_store("cluster/full/1", io.BytesIO(BIG))
    assert str(raised.value) == "The storage for exports did not write an export: it is full."
    assert list(folder.iterdir()) == []


def test_what_failed_half_way_leaves_the_earlier_file_of_that_name(settings, tmp_path):
    backend = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "exports": backend}
    export_store("one", io.BytesIO(b"earlier"))

    def fail() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ExportStorageError, match="it is full"):
        export_store("one", Breaking(BIG, fail, after=len(BIG) // 2))
    assert (content("one"), [each.name for each in tmp_path.iterdir()]) == (b"earlier", ["one"])


def test_a_server_that_goes_away_half_way_keeps_nothing(settings, s3):
    settings.STORAGES = {**settings.STORAGES, "exports": s3.storage()}
    before = s3.object_names()
    try:
        with pytest.raises(ExportStorageError) as raised:
            export_store("cluster/four/1", Breaking(BIG, s3.stop, after=len(BIG) // 2))
    finally:
        s3.start()
    assert str(raised.value).startswith("The storage for exports did not write an export: it did not answer")
    assert s3.object_names() == before
    export_store("cluster/four/1", io.BytesIO(BIG))  # the next attempt
    assert content("cluster/four/1") == BIG


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bucket_name": "absent"}, "it answered NoSuchBucket"),
        ({"secret_key": "wrong"}, "it answered SignatureDoesNotMatch"),
        ({"access_key": "nobody"}, "it answered "),
        ({"endpoint_url": "http://127.0.0.1:9"}, "it did not answer"),
    ],
)
def test_a_server_that_refuses_is_quoted_and_no_key_is(settings, s3, options, why):
    settings.STORAGES = {**settings.STORAGES, "exports": s3.storage(**options)}
    with pytest.raises(ExportStorageError) as raised:
        export_store("cluster/five/1", io.BytesIO(b"x"))
    assert why in str(raised.value)
    assert SECRET_KEY not in str(raised.value)


def test_in_a_bucket_everything_is_below_the_prefix(settings, s3):
    settings.STORAGES = {**settings.STORAGES, "exports": s3.storage(location="of-marina")}
    export_store("cluster/six/1", io.BytesIO(b"x"))
    assert "of-marina/cluster/six/1" in s3.object_names()


def test_the_folder_of_the_settings_is_the_default():
    assert type(storages["exports"]).__name__ == "ExportFolder"
