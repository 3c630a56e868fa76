"""Until when those who write down use have written all that they saw. Their silence is not idleness."""

from datetime import datetime, timedelta
from typing import Final

from clusters.models import SignalSource

GATEWAY: Final = "gateway:"
"""Then the process: each one has its own books."""
BOOKS: Final = "books"
"""The task that gathers what gateways and services wrote down."""
GONE_AFTER: Final = timedelta(minutes=10)
"""A gateway that is silent for so long while others write has gone: whoever used it uses those."""
_FORGOTTEN_AFTER: Final = timedelta(days=30)


def signal_source_written(*, name: str, until: datetime) -> None:
    """Notes that this source has written all that it saw until then."""
    SignalSource.objects.update_or_create(name=name, defaults={"written_until": until})


def signal_source_ended(*, name: str, until: datetime) -> None:
    """A gateway that ended by itself holds nothing back. The last one stays, as the time until which is known."""
    others = SignalSource.objects.filter(name__startswith=GATEWAY).exclude(name=name)
    if others.filter(written_until__gte=until - GONE_AFTER).exists():
        SignalSource.objects.filter(name=name).delete()
    else:
        signal_source_written(name=name, until=until)


def signal_sources_forget(*, now: datetime) -> None:
    """Removes processes that have not been there for long; the newest gateway is always remembered."""
    old = SignalSource.objects.filter(name__startswith=GATEWAY, written_until__lt=now - _FORGOTTEN_AFTER)
    newest = SignalSource.objects.filter(name__startswith=GATEWAY).order_by("-written_until").values("pk")[:1]
    old.exclude(pk__in=list(newest.values_list("pk", flat=True))).delete()


def gateways_written_until(sources: dict[str, datetime]) -> datetime | None:
    """Until when all that went through gateways is known: as far as the slowest of those that are there has written.

    `sources` by name. None: no gateway has ever written.
    """
    gateways = [until for name, until in sources.items() if name.startswith(GATEWAY)]
    if not gateways:
        return None
    newest = max(gateways)
    return min(until for until in gateways if until > newest - GONE_AFTER)
