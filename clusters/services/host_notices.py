"""Tells who looks after a host that it does not answer, once, and once that it does again."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from accounts.models import User
from accounts.organization_admins import organization_admins_now
from accounts.services.notifications import About, notification_send
from clusters.models import Breaker, HostCluster, HostPhase

TOLD_AFTER: Final = timedelta(minutes=5)
"""So long a breaker has been open before anybody is bothered."""


@transaction.atomic
def hosts_tell(*, now: datetime) -> int:
    """Tells of hosts whose breaker has been open for TOLD_AFTER, and of those of which that was told and that are back.

    Says how many. What was told stands in the host's row, so each is told once. Run by a schedule.
    """
    hosts = HostCluster.objects.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("pk")
    hosts = hosts.select_related("organization").defer("capacity")
    connected = hosts.filter(phase=HostPhase.CONNECTED)
    silent = list(
        connected.filter(breaker=Breaker.OPEN, breaker_since__lte=now - TOLD_AFTER, silence_told_at__isnull=True)
    )
    back = list(hosts.filter(breaker=Breaker.CLOSED, silence_told_at__isnull=False))
    for host in silent:
        _tell(host, f"{_since(host)} Operations on it wait until it is back.", now)
    for host in back:
        _tell(host, f"The host {host.name} answers again. What waited for it goes on.", now)
    HostCluster.objects.filter(pk__in=[host.pk for host in silent]).update(silence_told_at=now)
    HostCluster.objects.filter(pk__in=[host.pk for host in back]).update(silence_told_at=None)
    return len(silent) + len(back)


def host_keepers(host: HostCluster) -> Iterable[User]:
    """Who looks after it: the admins of the organization whose own it is, else platform staff."""
    if host.organization is not None:
        return organization_admins_now(host.organization)
    return User.objects.filter(is_staff=True, is_active=True, is_service_account=False).order_by("handle")


def about_host(host: HostCluster) -> About:
    """What a notification is about."""
    return About(kind="host-cluster", id=host.pk, name=host.name, organization_id=host.organization_id)


def _since(host: HostCluster) -> str:
    since = host.answered_at or host.breaker_since
    return f"The host {host.name} has not answered since {since:%Y-%m-%d %H:%M} UTC."


def _tell(host: HostCluster, text: str, now: datetime) -> None:
    notification_send(
        recipients=host_keepers(host),
        kind="host-unreachable",
        about=about_host(host),
        text=text,
        now=now,
        command=f"marina host get {host.name}",
    )
