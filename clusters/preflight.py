"""What was found before an upgrade or a move: kept in the params of the operation that looked, and shown with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

OF: Final = "of"
"""In the params of a `preflight`: the kind of operation that it looks ahead of."""
REPORT: Final = "report"
"""In the params of `preflight`, `upgrade` and `migrate`: what was found."""
CHOICES: Final = "choices"
"""In the params of `upgrade` and `migrate`: what was chosen, by the name of the choice."""


class Weight(StrEnum):
    """What a finding means for what is to follow."""

    BLOCKS = "blocks"
    """It does not begin before this was mended."""
    CHOICE = "choice"
    """It does not begin before somebody chose."""
    NOTE = "note"
    """Worth knowing; it begins all the same."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found. `about` names the object; `message` and `hint` are sentences.

    Of a choice `choice` is its name and `options` what may be chosen, each with what it means.
    """

    weight: Weight
    code: str
    about: str
    message: str
    hint: str = ""
    choice: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """To be kept and shown."""
        return {
            "weight": self.weight,
            "code": self.code,
            "about": self.about,
            "message": self.message,
            "hint": self.hint,
            "choice": self.choice,
            "options": dict(self.options),
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found. `plan`: what will be done, in sentences; `expected`: seconds, by what they are of."""

    plan: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    expected: Mapping[str, float] = field(default_factory=dict)

    def in_the_way(self, chosen: Mapping[str, str]) -> tuple[Finding, ...]:
        """What it does not begin before: what blocks, and the choices that nobody made, or made wrong."""
        return tuple(
            each
            for each in self.findings
            if each.weight is Weight.BLOCKS
            or (each.weight is Weight.CHOICE and chosen.get(each.choice) not in each.options)
        )

    def as_json(self) -> dict[str, Any]:
        """To be kept and shown."""
        return {
            "plan": list(self.plan),
            "findings": [each.as_json() for each in self.findings],
            "expected": dict(self.expected),
        }
