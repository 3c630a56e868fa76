"""What the shell offers after TAB: names from the server, or nothing when it does not answer at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import click

from marina_cli.session import Session
from marina_cli.text import project_path

MOST = 200
PATIENCE = 2.0
"""Seconds after which a shell has waited long enough."""


def complete_clusters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of virtual clusters in the project on the line, else in the default one, else in all."""

    def names(session: Session) -> list[str]:
        project = ctx.params.get("project") or session.context.project
        return _listed(session, "/virtual-clusters", {"project": project} if project else {})

    return _offer(ctx, names, incomplete)


def complete_hosts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of host clusters."""
    return _offer(ctx, lambda session: _listed(session, "/host-clusters", {}), incomplete)


def complete_projects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The user's projects as `organization/name`."""
    return _offer(ctx, lambda session: [project_path(item) for item in session.me.get("projects", [])], incomplete)


def complete_sizes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of sizes."""
    return _offer(ctx, lambda session: [str(size["name"]) for size in _option(session, "sizes")], incomplete)


def complete_exposures(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ways in which an API may be published."""
    return _offer(ctx, lambda session: [str(item) for item in _option(session, "exposures")], incomplete)


def complete_versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Versions of Kubernetes."""
    return _offer(ctx, lambda session: [str(item) for item in _option(session, "kubernetes_versions")], incomplete)


def complete_chart_versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Versions of vcluster's chart."""
    return _offer(ctx, lambda session: [str(item) for item in _option(session, "chart_versions")], incomplete)


def _option(session: Session, key: str) -> list[Any]:
    return list(session.api.get("/options").get(key) or ())


def _listed(session: Session, path: str, params: dict[str, str]) -> list[str]:
    return [str(item.get("name")) for item in islice(session.api.pages(path, params), MOST)]


def _offer(ctx: click.Context, names: Callable[[Session], list[str]], incomplete: str) -> list[str]:
    session = ctx.find_object(Session) or Session(context_name=str(ctx.find_root().params.get("context") or ""))
    session.patience = PATIENCE
    try:
        return sorted({name for name in names(session) if name.startswith(incomplete)})
    except Exception:
        # whatever is wrong, a message in the middle of a command line being typed helps nobody
        return []
