"""In which waves a rollout goes over its clusters, and how many failures halt it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final

from accounts.errors import InvalidInput

DEFAULT_WAVES: Final = ("1", "10%", "50%", "100%")
WAVES_MAXIMUM: Final = 20
WAVES_ACCEPTED: Final = (
    "growing numbers of clusters, or percent of all, each with those before it: 1, 10%, 50%, 100%; numbers come first"
)
BUDGET_ACCEPTED: Final = "a number of clusters such as 2, or percent of all such as 5%"
_AMOUNT: Final = re.compile(r"([0-9]{1,5})(%?)")


@dataclass(frozen=True)
class Amount:
    """So many clusters, or so many percent of all."""

    number: int
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> "Amount | None":
        """From `3` or `10%`; None for anything else."""
        match = _AMOUNT.fullmatch(text.replace(" ", ""))
        if match is None or (match[2] and int(match[1]) > 100):
            return None
        return cls(int(match[1]), percent=bool(match[2]))

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


def waves_read(texts: Sequence[str]) -> tuple[Amount, ...]:
    """What somebody wrote; without any the usual ones. What is left after the last is a wave of its own.

    Raises InvalidInput.
    """
    found = [_wave(index, text) for index, text in enumerate(texts or DEFAULT_WAVES)]
    if len(found) > WAVES_MAXIMUM:
        raise InvalidInput(
            f"{len(found)} waves are too many.", field="waves", accepted=f"at most {WAVES_MAXIMUM}; {WAVES_ACCEPTED}"
        )
    for index, (before, after) in enumerate(pairwise(found), 1):
        if (before.percent and not after.percent) or (
            before.percent == after.percent and before.number >= after.number
        ):
            raise InvalidInput(
                f"{after} after {before} is no growing wave.", field=f"waves[{index}]", accepted=WAVES_ACCEPTED
            )
    return tuple(found if found[-1] == Amount(100, percent=True) else [*found, Amount(100, percent=True)])


def _wave(index: int, text: str) -> Amount:
    amount = Amount.parse(text)
    if amount is None or amount.number == 0:
        raise InvalidInput(f"{text!r} is no wave.", field=f"waves[{index}]", accepted=WAVES_ACCEPTED)
    return amount


def waves_split(waves: Sequence[Amount], total: int) -> tuple[int, ...]:
    """The wave of each of so many clusters, in their order. A wave that adds none is left out."""
    ends = sorted({min(total, ceil(total * each.number / 100) if each.percent else each.number) for each in waves})
    found: list[int] = []
    for index, end in enumerate(ends):
        found += [index] * (end - len(found))
    return tuple(found)


def budget_read(text: str) -> Amount:
    """How much may fail. Raises InvalidInput."""
    amount = Amount.parse(text or "0")
    if amount is None:
        raise InvalidInput(f"{text!r} is no number of failures.", field="failure_budget", accepted=BUDGET_ACCEPTED)
    return amount


def budget_of(amount: Amount, total: int) -> int:
    """So many of these clusters may fail; one more halts the rollout."""
    return total * amount.number // 100 if amount.percent else amount.number
