"""What helm's words on its error stream mean."""

import re

from provisioning.drivers.child import Finished
from provisioning.drivers.errors import CERTIFICATE_HINT, UNAUTHORIZED_HINT, ConflictError, forbidden_error, redact
from provisioning.engine.errors import PermanentError, StepError, TemporaryError

IN_PROGRESS = "another operation (install/upgrade/rollback) is in progress"
NO_DEPLOYED = "has no deployed releases"
NOT_FOUND = "release: not found"

_NOISE = re.compile(r"^(?:WARNING:|level=|time=|\d{4}/\d{2}/\d{2} |[IWE]\d{4} ).*$", re.MULTILINE)

_PREFIX = re.compile(r"^Error: (?:(?:INSTALLATION|UPGRADE) FAILED: )?")

# The first that fits counts. More telling words stand before those that often come with them.
_PERMANENT = (
    ("values", "values don't meet the specifications of the schema"),
    ("certificate", "x509: |certificate signed by unknown authority|failed to verify certificate"),
    ("unauthorized", r"asked for the client to provide credentials|\bUnauthorized\b"),
    ("invalid", r"\bis invalid: |unable to build kubernetes objects|Invalid value: "),
    ("chart", "execution error at|parse error at|error calling |chart requires kubeVersion"),
    ("chart", r"path .* not found|Chart\.yaml file is missing|chart .* not found|no chart version found"),
)
_TEMPORARY = (
    ("conflict", re.escape(IN_PROGRESS) + "|conflicts? with |object has been modified|already exists"),
    ("timeout", r"deadline exceeded|i/o timeout|timed out|Client\.Timeout|TLS handshake timeout"),
    ("too-many-requests", "too many requests|TooManyRequests"),
    ("unreachable", r"cluster unreachable|connection refused|connection reset|no such host|\bEOF\b|no route"),
    ("server-error", "Internal error occurred|InternalError|ServiceUnavailable|unable to handle the request"),
)

# The same as where Marina itself is refused.
_HINTS = {"certificate": CERTIFICATE_HINT, "unauthorized": UNAUTHORIZED_HINT}


def helm_error(doing: str, finished: Finished, *secrets: str) -> StepError:
    """`doing` begins the sentence, as in "Installing release x"."""
    said = said_by(finished, *secrets)
    if finished.timed_out:
        message = f"{doing} took too long and was stopped{': ' + said if said else ''}."
        return TemporaryError(message, code="timeout")
    if finished.code > 128 and not said:
        return TemporaryError(f"{doing} was interrupted.", code="interrupted")
    message = f"{doing} failed: {said or f'helm ended with code {finished.code} and said nothing'}"
    for code, words in _PERMANENT:
        if re.search(words, said):
            return PermanentError(message, code=code, hint=_HINTS.get(code, ""))
    if "forbidden" in said:
        return forbidden_error(message, said)
    for code, words in _TEMPORARY:
        if re.search(words, said):
            return ConflictError(message) if code == "conflict" else TemporaryError(message, code=code)
    return TemporaryError(message, code="helm")


def said_by(finished: Finished, *secrets: str) -> str:
    """Helm's own sentence: the error stream without warnings and log lines."""
    text = redact(_NOISE.sub("", finished.errors), *secrets)
    return re.sub(r"\n{2,}", "\n", _PREFIX.sub("", text)).strip()
