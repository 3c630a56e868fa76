"""What was done through the gateway: one record a request, for those who keep books of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from clusters.services.gateway_access import Caller

from gateway.resources import Doing


@dataclass(frozen=True)
class Record:
    """One request that somebody was let in with. Never a body, a header or a query: they may hold secrets.

    `seconds` until the answer's head. `acting_as` is the user that `--as` asked for.
    """

    at: datetime
    caller: Caller
    doing: Doing
    status: int
    seconds: float
    address: str
    user_agent: str
    acting_as: str = ""


Bookkeeper = Callable[[Record], None]
"""Takes a record and returns at once."""
