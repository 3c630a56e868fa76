"""One attempt to send one mail: what the server said of it, and when to try again."""

import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

log = structlog.get_logger(__name__)

CLAIMED_FOR: Final = timedelta(minutes=10)
"""So long a batch may take, each step of a mail at most EMAIL_TIMEOUT_SECONDS; then another job sends the rest."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=2)
TRIED_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True)
class Refusal:
    """Why a mail was not taken: a sentence without address or content. `final`: trying again is of no use."""

    sentence: str
    final: bool = False


def mail_connection() -> BaseEmailBackend | Refusal:
    """An open connection to the configured server, for several mails."""
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("the mail server cannot be reached", error=type(error).__name__)
        return Refusal(f"The mail server cannot be reached ({type(error).__name__}).")
    return connection


def mail_attempt(connection: BaseEmailBackend, message: Callable[[], EmailMultiAlternatives]) -> Refusal | None:
    """Sends it; None where the server took it."""
    try:
        connection.send_messages([message()])
    except smtplib.SMTPRecipientsRefused as error:
        return _refused("the recipient", max((code for code, _ in error.recipients.values()), default=450))
    except smtplib.SMTPResponseException as error:
        return _refused("the mail", error.smtp_code)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # ValueError: an address or a header that no mail can have (BadHeaderError)
        return Refusal(f"It could not be sent ({type(error).__name__}).")
    return None


def _refused(what: str, code: int) -> Refusal:
    """5xx is the server's last word, 4xx is not (RFC 5321, 4.2.1)."""
    return Refusal(f"The mail server refused {what} ({code}).", final=code >= 500)


def next_attempt(*, attempts: int, since: datetime, now: datetime) -> datetime | None:
    """When to try again after so many attempts; None where it was tried for long enough."""
    # attempts may be many after a long absence of the server: the exponent is bounded, not only the pause
    pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)
    return None if now + pause > since + TRIED_FOR else now + pause
