"""What counts for one cluster: organization < project < cluster, channel and window each by themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from clusters.lifecycle.windows import Window
from clusters.models import UpgradeChannel


class SaysUpgrade(Protocol):
    """What one scope says; what is empty says nothing. An UpgradePolicy row is one."""

    channel: str
    window_cron: str
    window_seconds: int | None
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class ResolvedUpgradePolicy:
    """What counts. `origins` says for channel and window where they are from."""

    channel: UpgradeChannel = UpgradeChannel.NONE
    window: Window | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


def upgrade_policy_resolve(scopes: Iterable[tuple[str, SaysUpgrade]]) -> ResolvedUpgradePolicy:
    """`scopes`: from the widest to the narrowest, each with what to call it. The last that says something counts."""
    channel, window, origins = UpgradeChannel.NONE, None, {}
    for origin, says in scopes:
        if says.channel:
            channel, origins["channel"] = UpgradeChannel(says.channel), origin
        if says.window_cron and says.window_seconds:
            window = Window(cron=says.window_cron, seconds=says.window_seconds, time_zone=says.time_zone)
            origins["window"] = origin
    return ResolvedUpgradePolicy(channel=channel, window=window, origins=origins)
