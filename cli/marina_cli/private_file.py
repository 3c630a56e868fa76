"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from marina_cli.errors import CliError, UsageProblem


def private_file_write(path: Path, text: str) -> None:
    """Replace `path` by `text` with mode 0600; a reader sees the old or the new file, never half of one.

    A symbolic link stays one: what it points to is replaced.
    """
    with private_file_opened(path) as file:
        file.write(text)


@contextlib.contextmanager
def private_file_opened(path: Path) -> Iterator[TextIO]:
    """The same for what is written bit by bit: it takes the old file's place at the end, if nothing went wrong."""
    with _descriptor(path) as handle, os.fdopen(handle, "w", encoding="utf-8", closefd=False) as file:
        yield file


@contextlib.contextmanager
def private_bytes_opened(path: Path) -> Iterator[BinaryIO]:
    """The same for what is no text."""
    with _descriptor(path) as handle, os.fdopen(handle, "wb", closefd=False) as file:
        yield file


@contextlib.contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    target = Path(os.path.realpath(path.expanduser()))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file 0600 from its first moment
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise _cannot_write(target, error) from None
    try:
        yield handle
        os.fsync(handle)
        Path(temporary).replace(target)
    except OSError as error:
        raise _cannot_write(target, error) from None
    finally:
        os.close(handle)
        Path(temporary).unlink(missing_ok=True)


def _cannot_write(target: Path, error: OSError) -> CliError:
    return UsageProblem(f"{target} cannot be written: {error.strerror or error}.")


@contextlib.contextmanager
def locked_as_by_kubectl(path: Path) -> Iterator[None]:
    """Hold `PATH.lock`, which kubectl also takes before it changes a kubeconfig; UsageProblem when it is taken."""
    target = Path(os.path.realpath(path.expanduser()))
    lock = target.with_name(f"{target.name}.lock")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise UsageProblem(
            f"{target} is being changed by another command: {lock} exists.",
            hint=f"Try again; if no kubectl is running, remove {lock}.",
        ) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def text_file_read(path: str, what: str) -> str:
    """The text of a file the user named, `-` being standard input; UsageProblem with `what` where that fails."""
    try:
        with click.open_file(path, encoding="utf-8") as file:
            return str(file.read())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageProblem(f"The {what} {path} cannot be read: {reason}.") from None
