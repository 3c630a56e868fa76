"""Becoming an ordinary user in a child process: PostgreSQL refuses to run as root, and containers often are."""

import ctypes
import os
import pwd
import struct
from collections.abc import Callable
from pathlib import Path

_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_libc = ctypes.CDLL(None, use_errno=True)


def ordinary_user() -> pwd.struct_passwd | None:
    """The user to become; None where this process already is an ordinary one."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def give_to_ordinary_user(folder: Path) -> None:
    """Makes `folder` with all in it that user's own; nothing to do for an ordinary user."""
    if user := ordinary_user():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def become_ordinary_user() -> Callable[[], None] | None:
    """What a child process runs to become that user, as Program.become.

    It keeps the one right to pass folders of root (a checkout below /root, which others cannot enter), where the
    machine lets it; where not, the checkout must be readable for others.
    """
    user = ordinary_user()
    if user is None:
        return None
    uid, gid = user.pw_uid, user.pw_gid

    def become() -> None:
        _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        right = 1 << _CAP_DAC_OVERRIDE
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        _libc.capset(header, struct.pack("=6I", right, right, right, 0, 0, 0))  # effective, permitted, inheritable
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)

    return become
