"""The token that a CI system gives its job, by which the job logs in without a secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx

from marina_cli.client import unreachable
from marina_cli.errors import CliError, UsageProblem
from marina_cli.server_address import is_loopback

VARIABLES = ("MARINA_ID_TOKEN", "ID_TOKEN")
"""Where a job may have its issuer's token; in GitLab these are names below `id_tokens:`."""
REQUEST_URL, REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
SECONDS = 10.0


def id_token(environment: Mapping[str, str], *, file: str | None, audience: str) -> str:
    """The job's own token: from the file, a variable, or GitHub's address for it. UsageProblem where there is none."""
    if file is not None:
        return _from_file(Path(file))
    for name in VARIABLES:
        if environment.get(name):
            return environment[name].strip()
    if environment.get(REQUEST_URL) and environment.get(REQUEST_TOKEN):
        return _from_github(environment[REQUEST_URL], environment[REQUEST_TOKEN], audience)
    raise UsageProblem(
        "There is no token of a CI system here.",
        hint="GitHub: `permissions: id-token: write` in the job. GitLab: `id_tokens: MARINA_ID_TOKEN: aud: SERVER`. "
        "Elsewhere: --token-file FILE.",
    )


def _from_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from None
    if not text:
        raise UsageProblem(f"{path} is empty.")
    return text


def _from_github(url: str, token: str, audience: str) -> str:
    address = httpx.URL(url)
    try:
        answer = httpx.get(
            address.copy_merge_params({"audience": audience}),
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=SECONDS,
            trust_env=not is_loopback(address.host),
        )
    except httpx.TransportError as error:
        raise unreachable(str(address.copy_with(raw_path=b"/")), error) from None
    value = answer.json().get("value") if answer.is_success and _is_json(answer) else None
    if not isinstance(value, str) or not value:
        raise CliError(
            f"GitHub gave the job no token (status {answer.status_code}).",
            hint="The job needs `permissions: id-token: write`.",
        )
    return value


def _is_json(answer: httpx.Response) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False
