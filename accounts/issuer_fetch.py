"""Fetching a small document of an address that somebody else named: bounded in time, size and where it may lead."""

import http.client
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from accounts.webhook_addresses import address_refused

FETCH_SECONDS: Final = 3.0
DOCUMENT_BYTES: Final = 256 * 1024

# names are looked up and documents read in threads of their own: neither has a timeout that covers all of it
_threads: Final = ThreadPoolExecutor(max_workers=8, thread_name_prefix="issuer-fetch")


class FetchFailed(Exception):
    """The document cannot be had; the text completes a sentence and holds nothing of what was answered."""


class _Fetch:
    """One request. `give_up` ends it from another thread."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self.socket: socket.socket | None = None
        self.given_up = False

    def run(self) -> bytes:
        connection = http.client.HTTPConnection(self.parts.hostname or "", self.parts.port, timeout=FETCH_SECONDS)
        connection.sock = self.socket = self._connected()
        path = (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")
        try:
            headers = {"Host": _host(self.parts), "Accept": "application/json", "User-Agent": "marina"}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise FetchFailed(f"it answered with status {answer.status}")
            document = answer.read(DOCUMENT_BYTES + 1)
        finally:
            connection.close()
        if len(document) > DOCUMENT_BYTES:
            raise FetchFailed(f"it answered with more than {DOCUMENT_BYTES // 1024} KiB")
        return document

    def _connected(self) -> socket.socket:
        """To an address that was looked at: the name is not asked for a second time, which could answer otherwise."""
        secure, host = self.parts.scheme == "https", self.parts.hostname or ""
        port = self.parts.port or (443 if secure else 80)
        addresses = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        allowed = [each for each in addresses if _may_be_asked(each)]
        if not allowed:
            raise FetchFailed("its name leads to an address that is not on the internet")
        if self.given_up:
            raise FetchFailed("it took too long")
        plain = socket.create_connection((allowed[0], port), timeout=FETCH_SECONDS)
        if not secure:
            return plain
        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def give_up(self) -> None:
        self.given_up = True
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


def document_fetch(url: str) -> bytes:
    """The document at this address, which was checked before. Raises FetchFailed; follows no redirect."""
    fetch = _Fetch(url)
    running = _threads.submit(fetch.run)
    try:
        return running.result(timeout=FETCH_SECONDS)
    except TooLate:
        fetch.give_up()
        running.cancel()
        raise FetchFailed(f"it did not answer within {FETCH_SECONDS:g} s") from None
    except ssl.SSLError:
        raise FetchFailed("its certificate is not trusted, or it does not speak TLS") from None
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
        raise FetchFailed(f"it cannot be reached ({type(error).__name__})") from None


def _host(parts: SplitResult) -> str:
    """As the address has it, with a port where that names one."""
    return parts.netloc.rpartition("@")[2]


def _may_be_asked(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    return not address_refused(found, allow_private=settings.FEDERATION_ALLOW_PRIVATE_ISSUERS)
