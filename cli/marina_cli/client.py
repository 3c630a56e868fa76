"""Talking to Marina's API over HTTP: retries, idempotency keys, pages, errors."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx

from marina_cli import __version__
from marina_cli.clock import Clock
from marina_cli.config import Context
from marina_cli.errors import CliError, Unreachable, UsageProblem
from marina_cli.problem import problem_to_error
from marina_cli.server_address import is_loopback, server_address
from marina_cli.text import Json

PREFIX = "/api/v1"
RETRY_DELAYS = (0.2, 0.6, 1.5)
"""Seconds between the tries of one request."""
LONGEST_RETRY_AFTER = 60
"""A server that asks for a longer pause (seconds) is not waited for."""


class Api:
    """One server as one user. Every method raises CliError with the server's own words."""

    def __init__(
        self, context: Context, *, clock: Clock, basic: tuple[str, str] | None = None, patience: float = 0
    ) -> None:
        self.server = server_address(context.server, insecure_http=context.insecure_http)
        self._clock = clock
        self._delays = () if patience else RETRY_DELAYS
        url = httpx.URL(self.server)
        headers = {"User-Agent": f"marina-cli/{__version__}", "Accept": "application/json, */*;q=0.5"}
        if context.token and basic is None:
            headers["Authorization"] = f"Bearer {context.token}"
        self._http = httpx.Client(
            base_url=self.server + PREFIX,
            headers=headers,
            auth=basic,
            verify=_tls(context.ca_file) if url.scheme == "https" else False,
            timeout=httpx.Timeout(patience or 30, connect=patience or 5),
            # a proxy of the environment has no business between this machine and itself
            trust_env=not is_loopback(url.host),
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, repeat: bool = True) -> Json:
        """Read one object. `repeat=False` for what the server tells only once."""
        return self._json(self._send("GET", path, params=params, repeat=repeat))

    def text(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """Read something that is no JSON."""
        return self._send("GET", path, params=params).text

    def lines(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[str]:
        """What the server sends line by line, as it comes; an error where it breaks off."""
        try:
            with self._http.stream("GET", path, params=params) as response:
                if not response.is_success:
                    response.read()
                    self._accepted(response)
                yield from (line for line in response.iter_lines() if line)
        except httpx.TransportError as error:
            raise unreachable(self.server, error) from None

    def content(self, path: str) -> Iterator[bytes]:
        """What is no text, as it comes; an error where it breaks off."""
        try:
            with self._http.stream("GET", path, timeout=httpx.Timeout(300, connect=5)) as response:
                if not response.is_success:
                    response.read()
                    self._accepted(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise unreachable(self.server, error) from None

    def pages(self, path: str, params: Mapping[str, Any] | None = None, *, limit: int = 0) -> Iterator[Json]:
        """Every object of a list, page after page; at most `limit` when that is given."""
        query: Mapping[str, Any] = {"page_size": min(limit, 200) if limit else 200, **(params or {})}
        count = 0
        while True:
            page = self.get(path, query)
            for item in page.get("results", []):
                yield item
                count += 1
                if limit and count >= limit:
                    return
            if not page.get("next"):
                return
            # only the question is taken from the link, so that a wrong one cannot lead the token elsewhere
            query = dict(httpx.URL(str(page["next"])).params)

    def start(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        dry_run: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Start work. One key for all tries, so that a request whose answer was lost is not done twice.

        A dry run is answered the same, after every check, and starts nothing. A server that does not know of it would
        do it in earnest, so its answer has to say that it was one.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        asked = {**(params or {}), **(_tried(dry_run) or {})}
        response = self._send(method, path, params=asked or None, body=body, headers=headers)
        return self._json(self._tried_check(response, dry_run))

    def change(
        self, method: str, path: str, body: Json | None = None, *, repeat: bool = True, dry_run: bool = False
    ) -> Json:
        """Change something at once (PATCH, DELETE, or a POST that starts no work, which is never repeated).

        A dry run as with `start`.
        """
        response = self._send(method, path, params=_tried(dry_run), body=body, repeat=repeat)
        return self._json(self._tried_check(response, dry_run))

    def _tried_check(self, response: httpx.Response, dry_run: bool) -> httpx.Response:
        if dry_run and response.headers.get("marina-dry-run") != "true":
            raise CliError(f"{self.server} does not know dry runs, and may have done it.", hint="Look what is there.")
        return response

    def edit(self, path: str, changed: Callable[[Json], Json], *, dry_run: bool = False) -> Json:
        """Change an object to what `changed` makes of it as it is; a conflict where somebody was quicker (If-Match)."""
        response = self._send("GET", path)
        tag = response.headers.get("etag", "")
        headers = {"If-Match": tag} if tag else None
        body = changed(self._json(response))
        response = self._send("PATCH", path, params=_tried(dry_run), body=body, headers=headers)
        return self._json(self._tried_check(response, dry_run))

    def _json(self, response: httpx.Response) -> Json:
        if response.status_code == 204 or not response.content:
            return {}
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CliError(
                f"{self.server} does not speak Marina's API: {response.request.url.path} is no JSON object there.",
                hint="Check the address; `marina login SERVER` takes the one you open in the browser.",
            )
        return document

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> httpx.Response:
        for delay in (*self._delays, None):
            try:
                response = self._http.request(method, path, params=params, json=body, headers=headers)
            except httpx.TransportError as error:
                if delay is None or not _may_repeat(error, repeat):
                    raise unreachable(self.server, error) from None
            else:
                delay = _retry_pause(response, delay, repeat)
                if delay is None:
                    return self._accepted(response)
            self._clock.sleep(delay)
        raise AssertionError("the last try either returns or raises")

    def _accepted(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        if response.is_redirect:
            raise CliError(
                f"{self.server} sends on to {response.headers.get('location')}.",
                hint="Log in with the address it sends you to: `marina login SERVER`.",
            )
        raise problem_to_error(response, self.server)


def _tried(dry_run: bool) -> Mapping[str, str] | None:
    return {"dry_run": "true"} if dry_run else None


def _retry_pause(response: httpx.Response, delay: float | None, repeat: bool) -> float | None:
    """Seconds until the next try, None when this answer is the last word."""
    busy = response.status_code == 429 or (repeat and response.status_code in (502, 503, 504))
    if delay is None or not busy:
        return None
    asked = response.headers.get("retry-after", "")
    pause = float(asked) if asked.isdecimal() else delay
    return pause if pause <= LONGEST_RETRY_AFTER else None


def _may_repeat(error: httpx.TransportError, repeat: bool) -> bool:
    never_arrived = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
    return (repeat or never_arrived) and "CERTIFICATE_VERIFY_FAILED" not in str(error)


def _tls(ca_file: str) -> ssl.SSLContext:
    """The certificates to trust: `--ca-file`, else SSL_CERT_FILE or SSL_CERT_DIR, else the usual public ones."""
    cafile, capath = ca_file or os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        if cafile:
            return ssl.create_default_context(cafile=cafile)
        return ssl.create_default_context(capath=capath) if capath else httpx.create_ssl_context()
    except OSError as error:
        raise UsageProblem(
            f"The CA file {cafile} cannot be used: {error.strerror or error}.",
            hint="Give a PEM file with --ca-file or SSL_CERT_FILE.",
        ) from None


def unreachable(server: str, error: httpx.TransportError) -> Unreachable:
    """Which server did not answer, why, and what to check."""
    reason = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return Unreachable(
            f"The certificate of {server} is not trusted ({reason.split(': ', 1)[-1]}).",
            hint="If the server has a private CA, give its file with `marina login SERVER --ca-file FILE`.",
        )
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(
            f"{server} did not answer in time.", hint="Check the network, VPN or proxy between you and it."
        )
    if "refused" in reason.lower():
        return Unreachable(
            f"{server} refused the connection: nothing listens there.",
            hint="Check the address and port (`marina context list`), and that the server is running.",
        )
    return Unreachable(
        f"{server} cannot be reached: {reason or type(error).__name__}.",
        hint="Check the address (`marina context list`), and the network, VPN or proxy between you and it.",
    )
