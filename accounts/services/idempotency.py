"""Requests that act once: the answer is kept with the change, and given again to whoever repeats the request."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.errors import MarinaError
from accounts.models import IdempotentRequest, User
from accounts.models.base import new_id

KEPT_FOR: Final = timedelta(hours=24)


class KeyReused(MarinaError):
    """The key was used for another request already."""

    code = "idempotency-key-reused"
    status = 422


@dataclass(frozen=True)
class Claim:
    """This request is the first with its key (`answer` is None), or the answer the first one got."""

    row_id: uuid.UUID
    answer: IdempotentRequest | None


def idempotent_request_claim(*, user: User, key: str, fingerprint: str) -> Claim:
    """Takes the key for this request, within the caller's transaction.

    Where another transaction holds the same key it waits for its end: it then gets that one's answer, or, where that
    one was rolled back, the key. Raises KeyReused where the key belongs to another request.
    """
    mine = IdempotentRequest(id=new_id(), user=user, key=key, fingerprint=fingerprint)
    IdempotentRequest.objects.bulk_create([mine], ignore_conflicts=True)  # ON CONFLICT DO NOTHING waits for the holder
    found = IdempotentRequest.objects.get(user=user, key=key)
    if found.fingerprint != fingerprint:
        raise KeyReused(
            "This Idempotency-Key was used for another request within the last 24 hours.",
            hint="Send a new key with a new request; repeat a key only with exactly the same request.",
            field="Idempotency-Key",
        )
    return Claim(found.id, None if found.id == mine.id else found)


def idempotent_request_answer(*, claim: Claim, status: int, body: Any, headers: dict[str, str]) -> None:
    """Keeps the answer, to be committed with the change."""
    IdempotentRequest.objects.filter(pk=claim.row_id).update(status=status, body=body, headers=headers)


def idempotent_requests_remove(*, now: datetime) -> int:
    """Forgets requests older than 24 hours; says how many. Run by a schedule."""
    removed, _ = IdempotentRequest.objects.filter(created_at__lt=now - KEPT_FOR).delete()
    return removed
