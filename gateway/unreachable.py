"""Why a virtual API is not to be had: a sentence for its tenants, and all the rest for who runs hosts."""

import time
from typing import Final

import structlog

from provisioning.engine.errors import StepError

log = structlog.get_logger(__name__)

_NOT_UP: Final = "Its control plane is not up at the moment."
_NO_ANSWER: Final = "The host it runs on does not answer at the moment."
_NO_ENTRY: Final = "Marina cannot get in at the host it runs on; this is for who runs the hosts to mend."
_TOLD: Final = {
    "not-ready": _NOT_UP,
    "not-found": _NOT_UP,
    "conflict": _NOT_UP,
    "unreachable": _NO_ANSWER,
    "timeout": _NO_ANSWER,
    "server-error": _NO_ANSWER,
    "too-many-requests": _NO_ANSWER,
    "unauthorized": _NO_ENTRY,
    "forbidden": _NO_ENTRY,
    "certificate": _NO_ENTRY,
}
"""By the error's code. What it says itself names addresses, pods and accounts of the host: no tenant's business."""
_TOLD_AGAIN_SECONDS: Final = 30.0


class Unreachable(Exception):
    """The virtual API is not to be had now. `reason` is one word for metrics; the message is fit for the user."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


def reason_of(error: Exception) -> str:
    """One word."""
    if isinstance(error, StepError):
        return error.code
    return "timeout" if isinstance(error, TimeoutError) else "unreachable"


class Failures:
    """Of the way to one virtual API: each is told in the log as it is, the same one once in a while."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._last = ("", "")
        self._last_at = 0.0

    def unreachable(self, error: Exception, *, host: str) -> Unreachable:
        """What the user is told."""
        reason = reason_of(error)
        self._log(reason, error, host)
        said = _TOLD.get(reason, _NO_ANSWER) if isinstance(error, StepError) else ""
        return Unreachable(said or f"The API server of {self._cluster} cannot be reached.", reason=reason)

    def _log(self, reason: str, error: Exception, host: str) -> None:
        told, now = (reason, str(error)), time.monotonic()
        if told == self._last and now - self._last_at < _TOLD_AGAIN_SECONDS:
            return
        self._last, self._last_at = told, now
        log.warning(
            "a virtual API cannot be reached",
            cluster=self._cluster,
            host=host,
            reason=reason,
            error=str(error),
            hint=getattr(error, "hint", ""),
        )
