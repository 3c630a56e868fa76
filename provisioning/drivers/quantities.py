"""Kubernetes quantities ("250m", "2Ti", "1e3") as whole numbers, by the official client's own reader."""

from decimal import ROUND_CEILING, Decimal

from kubernetes.utils import parse_quantity


def millicores(quantity: object) -> int:
    """Of CPU, rounded up as the scheduler does it. 0 for what is absent or no quantity."""
    return _whole(quantity, 1000)


def units(quantity: object) -> int:
    """Bytes of memory, or a number of pods; rounded up. 0 for what is absent or no quantity."""
    return _whole(quantity, 1)


def _whole(quantity: object, times: int) -> int:
    if quantity is None or quantity == "":
        return 0
    try:
        number: Decimal = parse_quantity(quantity)  # type: ignore[no-untyped-call]
    except (ValueError, ArithmeticError):
        return 0
    return int((number * times).to_integral_value(ROUND_CEILING))
