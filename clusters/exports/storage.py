"""Where exports are kept: the storage `exports` of the settings, a folder or a bucket.

Every export has a folder of its own there, and each attempt to write it a file of its own: one that lost its right to
write in the middle can never replace what its successor wrote.
"""

import contextlib
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from django.core.files import File
from django.core.files.storage import Storage, storages

ALIAS: Final = "exports"
_LIBRARIES: Final = frozenset({"botocore", "boto3", "s3transfer"})
_WORDS: Final = {
    errno.ENOSPC: "it is full",
    errno.EDQUOT: "its quota is used up",
    errno.EFBIG: "it takes no file that large",
    errno.EACCES: "Marina may not write there",
    errno.EROFS: "it can only be read",
}


class ExportStorageError(Exception):
    """The storage did not do what it was asked for. The sentence says why; it holds no credential."""


def exports_storage() -> Storage:
    """As the settings have it."""
    return storages[ALIAS]


def export_store(name: str, content: IO[bytes]) -> None:
    """Keeps what `content` gives under this name, all of it or nothing."""
    content.seek(0)
    with _told("write an export"):
        exports_storage().save(name, File(content))


@contextmanager
def export_opened(name: str) -> Iterator[IO[bytes]]:
    """The file, from its beginning. ExportStorageError where it is not there."""
    with _told("read the export"):
        file = exports_storage().open(name, "rb")
    try:
        yield file
    finally:
        file.close()


def export_erase(name: str) -> None:
    """Takes away one file; nothing where it is not there."""
    with _told("erase an export"), contextlib.suppress(FileNotFoundError):
        exports_storage().delete(name)


def export_folder_erase(folder: str) -> None:
    """Takes away all that was ever kept there for one export; nothing where nothing is."""
    storage = exports_storage()
    with _told("erase an export"), contextlib.suppress(FileNotFoundError):
        _, files = storage.listdir(folder)
        for file in files:
            storage.delete(f"{folder}/{file}")
        storage.delete(folder)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Of what a storage throws, the one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        if what != "read the export":
            raise
        raise ExportStorageError("The file of this export is no longer there.") from error
    except OSError as error:
        raise ExportStorageError(f"The storage for exports did not {what}: {_why(error)}.") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _LIBRARIES:
            raise
        raise ExportStorageError(f"The storage for exports did not {what}: {_why_not(error)}.") from error


def _why(error: OSError) -> str:
    return _WORDS.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()


def _why_not(error: Any) -> str:
    """Of the S3 library: the code that the server gave, else the name of what went wrong. Never its text."""
    cause = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            return f"it answered {response.get('Error', {}).get('Code') or 'with an error'}"
        cause = cause.__context__
    return f"it did not answer ({type(error).__name__})"
