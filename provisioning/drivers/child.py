"""Child processes that end with their worker, have a deadline and see none of the worker's environment."""

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SILENCE_SECONDS = 15.0
"""A child is killed when its worker was frozen this long: well before a lease of 30 s, renewed every 10 s, can end."""

GRACE_SECONDS = 3.0
"""Between SIGTERM and SIGKILL at a deadline. Helm uses it to mark its release as failed instead of pending."""

_SUPERVISOR = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True)
class Finished:
    """How a child ended. `code` is its exit code, 128 + n if it died of signal n."""

    code: int
    output: bytes
    errors: str
    timed_out: bool


def still_wanted() -> None:
    """The default `keep_alive`: for callers that hold no lease."""


def child_run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    descriptors: Sequence[int],
    seconds: float,
    silence: float = SILENCE_SECONDS,
    keep_alive: Callable[[], None] = still_wanted,
) -> Finished:
    """Run a program (absolute path first) to its end or to its deadline; it is gone when this returns or raises.

    `keep_alive` is called several times within `silence` seconds; what it raises ends the child and is passed on.
    """
    signs = min(1.0, silence / 4)
    with _started(command, environment, descriptors, silence) as (process, line):
        output, errors, timed_out = _collect(process, line, seconds, signs, keep_alive)
        code = process.wait()
    return Finished(code, output, errors.decode("utf-8", "replace"), timed_out)


@contextlib.contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int], silence: float
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    supervised = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(os.getpid()), str(theirs), str(silence), *command]
    try:
        process = subprocess.Popen(
            supervised,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            pass_fds=[theirs, *descriptors],
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    try:
        yield process, ours
    finally:
        os.close(ours)  # the supervisor kills what is left
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def _collect(
    process: subprocess.Popen[bytes], line: int, seconds: float, signs: float, keep_alive: Callable[[], None]
) -> tuple[bytes, bytes, bool]:
    """What it wrote until it closed both streams, and whether the deadline came first."""
    written = {stream.fileno(): bytearray() for stream in (process.stdout, process.stderr) if stream}
    now = time.monotonic()
    ends_at, sign_at, timed_out = now + seconds, now + signs, False
    with selectors.DefaultSelector() as selector:
        for descriptor in written:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            _read_ready(selector, written, max(0.0, min(sign_at, ends_at) - time.monotonic()))
            now = time.monotonic()
            if now >= sign_at:
                keep_alive()
                _tell(line, b".")
                sign_at = now + signs
            if now >= ends_at:
                if timed_out:
                    _tell(line, b"k")
                    break
                _tell(line, b"t")
                timed_out, ends_at = True, now + GRACE_SECONDS
    output, errors = written.values()
    return bytes(output), bytes(errors), timed_out


def _read_ready(selector: selectors.BaseSelector, written: dict[int, bytearray], seconds: float) -> None:
    for key, _ in selector.select(seconds):
        data = os.read(key.fd, 65536)
        written[key.fd] += data
        if not data:
            selector.unregister(key.fd)


def _tell(line: int, sign: bytes) -> None:
    with contextlib.suppress(OSError):  # full: signs enough lie there; closed: the child has ended
        os.write(line, sign)
