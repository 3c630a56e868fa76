"""Tells "leave it as it is" from "make it empty" where None is a value."""

from enum import Enum
from typing import Final


class Unset(Enum):
    """Has one value, for defaults of parameters."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
