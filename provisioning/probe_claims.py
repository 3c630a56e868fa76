"""One probe of a host at a time: those of a host that answers slowly would pile up and keep others from being seen."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID, uuid4

import redis

from provisioning.broker import broker

KEY_PREFIX = "marina:probe:"
"""Then the host's id; the value names the probe."""
FORGOTTEN_SECONDS = 600
"""A probe whose worker ended in the midst of it keeps the next one away for so long at most."""


@contextmanager
def probe_claimed(host_id: UUID) -> Iterator[bool]:
    """Whether nobody else probes this host now; until the block ends nobody else does.

    Where the broker cannot be asked the answer is yes: to probe twice does no harm, not to probe does.
    """
    key, name = f"{KEY_PREFIX}{host_id}", uuid4().hex
    try:
        mine = bool(broker().set(key, name, nx=True, ex=FORGOTTEN_SECONDS))
    except (redis.RedisError, OSError):
        mine = True
    try:
        yield mine
    finally:
        with suppress(redis.RedisError, OSError):
            if mine and broker().get(key) == name:
                broker().delete(key)
