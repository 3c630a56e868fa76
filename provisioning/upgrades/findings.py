"""What the findings of an upgrade are made of."""

from clusters.preflight import Finding, Weight


def blocks(code: str, about: str, message: str, hint: str = "") -> Finding:
    """What has to be mended first."""
    return Finding(weight=Weight.BLOCKS, code=code, about=about, message=message, hint=hint)


def note(code: str, about: str, message: str, hint: str = "") -> Finding:
    """What is worth knowing."""
    return Finding(weight=Weight.NOTE, code=code, about=about, message=message, hint=hint)
