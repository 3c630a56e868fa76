"""Kubeconfigs that go past the gateway: sealed on their way to a key that is made for one run."""

from __future__ import annotations

from typing import Any

from marina_cli.errors import CliError, ExitCode, Unreachable
from marina_cli.exposure import is_unpublished, way_without_address, why_unpublished
from marina_cli.kubeconfig_file import kubeconfig_with_server
from marina_cli.operations import Operation, operation_read
from marina_cli.output import note
from marina_cli.sealed import OneTimeKey
from marina_cli.session import Session
from marina_cli.text import Json
from marina_cli.watch import operation_follow, succeeded_or_raise

GONE = 410
WAIT = 120
"""Seconds; a token is issued within one or two, unless the host is slow."""


class Silent:
    """Shows nothing: a kubeconfig comes too quickly for a timeline."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to put away."""

    def show(self, operation: Operation) -> None:
        """Nothing."""

    def say(self, sentence: str) -> None:
        """Remarks are told all the same."""
        note(sentence)


def direct_kubeconfig(
    session: Session, item: Json, *, level: str | None, expires_in: int | None, server: str | None
) -> str:
    """A new one for the virtual cluster, for another address of it where that is given."""
    if not server and is_unpublished(item):
        raise CliError(
            why_unpublished(item),
            hint=way_without_address(item),
            exit_code=ExitCode.CONFLICT,
        )
    request = {"level": level, "expires_in": expires_in}
    text = _issue(session, item, {key: value for key, value in request.items() if value is not None})
    return kubeconfig_with_server(text, server) if server else text


def _issue(session: Session, item: Json, request: dict[str, Any]) -> str:
    try:
        return _issue_once(session, item, request)
    except CliError as error:
        # the sealed text is told once: when that answer was lost, only a new one helps
        if not isinstance(error, _Lost):
            raise
    return _issue_once(session, item, request)


class _Lost(CliError):
    """The sealed text was not received and cannot be fetched again."""


def _issue_once(session: Session, item: Json, request: dict[str, Any]) -> str:
    key = OneTimeKey()
    answer = session.api.start(
        "POST", f"/virtual-clusters/{item['id']}/kubeconfigs", {**request, "public_key": key.public}
    )
    started = operation_read(answer["operation"])
    operation = succeeded_or_raise(
        operation_follow(started, api=session.api, clock=session.clock, timeout=WAIT, view=Silent())
    )
    try:
        result = session.api.get(f"/operations/{operation.id}/sealed-result", repeat=False)
    except Unreachable as error:
        raise _Lost(error.message, hint=error.hint, exit_code=ExitCode.UNREACHABLE) from None
    except CliError as error:
        if error.status == GONE:
            raise _Lost(error.message, hint="Run the same command again.") from None
        raise
    return key.open(str(result.get("sealed", "")))
