"""How large a request's body may be: as Kubernetes has it, so that nobody learns a second limit here."""

from typing import Final

from gateway.answers import Refused
from gateway.resources import Doing

LONGEST_BODY: Final = 3 * 1024 * 1024
"""Bytes: MaxRequestBodyBytes of Kubernetes' API server, for every object that it reads itself."""


def body_limit(doing: Doing) -> int | None:
    """The most bytes of a body that the API server would read for this; None where others read it.

    These are pods and services behind their proxy, and APIs that somebody has added: their own servers know.
    """
    own = "." not in doing.group or doing.group.endswith(".k8s.io")
    return LONGEST_BODY if doing.resource and own and doing.subresource != "proxy" else None


def too_large(limit: int) -> Refused:
    """In Kubernetes' words."""
    return Refused(413, f"Request entity too large: limit is {limit}", why="too-large")


class Measured:
    """Counts a body while it passes."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._bytes = 0

    def more(self, size: int) -> None:
        """So much more of it has come. Refused (413) where it is too much."""
        self._bytes += size
        if self._limit is not None and self._bytes > self._limit:
            raise too_large(self._limit)
