"""The server's refusals (RFC 9457 problem documents), turned into the command's errors."""

from __future__ import annotations

from typing import Any

import httpx

from marina_cli.errors import CliError, ExitCode, FieldError

EXIT_CODES = {
    401: ExitCode.LOGIN,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    502: ExitCode.UNREACHABLE,
    503: ExitCode.UNREACHABLE,
    504: ExitCode.UNREACHABLE,
}
EXEC_HINT = "Use `marina host connect NAME --context CONTEXT`: it needs only this machine's own kubectl."


def problem_to_error(response: httpx.Response, server: str) -> CliError:
    """The error a refused request ends the command with."""
    without = f"{server} answered {response.status_code} {response.reason_phrase} without saying why."
    return problem_error(_document(response), response.status_code, server, without)


def problem_error(problem: dict[str, Any], status: int, server: str, without: str = "") -> CliError:
    """The error that a problem document tells of; the sentence `without` where it does not say what is wrong."""
    fields = tuple(_field(item) for item in problem.get("errors") or () if isinstance(item, dict))
    return CliError(
        str(problem.get("detail") or problem.get("title") or without),
        hint=_hint(status, problem, fields, server),
        fields=fields,
        exit_code=EXIT_CODES.get(status, ExitCode.REFUSED),
        status=status,
        code=str(problem.get("code") or ""),
    )


def _document(response: httpx.Response) -> dict[str, Any]:
    if "json" not in response.headers.get("content-type", ""):
        return {}
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _field(item: dict[str, Any]) -> FieldError:
    accepted = item.get("accepted") or ""
    if isinstance(accepted, list):
        accepted = ", ".join(str(value) for value in accepted)
    return FieldError(str(item.get("field") or ""), str(item.get("message") or ""), str(accepted))


def _hint(status: int, problem: dict[str, Any], fields: tuple[FieldError, ...], server: str) -> str:
    hint = str(problem.get("hint") or "")
    if status == 401:
        return hint or f"Log in again with `marina login {server}`."
    if any(".exec" in field.field or ".auth-provider" in field.field for field in fields) and "--context" not in hint:
        return f"{hint} {EXEC_HINT}".strip()
    if not hint and problem.get("operation_id"):
        return f"Watch what is going on with `marina op watch {problem['operation_id']}`."
    if status >= 500 and problem.get("request_id"):
        return f"{hint} The request id is {problem['request_id']}.".strip()
    return hint
