"""What the gateway answers in its own name: Kubernetes' Status, so that kubectl prints the sentence."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

REASONS: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "Timeout",
    409: "Conflict",
    410: "Gone",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""As in Kubernetes' metav1.StatusReason."""

SAFE: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)
"""On every answer: what comes through a service's proxy is a tenant's, and must not act in anybody's name here."""


class Refused(Exception):
    """The request ends here. `message` names the cluster and says what to do; it holds no secret.

    `why` is one word for metrics and logs, `reason` Kubernetes' own where it is not the status' usual one. `close`: the
    connection ends with this answer. `as_event`: it is told as a watch tells errors.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        why: str,
        retry_after: int | None = None,
        close: bool = False,
        reason: str = "",
        as_event: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.why = why
        self.retry_after = retry_after
        self.close = close
        self.reason = reason
        self.as_event = as_event


@dataclass(frozen=True)
class Answer:
    """A whole answer: small, and known at once."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def status_answer(refused: Refused) -> Answer:
    """What is sent for it."""
    details = {"retryAfterSeconds": refused.retry_after} if refused.retry_after else {}
    usual = REASONS.get(refused.status, HTTPStatus(refused.status).phrase.replace(" ", ""))
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refused.message,
        "reason": refused.reason or usual,
        "details": details,
        "code": refused.status,
    }
    if refused.as_event:
        return _event(status)
    body = json.dumps(status).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *SAFE]
    if refused.retry_after is not None:
        headers.append((b"retry-after", str(refused.retry_after).encode()))
    if refused.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="marina"'))
    if refused.close:
        headers.append((b"connection", b"close"))
    return Answer(refused.status, tuple(headers), body)


def _event(status: dict[str, object]) -> Answer:
    """The only event of a watch that ends with it."""
    body = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
    headers = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *SAFE)
    return Answer(200, headers, body)
