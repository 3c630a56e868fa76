"""What was done through the gateway: one record a request, for those who keep books of it."""

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from accounts.models import RequestAudit
from accounts.secret_names import secrets_removed
from clusters.models.cluster_use import CLIENT_LENGTH
from clusters.models.gateway_request import request_id_at
from clusters.services.gateway_access import Caller
from gateway.claimed import LONGEST_CLAIMS, LONGEST_NAME, Claimed
from gateway.resources import Doing


@dataclass(frozen=True)
class Record:
    """One request that somebody was let in with. Never a body, a header or a query: they may hold secrets.

    `seconds` until the answer's head. `acting_as`: whom `--as` asked for, if it did. `status` 0: it broke off before
    there was an answer. `refused_for`: why the gateway refused it itself. `wanted`: which requests its project wants
    written down. `polls`: nobody stands behind it (gateway/polling.py).
    """

    at: datetime
    caller: Caller
    doing: Doing
    status: int
    seconds: float
    address: str
    user_agent: str
    acting_as: Claimed | None = None
    refused_for: str = ""
    wanted: str = RequestAudit.WRITES
    polls: bool = False


Bookkeeper = Callable[[Record], None]
"""Takes a record and returns at once."""
Holder = Callable[[Record], AbstractContextManager[None]]
"""Within it the record's stream is open."""

_PRODUCT: Final = re.compile(rf"[a-z0-9._-]{{1,{CLIENT_LENGTH}}}")


def client_of(user_agent: str) -> str:
    """The kind of client by the first word of its User-Agent: kubectl, helm, argocd-server; empty where none is."""
    match = _PRODUCT.match(user_agent.lower())
    return match.group() if match else ""


def request_told(record: Record) -> dict[str, Any]:
    """The record as columns of GatewayRequest, each cut to what fits and without what cannot be shown."""
    caller, doing, other = record.caller, record.doing, record.acting_as or Claimed()
    return {
        "id": request_id_at(record.at),
        "at": record.at,
        "organization_id": caller.organization_id,
        "project_id": caller.project_id,
        "cluster_id": caller.cluster_id,
        "cluster": caller.cluster_name[:130],
        "user_id": caller.user_id,
        "user": caller.handle,
        "by_token": caller.token[:60],
        "access": caller.level,
        "broken_glass": caller.broken_glass,
        "acting_as": _plain(other.user, LONGEST_NAME),
        "acting_as_uid": _plain(other.uid, LONGEST_NAME),
        "acting_as_groups": _names(other.groups),
        "acting_as_extras": _names(other.extras),
        "verb": _plain(doing.verb, 20),
        "group": _plain(doing.group, 253),
        "version": _plain(doing.version, 63),
        "resource": _plain(doing.resource, 100),
        "subresource": _plain(doing.subresource, 100),
        "namespace": _plain(doing.namespace, 253),
        "name": _plain(doing.name, 253),
        "path": "" if doing.resource else _plain(doing.path, 300),
        "status": record.status,
        "refused_for": record.refused_for[:40],
        "seconds": round(record.seconds, 4),
        "address": _address(record.address),
        "user_agent": _plain(record.user_agent, 200),
    }


def _plain(text: str, most: int) -> str:
    """Clients may send anything: NUL, which no column takes, what would forge lines of a log, a token in a name."""
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[: 2 * most])
    return str(secrets_removed(shown))[:most]


def _names(texts: Iterable[str]) -> list[str]:
    """As many of them as fit. None is missing of a request that was not refused (gateway/claimed.py)."""
    kept, room = list[str](), LONGEST_CLAIMS
    for text in texts:
        room -= len(text)
        if room < 0:
            break
        kept.append(_plain(text, LONGEST_NAME))
    return kept


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None
