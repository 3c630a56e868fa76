"""The record of single requests through the gateway: which ones there are, and how long they stay."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from accounts.models import RequestAudit
from clusters.models import GatewayRequest
from clusters.models.gateway_request import first_id_at

_AT_ONCE: Final = 5000


def request_recorded(*, wanted: str, reads: bool, always: bool) -> bool:
    """Whether a request is written down where its project wants this (none, writes, all).

    `always`: whatever the project says, as what platform staff do who broke the glass, and what is done by `--as`.
    """
    if always or wanted == RequestAudit.ALL:
        return True
    return wanted == RequestAudit.WRITES and not reads


def gateway_requests_add(*, requests: Sequence[GatewayRequest]) -> None:
    """Writes a batch. One that was written already is left as it is: who is not sure sends it again."""
    GatewayRequest.objects.bulk_create(requests, ignore_conflicts=True)


def gateway_requests_remove(*, now: datetime) -> int:
    """Forgets those that are older than REQUEST_AUDIT_DAYS (0: none); says how many. Run by a schedule.

    Some thousand in each transaction, so that it holds up nobody, however many there are.
    """
    if settings.REQUEST_AUDIT_DAYS <= 0:
        return 0
    old = GatewayRequest.objects.filter(pk__lt=first_id_at(now - timedelta(days=settings.REQUEST_AUDIT_DAYS)))
    removed = 0
    while True:
        some = old.order_by("pk").values("pk")[:_AT_ONCE]
        gone = GatewayRequest.objects.filter(pk__in=list(some.values_list("pk", flat=True)))._raw_delete("default")
        removed += gone
        if gone < _AT_ONCE:
            return removed
