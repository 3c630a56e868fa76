"""One request to a webhook's receiver, and in words why no answer came."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from accounts.outgoing_addresses import Resolver, resolve
from accounts.outgoing_requests import AddressRefused, Answer, Bounds, NameUnknown, Outgoing

ANSWER_BYTES: Final = 64 * 1024
"""So much of an answer is read."""


class Undelivered(Exception):
    """No answer came. Its text is a sentence for people; it quotes neither secret nor address."""


@dataclass(frozen=True)
class Transport:
    """How requests are sent; tests give it another resolver or other certificates."""

    resolver: Resolver = resolve
    tls: ssl.SSLContext | None = None

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Sends the request and reads the answer, of any status. Raises Undelivered."""
        timeout = float(settings.WEBHOOK_TIMEOUT_SECONDS)
        outgoing = Outgoing(
            bounds=Bounds(each=timeout, whole=2 * timeout, answer_bytes=ANSWER_BYTES),
            allow_private=settings.WEBHOOK_ALLOW_PRIVATE,
            resolver=self.resolver,
            tls=self.tls,
        )
        try:
            return outgoing.send("POST", url, body=body, headers=headers)
        except NameUnknown:
            raise Undelivered("The name of the receiver could not be resolved.") from None
        except AddressRefused as refused:
            raise Undelivered(f"The name of the receiver leads to {refused}: nothing is delivered there.") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Undelivered(_sentence(error)) from None


def _sentence(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "The receiver did not answer in time."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The receiver's certificate is not trusted ({error.verify_message})."
    if isinstance(error, ssl.SSLError):
        return "No TLS connection could be made with the receiver."
    if isinstance(error, ConnectionRefusedError):
        return "The receiver refused the connection."
    if isinstance(error, http.client.HTTPException):
        return "The receiver did not speak HTTP."
    return f"The connection failed ({type(error).__name__})."
