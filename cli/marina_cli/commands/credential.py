"""`marina credential`: what kubectl runs when it needs a token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import click

from marina_cli.credential_cache import Credential, CredentialCache, cache_key
from marina_cli.errors import CliError, ExitCode, Unreachable, UsageProblem
from marina_cli.lookup import is_id
from marina_cli.session import Session, pass_session

API = "client.authentication.k8s.io"
VERSIONS = ("v1", "v1beta1")
FRESH = 60
"""Seconds: with less left a new token is got."""
MARGIN = 30
"""Seconds before its end at which kubectl is told to ask again, so that none ends on its way."""
LAST = 5
"""Seconds that an old token must have left to be given out where no new one can be got."""


@click.command("credential")
@click.option("--cluster", "cluster_id", required=True, metavar="ID", help="The virtual cluster's id.")
@click.option("--level", type=click.Choice(["view", "admin"]), help="Not more than this; the most you may otherwise.")
@pass_session
def credential(session: Session, cluster_id: str, level: str | None) -> None:
    """Print a short-lived token for a virtual cluster, as kubectl's ExecCredential. Kubeconfigs call this.

    It is kept in a file that only you can read until a minute before its end. Nothing is ever asked.
    """
    if not is_id(cluster_id):
        raise UsageProblem(
            f"{cluster_id!r} is no id of a virtual cluster.", hint="Make the kubeconfig anew: `marina kubeconfig NAME`."
        )
    found = _credential(session, cluster_id.lower(), level or "")
    ends = found.ends.astimezone(UTC) - timedelta(seconds=MARGIN)
    status = {"token": found.token, "expirationTimestamp": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
    version = f"{API}/{_version(session.environment)}"
    click.echo(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))


def _credential(session: Session, cluster_id: str, level: str) -> Credential:
    api, now = session.api, session.clock.now()
    cache = CredentialCache(session.environment)
    key = cache_key(server=api.server, token=session.context.token, cluster=cluster_id, level=level)
    kept = cache.read(key)
    if kept is not None and kept.seconds_left(now) >= FRESH:
        return kept
    try:
        answer = api.change(
            "POST", f"/virtual-clusters/{cluster_id}/gateway-credentials", {"level": level} if level else {}
        )
    except Unreachable:
        if kept is None or kept.seconds_left(now) < LAST + MARGIN:
            raise
        return kept
    except CliError as error:
        if error.exit_code != ExitCode.NOT_FOUND:
            raise
        raise _lost(error, cluster_id, api.server) from None
    made = _read(answer, now)
    cache.write(key, made, now=now)
    return made


def _lost(error: CliError, cluster_id: str, server: str) -> CliError:
    """One line that says which cluster: kubectl shows it among its own words, and nothing else of the kubeconfig."""
    words = f"There is no virtual cluster {cluster_id} on {server} that you may see. See what there is with"
    return CliError(
        f"{words} `marina list --all`; `marina kubeconfig NAME` makes a kubeconfig anew.",
        exit_code=ExitCode.NOT_FOUND,
        status=error.status,
        code=error.code,
    )


def _read(answer: Mapping[str, object], now: datetime) -> Credential:
    token, seconds = answer.get("token"), answer.get("expires_in")
    if not isinstance(token, str) or not isinstance(seconds, int):
        raise CliError("The server's answer is no credential.", hint="Is the marina command as new as the server?")
    # counted from now by this machine's clock: kubectl compares with the same one
    return Credential(token, now + timedelta(seconds=seconds))


def _version(environment: Mapping[str, str]) -> str:
    """The version that kubectl speaks, as far as it says so (KUBERNETES_EXEC_INFO)."""
    try:
        asked = str(json.loads(environment.get("KUBERNETES_EXEC_INFO", "{}")).get("apiVersion", ""))
    except (ValueError, AttributeError):
        asked = ""
    version = asked.removeprefix(f"{API}/")
    return version if version in VERSIONS else VERSIONS[0]
