"""Letting half of a host token's life pass without waiting for it."""

import psycopg

from dev.stack import Stack
from dev.waiting import wait_until

RENEW_NOW = """
from django.utils import timezone
from clusters.services.credentials import credentials_renew
credentials_renew(now=timezone.now())
"""


def generation_of(database: psycopg.Connection, host: str) -> int:
    """Of the credential; it grows with each new one."""
    row = database.execute(
        "SELECT c.generation FROM clusters_hostcredential c JOIN clusters_hostcluster h ON h.id = c.host_id"
        " WHERE h.name = %s",
        [host],
    ).fetchone()
    assert row
    return int(row[0])


def token_halfway(database: psycopg.Connection, host: str) -> int:
    """As if the token had been issued so long ago that a little more than half of its life is over; its generation."""
    database.execute(
        "UPDATE clusters_hostcredential c SET issued_at = now() - (expires_at - now()) * 1.1"
        " FROM clusters_hostcluster h WHERE h.id = c.host_id AND h.name = %s",
        [host],
    )
    return generation_of(database, host)


def renewal_start(stack: Stack) -> None:
    """What beat does every minute."""
    stack.manage("shell", "-v0", "-c", RENEW_NOW)


def renewed(stack: Stack, database: psycopg.Connection, host: str, before: int) -> None:
    """Has what is due renewed, and returns when this host's token was."""
    renewal_start(stack)
    wait_until(lambda: generation_of(database, host) > before, seconds=30, what=f"The token of {host} was not renewed")
