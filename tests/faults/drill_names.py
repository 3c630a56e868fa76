"""What drilling workers and the tests that watch them both know."""

NAMESPACE = "drills"
EFFECTS = ("first", "second", "third")
PAUSE_SECONDS = 0.2


def effect_name(operation: str, key: str) -> str:
    """The object that a step of an operation makes."""
    return f"drill-{operation}-{key}"
