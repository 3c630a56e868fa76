"""Logging in through the browser: the command shows a code, the person allows it there (RFC 8628's shape)."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Mapping

from marina_cli.client import Api
from marina_cli.clock import Clock
from marina_cli.durations import span
from marina_cli.errors import CliError, ExitCode, Unreachable
from marina_cli.output import note
from marina_cli.text import Json, word

PENDING = "authorization_pending"
SLOWER = "slow_down"
SLOWER_BY = 5
"""Seconds by which the pause grows when the server says that it is asked too often."""


def device_login(api: Api, clock: Clock, *, client_name: str, expires_in: int, browser: bool) -> Json:
    """Shows address and code, waits until the person has answered, and gives the token as the API made it."""
    body = {"client_name": client_name, "expires_in": expires_in}
    begun = api.change("POST", "/device-logins", body, repeat=False)
    note(f"Open {word(begun.get('verification_uri'))} and type the code {word(begun.get('user_code'))}")
    complete = str(begun.get("verification_uri_complete") or "")
    if browser and complete.startswith(("https://", "http://")) and webbrowser.open(complete):
        note("It is open in your browser.")
    note(f"Waiting until you allow it there, for {span(float(begun.get('expires_in') or 0))} at most ...")
    return _token(api, clock, begun)


def _token(api: Api, clock: Clock, begun: Json) -> Json:
    pause = float(begun.get("interval") or SLOWER_BY)
    end = clock.monotonic() + float(begun.get("expires_in") or 0)
    while clock.monotonic() < end:
        clock.sleep(pause)
        try:
            return api.change("POST", "/device-logins/token", {"device_code": begun["device_code"]}, repeat=False)
        except Unreachable:
            continue  # a network that is away for a moment: the next poll tells
        except CliError as error:
            if error.code == SLOWER:
                pause += SLOWER_BY
            elif error.code != PENDING and error.status not in (429, 502, 503, 504):
                error.exit_code = int(ExitCode.LOGIN)  # type: ignore[misc]
                raise
    raise CliError("Nobody allowed the login in time.", hint="Run the command again.", exit_code=ExitCode.LOGIN)


def browser_possible(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a browser that opens here would be seen by the person: not over SSH, and only with a desktop."""
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    desktop = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return bool(desktop) or sys.platform in ("darwin", "win32")


def terminal_there() -> bool:
    """Whether somebody is there to read the code."""
    return sys.stdin.isatty() and sys.stderr.isatty()
