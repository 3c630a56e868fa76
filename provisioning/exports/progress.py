"""How far a restore has come, as its operation keeps it: enough for another worker to go on from there."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from provisioning.exports.identity import ObjectId
from provisioning.exports.making import Made, Outcome

MOST_TOLD: Final = 500
"""So many objects are told of one by one; all are counted."""
WELL: Final = (Outcome.CREATED, Outcome.SAME, Outcome.OVERWRITTEN, Outcome.REMADE)


@dataclass
class Progress:
    """`at`: how many of the plan were tried. `again`: the numbers of those that are tried once more at the end.

    `told`: what is worth telling of single objects, by number: outcome and note.
    """

    at: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    again: list[int] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)
    waits_for: str = ""
    waits_since: str = ""

    @classmethod
    def of_json(cls, stored: Mapping[str, Any] | None) -> "Progress":
        """As it was kept; a beginning where nothing was."""
        if not stored:
            return cls()
        return cls(**{**stored, "counts": Counter(stored["counts"])})

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        return {
            "at": self.at,
            "counts": dict(self.counts),
            "again": list(self.again),
            "told": dict(self.told),
            "waits_for": self.waits_for,
            "waits_since": self.waits_since,
        }

    def note(self, number: int, made: Made) -> None:
        """What became of the object with this number in the plan."""
        self.counts[made.outcome] += 1
        if (made.note or made.outcome not in WELL) and len(self.told) < MOST_TOLD:
            self.told[str(number)] = [made.outcome, made.note]

    def waited(self, what: ObjectId | str, now: datetime) -> float:
        """For how many seconds this has been waited for; what was waited for before is over."""
        if self.waits_for != str(what):
            self.waits_for, self.waits_since = str(what), now.isoformat()
        return (now - datetime.fromisoformat(self.waits_since)).total_seconds()
