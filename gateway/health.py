"""/livez and /readyz of the gateway itself, for probes and load balancers. They tell nothing of any cluster."""

from collections.abc import Callable

from gateway.answers import SAFE, Answer
from gateway.heads import Head


class Health:
    """`ready` says "" while the gateway can let new people in, else why it cannot."""

    def __init__(self, ready: Callable[[], str]) -> None:
        self._ready = ready

    def answer(self, head: Head) -> Answer | None:
        """The answer to a probe; None for every other request."""
        if head.path == b"/livez":
            return _text(200, "ok")
        if head.path == b"/readyz":
            why = self._ready()
            return _text(503 if why else 200, why or "ok")
        return None


def _text(status: int, text: str) -> Answer:
    body = text.encode()
    headers = ((b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *SAFE)
    return Answer(status, headers, body)
