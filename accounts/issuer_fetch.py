"""Fetching a small document of an issuer, and in words why it cannot be had."""

import http.client
import ssl
from typing import Final

from django.conf import settings

from accounts.outgoing_requests import AddressRefused, Bounds, NameUnknown, Outgoing

FETCH_SECONDS: Final = 3.0
DOCUMENT_BYTES: Final = 256 * 1024
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "marina"}


class FetchFailed(Exception):
    """The document cannot be had; the text completes a sentence and holds nothing of what was answered."""


def document_fetch(url: str) -> bytes:
    """The document at this address, which was checked before. Raises FetchFailed; follows no redirect."""
    outgoing = Outgoing(
        bounds=Bounds(each=FETCH_SECONDS, whole=FETCH_SECONDS, answer_bytes=DOCUMENT_BYTES + 1),
        allow_private=settings.FEDERATION_ALLOW_PRIVATE_ISSUERS,
    )
    try:
        answer = outgoing.send("GET", url, headers=_HEADERS)
    except AddressRefused:
        raise FetchFailed("its name leads to an address that is not on the internet") from None
    except NameUnknown:
        raise FetchFailed("its name could not be resolved") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed(_told(error)) from None
    if answer.status != 200:
        raise FetchFailed(f"it answered with status {answer.status}")
    if len(answer.body) > DOCUMENT_BYTES:
        raise FetchFailed(f"it answered with more than {DOCUMENT_BYTES // 1024} KiB")
    return answer.body


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer within {FETCH_SECONDS:g} s"
    if isinstance(error, ssl.SSLError):
        return "its certificate is not trusted, or it does not speak TLS"
    return f"it cannot be reached ({type(error).__name__})"
