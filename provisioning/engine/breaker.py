"""A host's breaker: closed while it answers, open while it does not, half-open while one operation tries.

Probes and failing steps feed it. While it is open no worker touches the host: operations wait, without an attempt.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from clusters.models import Breaker, HostCluster
from provisioning.engine.slots import slots_grant

log = structlog.get_logger(__name__)

_NEXT = {Breaker.OPEN: Breaker.HALF_OPEN, Breaker.HALF_OPEN: Breaker.CLOSED}


@transaction.atomic
def host_answered(*, host_ids: Collection[UUID], now: datetime) -> None:
    """These hosts were asked, and answered. A first answer lets one operation try; it, or the next one, lets all."""
    rows = HostCluster.objects.filter(pk__in=host_ids)
    # in one order, so that two rounds of probes never wait for each other
    locked = rows.order_by("pk").select_for_update(of=("self",), no_key=True).only("pk", "name", "breaker")
    tripped = [host for host in locked if host.breaker != Breaker.CLOSED]
    rows.update(failures=0, answered_at=now, probed_at=now)
    for host in tripped:
        _becomes(host, _NEXT[Breaker(host.breaker)], now)
        slots_grant(host_id=host.pk)


@transaction.atomic
def host_failed(*, host_id: UUID, why: str, now: datetime, certain: bool = False) -> None:
    """A host was asked and gave no answer: at BREAKER_FAILURES in a row, or at one while it was on trial, it opens.

    `certain`: it was asked again, by another connection; then it opens at once.
    """
    host = HostCluster.objects.select_for_update(of=("self",), no_key=True).filter(pk=host_id).first()
    if host is None:
        return
    host.failures += 1
    HostCluster.objects.filter(pk=host_id).update(failures=host.failures, probed_at=now)
    enough = certain or host.breaker == Breaker.HALF_OPEN or host.failures >= settings.BREAKER_FAILURES
    if enough and host.breaker != Breaker.OPEN:
        _becomes(host, Breaker.OPEN, now, why=why)


def host_trusted(*, host_id: UUID, now: datetime) -> None:
    """Its credential was proved just now: whatever was known of it before is over."""
    HostCluster.objects.filter(pk=host_id).update(
        breaker=Breaker.CLOSED, breaker_since=now, failures=0, answered_at=now, probed_at=now
    )
    slots_grant(host_id=host_id)


def _becomes(host: HostCluster, state: Breaker, now: datetime, **about: str) -> None:
    HostCluster.objects.filter(pk=host.pk).update(breaker=state, breaker_since=now)
    log.warning("a host's breaker changed", host=host.name, breaker=str(state), before=str(host.breaker), **about)
