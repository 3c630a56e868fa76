"""What an API server says when it refuses an object, without what the object holds.

It quotes values, whole pods of a Job's template among them: passwords in their environment too. What came of a restore
is shown to whoever sees the cluster, and not only to those who may read its export.
"""

import re
from typing import Final

_QUOTING: Final = re.compile(
    r"(?P<kept>(?:Invalid|Unsupported) value): .*?(?P<why>: [^:]*)$"  # the last part is the reason
    r"|(?P<bare>Duplicate value|Not found|Invalid value|Unsupported value|Too long|Too many): .*$"
    r"|error found in #.*$",
    re.DOTALL,
)
_REMOVED: Final = "[value removed]"
_ENDS_A_VALUE: Final = ('"', "}", "'", "`", ")", " ...")
"""The last: the driver cut what was too long."""


def refusal_told(message: str) -> str:
    """Its first line, with the fields and the reason that it names, and no value. Of several errors the last reason."""
    first, *more = message.splitlines() or [""]
    text = _QUOTING.sub(_without, first.strip())
    return f"{text} ..." if more else text


def _without(found: re.Match[str]) -> str:
    named, why = found["kept"] or found["bare"], (found["why"] or "").rstrip("]").rstrip()
    if not named:
        return _REMOVED
    if not why or why.endswith(_ENDS_A_VALUE):  # no reason was given: this is still of the value
        return f"{named}: {_REMOVED}"
    return f"{named}: {_REMOVED}{why}"
