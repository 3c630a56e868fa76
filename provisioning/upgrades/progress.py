"""How far an upgrade has come: kept in its params, so that whoever takes it over goes on there."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final, Self

from clusters.upgrade_versions import Versions

WAY: Final = "way"
"""In the params of an `upgrade`."""


class PutBack(StrEnum):
    """What became of the hop at which it ended."""

    BACK = "back"
    """Its versions are again those from before that hop."""
    STAYS = "stays"
    """A newer minor has run, so it was not put back."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`hops[at]` is the one that is gone, from `back`; `began` and `installed` tell how far it is with that.

    `older`: uids of the control plane's pods before that hop. `since` is the seconds in its step at which its waiting
    began. `ran`: a control plane of that hop was seen to run.
    `silent`: what was not put back did not answer.
    """

    hops: tuple[Versions, ...]
    back: Versions
    at: int = 0
    began: bool = False
    older: tuple[str, ...] = ()
    installed: bool = False
    since: float = 0.0
    ran: bool = False
    put_back: str = ""
    silent: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self | None:
        """None before the way was found."""
        found = params.get(WAY)
        if found is None:
            return None
        hops = tuple(Versions.of_json(each) for each in found["hops"])
        older, back = tuple(found.get("older", ())), Versions.of_json(found["back"])
        known = {each.name for each in fields(cls)}  # a newer worker may have kept more
        plain = {name: value for name, value in found.items() if name in known}
        return cls(**{**plain, "hops": hops, "older": older, "back": back})

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        names = ("at", "began", "older", "installed", "since", "ran", "put_back", "silent")
        plain = {name: getattr(self, name) for name in names}
        return {**plain, "hops": [each.as_json() for each in self.hops], "back": self.back.as_json()}

    @property
    def over(self) -> bool:
        """Whether all hops are behind it."""
        return self.at >= len(self.hops)

    @property
    def hop(self) -> Versions:
        """The one at work."""
        return self.hops[self.at]

    def next_hop(self) -> "Progress":
        """As the one at work is done."""
        return Progress(hops=self.hops, back=self.hop, at=self.at + 1)

    def with_(self, **fields: Any) -> "Progress":
        """The same with other fields."""
        return replace(self, **fields)
