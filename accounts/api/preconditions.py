"""ETag and If-Match: nobody overwrites a change that they have not seen. An object's ETag is its `generation`."""

import re
from typing import Final, Protocol

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidInput, PreconditionFailed

_TAGS: Final = re.compile(r'^\s*(W/)?"[\x21\x23-\x7e]*"\s*(,\s*(W/)?"[\x21\x23-\x7e]*"\s*)*$')
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


class Versioned(Protocol):
    """What has a generation that grows with each change."""

    @property
    def generation(self) -> int: ...


def etag_of(row: Versioned) -> str:
    """The ETag header's value, quoted."""
    return f'"{row.generation}"'


def etag_set(response: Response, row: Versioned) -> Response:
    """Writes the ETag header and gives the answer back."""
    response["ETag"] = etag_of(row)
    return response


def if_match_check(request: Request, row: Versioned) -> None:
    """Lets pass where If-Match is absent, `*`, or names the object's generation.

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
    if str(row.generation) not in named:
        raise PreconditionFailed(
            f"It was changed since you read it: it is at generation {row.generation} now.",
            hint="Read it again, look at what changed, and repeat your change with the new ETag.",
        )
