"""A signal of use, as the decision reads it. Where signals come from stands in clusters/lifecycle/signals.py."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SignalKind(StrEnum):
    """What can be seen of a cluster's use. A host says which of them it needs (`required_signals`)."""

    GATEWAY_PERSON = "gateway-person"
    GATEWAY_CI = "gateway-ci"
    CREDENTIAL = "credential"
    CHANGE = "change"
    CPU = "cpu"
    INGRESS = "ingress"


class SignalState(StrEnum):
    """Whether it can be told. Unknown is never idle; unsupported is known to be missing for good."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Signal:
    """One kind of use of one cluster: when last and by whom, and until when it is known that nothing newer happened."""

    kind: SignalKind
    last_used_at: datetime | None
    """None: never."""
    who: str
    observed_at: datetime | None
    """None: never looked."""
    state: SignalState
    reason: str
    """Why it is not known; empty where it is."""
