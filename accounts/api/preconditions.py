"""ETag and If-Match: nobody overwrites a change that they have not seen.

An object's ETag is its `generation`, which grows with what is wanted of it; where it has none, the revision of its last
change.
"""

import re
from typing import Any, Final, Protocol

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidInput, PreconditionFailed
from accounts.models.revisions import Revised

_TAGS: Final = re.compile(r'^\s*(W/)?"[\x21\x23-\x7e]*"\s*(,\s*(W/)?"[\x21\x23-\x7e]*"\s*)*$')
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


class Versioned(Protocol):
    """What has a generation that grows with each change."""

    @property
    def generation(self) -> int: ...


def has_version(model: type[Any]) -> bool:
    """Whether objects of this model have an ETag."""
    return hasattr(model, "generation") or hasattr(model, "changed_in")


def _version(row: Any) -> str:
    generation = getattr(row, "generation", None)
    return f"r{row.changed_in}" if generation is None else str(generation)


def _words(row: Any) -> str:
    kind = "revision" if getattr(row, "generation", None) is None else "generation"
    return f"{kind} {_version(row).removeprefix('r')}"


def etag_of(row: Versioned | Revised) -> str:
    """The ETag header's value, quoted."""
    return f'"{_version(row)}"'


def etag_set(response: Response, row: Versioned | Revised) -> Response:
    """Writes the ETag header and gives the answer back."""
    response["ETag"] = etag_of(row)
    return response


def if_match_check(request: Request, row: Versioned | Revised) -> None:
    """Lets pass where If-Match is absent, `*`, or names the object's version.

    Raises PreconditionFailed where the object is another by now, InvalidInput where the header is malformed. Call it
    with the row locked, in the transaction of the change.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return
    if not _TAGS.match(header):
        raise InvalidInput(
            "The header If-Match could not be read.", field="If-Match", accepted='an ETag in quotes, like "3", or *'
        )
    # a weak tag never matches: If-Match compares strongly (RFC 9110, 13.1.1)
    named = {tag for weak, tag in _TAG.findall(header) if not weak}
    if _version(row) not in named:
        raise PreconditionFailed(
            f"It was changed since you read it: it is at {_words(row)} now.",
            hint="Read it again, look at what changed, and repeat your change with the new ETag.",
        )
