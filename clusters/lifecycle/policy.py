"""What counts for one cluster: platform defaults < organization < project < cluster, each field by itself.

Personal projects, and clusters that a service account made, begin with defaults of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from django.conf import settings

FIELDS: Final = ("sleep_after", "delete_after", "warn_before", "never_sleep", "never_delete", "extension_maximum")
PLATFORM: Final = "the platform's defaults"


class Says(Protocol):
    """What one scope says; None says nothing. A LifecyclePolicy row is one."""

    sleep_after: Any
    delete_after: Any
    warn_before: Any
    never_sleep: Any
    never_delete: Any
    extension_maximum: Any


class Defaults(StrEnum):
    """Which defaults a cluster begins with."""

    STANDARD = "standard"
    PERSONAL = "personal"
    CI = "ci"


@dataclass(frozen=True, kw_only=True)
class ResolvedPolicy:
    """What counts. None: never. `origins` says for each field where it is from."""

    sleep_after: timedelta | None
    delete_after: timedelta | None
    warn_before: tuple[timedelta, ...]
    """From the longest to the shortest; at least two."""
    extension_maximum: timedelta
    origins: Mapping[str, str] = field(default_factory=dict)


def defaults_kind(*, personal: bool, by_program: bool) -> Defaults:
    """Which defaults count: what a program made is nobody's pet, also in somebody's own project."""
    if by_program:
        return Defaults.CI
    return Defaults.PERSONAL if personal else Defaults.STANDARD


def platform_defaults(kind: Defaults) -> dict[str, Any]:
    """As the settings have them; 0 there says never."""
    middle = "" if kind is Defaults.STANDARD else f"{kind.upper()}_"
    sleep_after = getattr(settings, f"CLEANUP_{middle}SLEEP_AFTER_SECONDS")
    delete_after = getattr(settings, f"CLEANUP_{middle}DELETE_AFTER_SECONDS")
    return {
        "sleep_after": sleep_after,
        "delete_after": delete_after,
        "warn_before": list(settings.CLEANUP_WARN_BEFORE_SECONDS),
        "never_sleep": not sleep_after,
        "never_delete": not delete_after,
        "extension_maximum": settings.CLEANUP_EXTENSION_MAXIMUM_SECONDS,
    }


def policy_resolve(kind: Defaults, scopes: Iterable[tuple[str, Says]]) -> ResolvedPolicy:
    """`scopes`: from the widest to the narrowest, each with what to call it. The last that says something counts.

    A span without a `never` beside it ends a `never` that was said further out: who says "after 3 days" means it.
    """
    said = platform_defaults(kind)
    origins = dict.fromkeys(FIELDS, PLATFORM)
    for origin, says in scopes:
        for name, value in _said(says).items():
            said[name], origins[name] = value, origin
    return ResolvedPolicy(
        sleep_after=None if said["never_sleep"] else timedelta(seconds=said["sleep_after"]),
        delete_after=None if said["never_delete"] else timedelta(seconds=said["delete_after"]),
        warn_before=tuple(timedelta(seconds=each) for each in sorted(said["warn_before"], reverse=True)),
        extension_maximum=timedelta(seconds=said["extension_maximum"]),
        origins=origins,
    )


def _said(says: Says) -> dict[str, Any]:
    found = {name: getattr(says, name) for name in FIELDS if getattr(says, name) is not None}
    for span, never in (("sleep_after", "never_sleep"), ("delete_after", "never_delete")):
        if span in found and never not in found:
            found[never] = False
    return found
