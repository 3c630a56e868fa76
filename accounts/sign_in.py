"""How often a password or a code may be tried: counted by all web processes together, before it is looked at.

By handle and address, so that nobody locks another person out, and by address alone, for who tries many handles.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final, Self
from uuid import UUID

import redis
import structlog
from django.conf import settings
from django.core.cache import BaseCache, caches

log = structlog.get_logger(__name__)

_HANDLE: Final = re.compile(r"[a-z0-9-]{1,40}")
_SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86400}
NO_HANDLE: Final = "-"
"""Stands for whatever cannot be a handle. Nobody has it."""


@dataclass(frozen=True)
class Rate:
    """At most so many tries within so many seconds, which begin with the first."""

    tries: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`20/min`; also /s, /hour and /day. Raises ValueError for anything else."""
        found = re.fullmatch(r"([1-9][0-9]{0,8})/(s|sec|second|m|min|minute|h|hour|d|day)", text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no rate: it is written like 20/min.")
        return cls(int(found[1]), _SECONDS[found[2][0]])


def handle_of(text: str) -> str:
    """What was typed, where that can be a handle."""
    return text if _HANDLE.fullmatch(text) else NO_HANDLE


def sign_in_count(*, handle: str, address: str | None) -> int:
    """Counts one try; 0, or the seconds to wait where there were too many. It never fails.

    Without the shared cache each process counts for itself.
    """
    return _tries_count("", handle_of(handle), address)


def code_count(*, handle: str, address: str | None) -> int:
    """As `sign_in_count`, for codes that somebody types who is known already: of an app, or of a device.

    A code has fewer letters than a password, so the tries of one person also count over all addresses.
    """
    everywhere = _wait(f"code:person:{handle_of(handle)}", Rate.parse(settings.SIGN_IN_RATE))
    return max(everywhere, _tries_count("code:", handle_of(handle), address))


def device_count(*, address: str | None) -> int:
    """As `sign_in_count`, for programs that ask to log in without being anybody yet."""
    return _wait(f"device:place:{place_of(address)}", Rate.parse(settings.SIGN_IN_ADDRESS_RATE))


def _tries_count(what: str, handle: str, address: str | None) -> int:
    place = place_of(address)
    limits = {
        f"{what}person:{handle}:{place}": Rate.parse(settings.SIGN_IN_RATE),
        f"{what}place:{place}": Rate.parse(settings.SIGN_IN_ADDRESS_RATE),
    }
    # each counts, whichever refuses
    return max([_wait(key, rate) for key, rate in limits.items()])


def token_refusal_counts(*, prefix: str, address: str | None) -> bool:
    """Whether the refusal of a token is worth recording: of one token once a minute, of all from one address 20 times.

    `prefix` is that of a known token; empty for all that are unknown.
    """
    place = place_of(address)
    of_this, of_all = f"refused-token:{prefix}:{place}", f"refused-tokens:{place}"
    return not _wait(of_this, Rate(1, 60)) and not _wait(of_all, Rate(20, 60))


def federation_count(*, address: str | None) -> int:
    """Counts one token of another issuer that was sent; 0, or the seconds to wait where there were too many."""
    return _wait(f"federation:{place_of(address)}", Rate.parse(settings.FEDERATION_RATE))


INVITATION_MAILS: Final = Rate(100, 3600)
"""So many invitations one person may have mailed: nobody makes Marina a sender of mail to strangers."""


def invitation_mail_count(*, person: UUID) -> int:
    """Counts one invitation that is to be mailed; 0, or the seconds to wait where there were too many."""
    return _wait(f"invitation-mail:{person}", INVITATION_MAILS)


def federation_refusal_counts(*, account: str, why: str, address: str | None) -> bool:
    """Whether a refused token of another issuer is worth recording: one of each kind a minute, and 20 of one address

    or account. `account` is the id of the one that was asked for; empty where it is not known.
    """
    place, kind = place_of(address), hashlib.sha256(why.encode()).hexdigest()[:16]
    same = _wait(f"refused-federation:{account}:{kind}:{place}", Rate(1, 60))
    of_place = same or _wait(f"refused-federations:{place}", Rate(20, 60))
    return not of_place and not _wait(f"refused-federations-of:{account}", Rate(20, 60))


def _wait(key: str, rate: Rate) -> int:
    try:
        tries = _count(caches["sign_in"], key, rate.seconds)
    except (redis.RedisError, OSError) as error:
        log.warning("tries to sign in are counted by each process alone", error=str(error))
        tries = _count(caches["default"], key, rate.seconds)
    return rate.seconds if tries > rate.tries else 0


def _count(cache: BaseCache, key: str, seconds: int) -> int:
    cache.add(key, 0, seconds)
    try:
        tries = cache.incr(key)
    except ValueError:  # it ended between the two
        return 1
    if tries == 1:  # it may have ended in the midst of incr, and would have no end any more
        cache.touch(key, seconds)
    return tries


def place_of(address: str | None) -> str:
    """An address; of IPv6 the network of 64 bits, since one person has all of those."""
    if address is None:
        return "socket"
    found = ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Network(f"{found}/64", strict=False).network_address)
    return str(found)
