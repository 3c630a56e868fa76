"""Which signals of use a host needs: without one of these nobody says that a cluster there is idle."""

from collections.abc import Mapping
from typing import Any, Final

from accounts.errors import InvalidInput
from clusters.lifecycle.signal import SignalKind

REQUIRED: Final = "required"
OPTIONAL: Final = "optional"
BY_DEFAULT: Final[Mapping[SignalKind, str]] = {
    SignalKind.GATEWAY_PERSON: REQUIRED,
    SignalKind.GATEWAY_CI: REQUIRED,
    SignalKind.CREDENTIAL: REQUIRED,
    SignalKind.CHANGE: REQUIRED,
    SignalKind.CPU: OPTIONAL,
    SignalKind.INGRESS: OPTIONAL,
}
_KINDS: Final = ", ".join(SignalKind)


def signals_needed(told: Mapping[str, str]) -> dict[SignalKind, str]:
    """Each kind as required or optional. `told` is the host's `required_signals`: what it says for itself."""
    return {kind: told.get(kind, by_default) for kind, by_default in BY_DEFAULT.items()}


def required_kinds(told: Mapping[str, str]) -> frozenset[SignalKind]:
    """Those that are required."""
    return frozenset(kind for kind, need in signals_needed(told).items() if need == REQUIRED)


def required_signals_check(told: Mapping[str, Any]) -> None:
    """Raises InvalidInput, naming the kind."""
    for kind, need in told.items():
        if kind not in BY_DEFAULT:
            raise InvalidInput(
                f"There is no signal {str(kind)[:40]}.", field="required_signals", accepted=f"one of {_KINDS}"
            )
        if need not in (REQUIRED, OPTIONAL):
            raise InvalidInput(
                f"A signal is required or optional, and not {str(need)[:40]}.",
                field=f"required_signals.{kind}",
                accepted=f"{REQUIRED} or {OPTIONAL}",
            )
