"""Files for libraries and programs that insist on one, for contents that must never reach a disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def memory_file(content: str | bytes) -> Iterator[int]:
    """A descriptor of an anonymous file, mode 0600, readable as `memory_file_path(descriptor)`.

    It vanishes with the last process that holds it, also when that is killed; it is not inherited unless passed on.
    """
    descriptor = os.memfd_create("marina", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        yield descriptor
    finally:
        os.close(descriptor)


def memory_file_path(descriptor: int) -> str:
    """Valid in this process, and in a child that was given the descriptor."""
    return f"/proc/self/fd/{descriptor}"
