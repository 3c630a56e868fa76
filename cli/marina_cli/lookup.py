"""Finding the object a name on the command line means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from marina_cli.client import Api
from marina_cli.durations import clock_time
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.session import Session
from marina_cli.text import Json, project_path


def cluster_find(session: Session, name: str, project: str | None) -> Json:
    """The virtual cluster of this name in the project, or with this id; CliError (4) where there is none."""
    if is_id(name):
        return session.api.get(f"/virtual-clusters/{name}")
    if not project and not session.context.project and not session.me.get("projects"):
        return _shared(session, name)
    path = session.project(project)
    query = {"project": path, "name": name}
    # a deleted one may still be listed, and its name is free again
    living = (item for item in _named(session, name, query) if item.get("phase") != "Deleted")
    if (item := next(living, None)) is not None:
        return item
    gone = [item for item in _named(session, name, {**query, "phase": "Deleted"}) if item.get("phase") == "Deleted"]
    raise CliError(
        f"There is no virtual cluster {name!r} in {path}.",
        hint=_deleted_hint(name, path, gone) if gone else "See what there is with `marina list --all`.",
        exit_code=ExitCode.NOT_FOUND,
    )


def _named(session: Session, name: str, query: dict[str, str]) -> Iterator[Json]:
    return (item for item in session.api.pages("/virtual-clusters", query) if item.get("name") == name)


def _deleted_hint(name: str, path: str, gone: list[Json]) -> str:
    """Whoever looks for what a sweep deleted learns here how to have it again."""
    when = clock_time(max(str(item.get("deleted_at")) for item in gone))
    return (
        f"It was deleted {when}. While an export of it is kept (marina export list --cluster {name}), "
        f"`marina restore {name} --project {path}` makes it again."
    )


def _shared(session: Session, name: str) -> Json:
    """Whoever is in no project may still see clusters that were shared with them."""
    found = [item for item in session.api.pages("/virtual-clusters", {"name": name}) if item.get("phase") != "Deleted"]
    if len(found) > 1:
        raise UsageProblem(
            f"Several virtual clusters named {name} are shared with you.",
            hint=f"Say which with --project: {', '.join(project_path(item.get('project')) for item in found)}.",
        )
    return _only(
        found,
        f"There is no virtual cluster {name!r} that you may see.",
        "You are in no project. `marina project list --joinable` shows those you may ask to join.",
    )


def organization_find(session: Session, name: str) -> str:
    """The id of the organization of this name; CliError (4) where there is none that the user has to do with.

    The API lists those in which somebody has a role; whoever has one in a project alone knows its organization too.
    """
    item = next(iter(session.api.pages("/organizations", {"name": name})), None)
    if item is not None:
        return str(item["id"])
    organizations = (project.get("organization") for project in session.me.get("projects") or ())
    for known in organizations:
        if isinstance(known, dict) and known.get("name") == name:
            return str(known["id"])
    raise CliError(f"There is no organization {name!r} that you may see.", exit_code=ExitCode.NOT_FOUND)


def host_find(api: Api, name: str) -> Json:
    """The host cluster of this name or id; CliError (4) where there is none that the user may see."""
    if is_id(name):
        return api.get(f"/host-clusters/{name}")
    return _only(
        (item for item in api.pages("/host-clusters", {"search": name}) if item.get("name") == name),
        f"There is no host cluster {name!r} that you may see.",
        "See what there is with `marina host list`.",
    )


def service_account_find(session: Session, name: str) -> Json:
    """The service account of this name (or organization/project/name), or with this id; CliError (4) where none is."""
    if is_id(name):
        return session.api.get(f"/service-accounts/{name}")
    path, _, last = name.rpartition("/")
    path = path or session.project(None)
    return _only(
        (
            item
            for item in session.api.pages("/service-accounts", {"project": path, "name": last})
            if item.get("name") == last
        ),
        f"There is no service account {last!r} in {path}.",
        "See what there is with `marina service-account list`.",
    )


def user_find(session: Session, handle: str) -> Json:
    """The person of this handle or id; CliError (4) where there is none that the user may see."""
    if is_id(handle):
        return session.api.get(f"/users/{handle}")
    return _only(
        (item for item in session.api.pages("/users", {"handle": handle}) if item.get("handle") == handle),
        f"There is no user {handle!r} that you may see.",
        "See who there is with `marina user list`.",
    )


def _only(found: Iterable[Json], missing: str, hint: str) -> Json:
    item = next(iter(found), None)
    if item is None:
        raise CliError(missing, hint=hint, exit_code=ExitCode.NOT_FOUND)
    return item


def is_id(text: str) -> bool:
    """Whether a word on the command line is an object's id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def project_find(session: Session, path: str, noun: str = "/projects") -> Json:
    """The project ORG/NAME in a list of projects; CliError where it is not there for the user."""
    organization, slash, name = path.partition("/")
    if not slash:
        raise UsageProblem("Name the project with its organization: ORG/NAME.")
    items = session.api.pages(noun, {"organization": organization, "name": name})
    item = next((item for item in items if project_path(item) == path), None)
    if item is None:
        raise CliError(
            f"There is no such project {path!r} for you.",
            hint="See `marina project list` and `marina project list --joinable`.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return item
