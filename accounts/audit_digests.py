"""How audit rows and segments are written down for their digests: the same text from the same row, for ever.

Form 1, so that anybody can compute it from an export: a row is its columns below as JSON, keys sorted, without blanks,
in ASCII; times in UTC with microseconds, absent values null. Its digest is SHA-256 of that, in hex. A segment's digest
is SHA-256 of the JSON of [form, organization or null, number, digest of the seal before, [digests of its rows]].
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from accounts.models import AuditEvent

FORM: Final = 1
COLUMNS: Final = (
    "id",
    "created_at",
    "actor_id",
    "actor",
    "token_prefix",
    "address",
    "source",
    "user_agent",
    "request_id",
    "action",
    "object_kind",
    "object_id",
    "object_name",
    "organization_id",
    "result",
    "before",
    "after",
    "details",
)


def row_content(event: AuditEvent) -> dict[str, Any]:
    """The row as JSON has it; also what exports say."""
    return {name: _plain(getattr(event, name)) for name in COLUMNS}


def row_digest(event: AuditEvent) -> str:
    """In hex."""
    return _digest(row_content(event))


def segment_digest(*, organization_id: UUID | None, number: int, previous: str, rows: Sequence[str]) -> str:
    """In hex; `rows` are the digests of its rows, in their order."""
    return _digest([FORM, _plain(organization_id), number, previous, list(rows)])


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, UUID) else value
