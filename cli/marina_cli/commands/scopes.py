"""Settings that a virtual cluster, a project or an organization has at most one of: schedules, policies."""

from __future__ import annotations

from marina_cli.lookup import cluster_find
from marina_cli.session import Session
from marina_cli.text import Json, project_path, word


def scope_given(session: Session, name: str | None, project: str | None) -> tuple[Json, str]:
    """The field that says whose it is, and what to call that: a cluster's by NAME, else the project's."""
    if name:
        item = cluster_find(session, name, project)
        return {"virtual_cluster": item["id"]}, word(item.get("name"))
    path = session.project(project)
    return {"project": path}, path


def scope_text(item: Json) -> str:
    """What a schedule or a policy is of."""
    cluster = item.get("virtual_cluster")
    if isinstance(cluster, dict):
        return f"{project_path(cluster.get('project'))}/{word(cluster.get('name'))}"
    return project_path(item["project"]) if item.get("project") else word(item.get("organization"))


def of_scope(session: Session, path: str, scope: Json) -> Json | None:
    """The one that a scope itself has: a list by project also holds those of clusters, a page of them none."""
    kind = next(iter(scope))
    return next((item for item in session.api.pages(path, scope) if item.get(kind)), None)


def scope_put(session: Session, path: str, scope: Json, body: Json) -> Json:
    """Changes the one that the scope has, or makes it; as it is then."""
    there = of_scope(session, path, scope)
    if there:
        return session.api.change("PATCH", f"{path}/{there['id']}", body)
    return session.api.change("POST", path, {**scope, **body})
