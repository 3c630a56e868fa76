"""Children that cannot outlive the process that started them. Standard library only."""

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def dies_with_parent() -> Callable[[], None]:
    """A `preexec_fn` that has the kernel SIGKILL the child when the thread that started it ends, even by SIGKILL.

    The kernel ties this to the forking *thread*: call Popen from a thread that lives as long as the child may.
    """
    parent = os.getpid()

    def in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl, so no signal will come
            os._exit(1)

    return in_child
