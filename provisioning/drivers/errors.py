"""The one place where what the outside throws becomes an error of Marina's own.

Codes: unreachable, timeout, certificate, unauthorized, forbidden, not-found, conflict, invalid, too-many-requests,
server-error. The API server's own message is kept; credentials are taken out of every text that passes here.
"""

import http.client
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3.exceptions
import websocket
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import NewConnectionError  # a kind of timeout to urllib3, which it is not

from provisioning.engine.errors import PermanentError, StepError, TemporaryError

UNAUTHORIZED_HINT = "The credential has expired or was revoked: give Marina a new one."
CERTIFICATE_HINT = "Check the certificate authority and the server's name."

_LONGEST = 2000
_SECRETS = re.compile(
    r"-----BEGIN [^-]+-----.*?(?:-----END [^-]+-----|\Z)"  # PEM blocks
    r"|eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"  # JWTs
    r"|(?<=[Bb]earer )[^\s'\"]+",
    re.DOTALL,
)
_RBAC = re.compile(
    r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"(?: in API group "(?P<group>[^"]*)")?'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)


class NotFound(TemporaryError):
    """404. Temporary, because what is missing may be on its way; the attempt limit bounds the waiting."""


class ConflictError(TemporaryError):
    """409 and 410: somebody else changed it, or it is being deleted. Look again, then try again."""

    def __init__(self, message: str, *, reason: str = "Conflict", retry_after: float | None = None) -> None:
        super().__init__(message, code="conflict", retry_after=retry_after)
        self.reason = reason

    @property
    def already_exists(self) -> bool:
        """True when something was to be created that is there already."""
        return self.reason == "AlreadyExists"


class ForbiddenError(PermanentError):
    """403. `verb`, `resource` and `namespace` are set when a missing permission is the cause, "" otherwise."""

    def __init__(self, message: str, *, verb: str = "", resource: str = "", namespace: str = "") -> None:
        where = f"in namespace {namespace}" if namespace else "in the whole cluster"
        hint = f"Grant the credential the verb {verb} on {resource} {where}." if verb else ""
        super().__init__(message, code="forbidden", hint=hint)
        self.verb = verb
        self.resource = resource
        self.namespace = namespace


def redact(text: str, *secrets: str) -> str:
    """The text without the given secrets and without anything that looks like a token or a PEM block."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[removed]")
    text = _SECRETS.sub("[removed]", text).strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


class InvalidError(PermanentError):
    """422. `unchangeable`: it is of an object that is there, of which nobody may change what was to be changed."""

    def __init__(self, message: str, *, unchangeable: bool) -> None:
        super().__init__(message, code="invalid")
        self.unchangeable = unchangeable


_UNCHANGEABLE = re.compile(
    r"\bimmutable\b"  # "field is immutable", "spec is immutable after creation except ..."
    r"|\bmay not (?:be )?change|\bcannot change |\bcan ?not be (?:unset|less than)"
    r"|\bupdates to .* (?:are forbidden|for fields other than)|\bupdates may not change"
)
_DENIED = re.compile(r"\bdenied (?:the )?request\b")
"""By an admission policy or webhook, whose words are its author's."""


def _unchangeable(answer: Mapping[str, Any]) -> bool:
    """The causes are whole, where the message may quote so much that it is cut."""
    causes = (answer.get("details") or {}).get("causes") or []
    said = [str(answer.get("message") or ""), *(str(each.get("message") or "") for each in causes)]
    return any(map(_UNCHANGEABLE.search, said)) and not any(map(_DENIED.search, said))


@contextmanager
def converting(target: str) -> Iterator[None]:
    """Whatever the network or a client library throws inside comes out as a StepError that names the target."""
    try:
        yield
    except StepError:
        raise
    except websocket.WebSocketBadStatusException as error:
        body = error.resp_body if isinstance(error.resp_body, bytes) else b""
        raise response_error(error.status_code or 0, error.resp_headers or {}, body, target=target) from None
    except (ApiException, urllib3.exceptions.HTTPError, websocket.WebSocketException) as error:
        raise connection_error(error, target=target) from error
    except (OSError, http.client.HTTPException) as error:
        raise connection_error(error, target=target) from error
    except ValueError:
        # http.client quotes the header it refuses, and that header is the token: so neither text nor cause.
        message = f"The credential for {target} holds characters that cannot be sent."
        raise PermanentError(message, code="unauthorized") from None


def connection_error(error: BaseException, *, target: str) -> StepError:
    """No answer came: why not."""
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause.verify_message or str(cause), target)
        if isinstance(cause, ssl.SSLError) and _of_certificate(cause.reason or ""):
            return _refused_certificate(cause, target)
    if any(isinstance(cause, _TIMEOUTS) and not isinstance(cause, NewConnectionError) for cause in chain):
        return TemporaryError(f"{_start(target)} did not answer in time.", code="timeout")
    return TemporaryError(f"{_start(target)} cannot be reached: {_why(chain)}.", code="unreachable")


def response_error(status: int, headers: Mapping[str, str], body: bytes, *, target: str) -> StepError:
    """An answer came, and it was no success: what it means."""
    answer = _status_object(body)
    said = redact(str(answer.get("message") or body[:300].decode("utf-8", "replace") or f"HTTP status {status}"))
    message = f"{_start(target)} answered: {said}"
    wait = _retry_after(headers, answer.get("details") or {})
    reason = str(answer.get("reason") or "")
    if status == 401:
        return PermanentError(message, code="unauthorized", hint=UNAUTHORIZED_HINT)
    if status == 403:
        return forbidden_error(message, said)
    if status == 404:
        return NotFound(message, code="not-found")
    if status in (409, 410):
        return ConflictError(message, reason=reason or "Conflict", retry_after=wait)
    if status == 422:
        return InvalidError(message, unchangeable=_unchangeable(answer))
    return _other_status(status, message, wait)


def _other_status(status: int, message: str, wait: float | None) -> StepError:
    if status == 429:
        return TemporaryError(message, code="too-many-requests", retry_after=wait)
    if status in (408, 504):
        return TemporaryError(message, code="timeout", retry_after=wait)
    if status >= 500:
        return TemporaryError(message, code="server-error", retry_after=wait)
    return PermanentError(message, code="invalid")


def forbidden_error(message: str, said: str) -> StepError:
    """A 403, by what the API server said: a namespace on its way out is a conflict, all else is refused for good."""
    if "is being terminated" in said:
        return ConflictError(message, reason="NamespaceTerminating")
    found = _RBAC.search(said)
    if not found:
        return ForbiddenError(message)
    resource = f"{found['resource']}.{found['group']}" if found["group"] else found["resource"]
    return ForbiddenError(message, verb=found["verb"], resource=resource, namespace=found["namespace"] or "")


def _certificate(said: str, target: str) -> StepError:
    message = f"The certificate of {target} is not trusted: {redact(said)}."
    return PermanentError(message, code="certificate", hint=CERTIFICATE_HINT)


def _of_certificate(reason: str) -> bool:
    """Whether the server ended it because of our certificate. Other alerts tell of trouble that may pass."""
    return "ALERT" in reason and any(word in reason for word in _OF_CERTIFICATE)


def _refused_certificate(error: ssl.SSLError, target: str) -> StepError:
    message = f"{_start(target)} refused the client certificate: {redact(str(error.reason)).lower()}."
    return PermanentError(message, code="unauthorized", hint="Give Marina a new credential.")


_OF_CERTIFICATE = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR")
_TIMEOUTS = (TimeoutError, urllib3.exceptions.TimeoutError, websocket.WebSocketTimeoutException)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, and what libraries hide in their arguments; nearest first."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [part for part in cause.args if isinstance(part, BaseException)]
        waiting.append(cause.__cause__ or cause.__context__)


def _why(chain: list[BaseException]) -> str:
    """The deepest cause that the system gives in words: the layers above repeat it with memory addresses."""
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return redact(str(chain[-1])).rstrip(".") or type(chain[-1]).__name__


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _retry_after(headers: Mapping[str, str], details: dict[str, Any]) -> float | None:
    """Seconds. Kubernetes sends the header as a number; dates, which the standard also allows, count as absent."""
    sent = {name.lower(): value for name, value in headers.items()}.get("retry-after", "").strip()
    if sent.isdecimal():
        return float(sent)
    seconds = details.get("retryAfterSeconds")
    return float(seconds) if isinstance(seconds, int) and seconds > 0 else None


def _start(target: str) -> str:
    return target[:1].upper() + target[1:]
