"""Projects: what people work on."""

from collections.abc import Callable
from typing import Final

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accounts.access import actor_require
from accounts.errors import Conflict
from accounts.models import Organization, Project
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import protected_sentence, row_save
from accounts.services.service_accounts import service_accounts_end

HISTORY_REMOVERS: Final[list[Callable[[Project], None]]] = []
"""Called before a project is deleted: an app above removes rows of what is gone already (and only those)."""


@transaction.atomic
def project_create(*, actor: Actor, organization: Organization, name: str, display_name: str = "") -> Project:
    """A new project, empty. Who is admin of the organization is so of the project."""
    actor_require(actor, "project.create", organization)
    project = Project(organization=organization, name=name, display_name=display_name)
    row_save(project, taken=f"{organization.name} has a project {name} already.")
    _audit(actor, "project.create", project)
    return project


@transaction.atomic
def project_update(
    *, actor: Actor, project: Project, name: str | None = None, display_name: str | None = None
) -> Project:
    """Changes what is given. What lives in the project keeps its names on the hosts."""
    actor_require(actor, "project.update", project)
    changed = {key: value for key, value in (("name", name), ("display_name", display_name)) if value is not None}
    before = {key: getattr(project, key) for key in changed}
    for key, value in changed.items():
        setattr(project, key, value)
    row_save(project, taken=f"{project.organization.name} has a project {name} already.")
    _audit(actor, "project.update", project, before=before, after=changed)
    return project


@transaction.atomic
def project_delete(*, actor: Actor, project: Project) -> None:
    """Deletes an empty project with its roles. Raises Conflict, with what it counts, while anything lives in it.

    Its service accounts end at once, whatever roles they had elsewhere.
    """
    actor_require(actor, "project.delete", project)
    _audit(actor, "project.delete", project)
    for remove_history in HISTORY_REMOVERS:
        remove_history(project)
    service_accounts_end(actor=actor, project=project, now=timezone.now())
    try:
        project.delete()
    except ProtectedError as error:
        raise Conflict(protected_sentence(project.name, error), hint="Delete what lives in it first.") from None


def _audit(actor: Actor, action: str, project: Project, **details: object) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="project",
        object_id=project.pk,
        name=str(project),
        organization_id=project.organization_id,
        details=details,
    )
