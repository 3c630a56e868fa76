"""Projects: what people work on."""

from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accounts.access import actor_require, allowed
from accounts.errors import Conflict, NotAllowed
from accounts.models import Organization, Project
from accounts.roles import roles_that_may
from accounts.services.audit import Actor, audit_record
from accounts.services.permissions import organization_lock
from accounts.services.role_giving import role_put
from accounts.services.rows import protected_sentence, row_lock, row_save
from accounts.services.service_accounts import service_accounts_end
from accounts.unset import UNSET, Unset

HISTORY_REMOVERS: Final[list[Callable[[Project], None]]] = []
"""Called before a project is deleted: an app above removes rows of what is gone already (and only those)."""


@transaction.atomic
def project_create(*, actor: Actor, organization: Organization, name: str, display_name: str = "") -> Project:
    """A new project, empty. Who is admin of the organization is so of the project; a member becomes its admin.

    A member makes as many as the organization says (`member_projects`, without the personal one).
    """
    as_admin = actor.user is None or actor.platform or allowed(actor.user, "project.create", organization)
    if not as_admin:
        actor_require(actor, "project.create.own", organization)
        _member_check(actor, organization_lock(organization))
    project = Project(organization=organization, name=name, display_name=display_name, created_by=actor.user)
    row_save(project, taken=f"{organization.name} has a project {name} already.")
    _audit(actor, "project.create", project)
    if actor.user is not None and not as_admin:
        role_put(actor=actor, subject=actor.user, role="admin", scope=project, now=timezone.now())
    return project


def _member_check(actor: Actor, organization: Organization) -> None:
    made = Project.objects.filter(organization=organization, created_by=actor.user, personal_of=None).count()
    if made < organization.member_projects:
        return
    roles = ", ".join(role for role in roles_that_may("project.create") if role.startswith("organization "))
    if organization.member_projects == 0:
        raise NotAllowed(f"Members make no projects in {organization.name}.", hint=f"Ask an {roles} for one.")
    raise NotAllowed(
        f"You made {made} projects in {organization.name}; a member may make {organization.member_projects}.",
        hint=f"Delete one you no longer need, or ask an {roles}, who may make any number and can raise yours.",
    )


@transaction.atomic
def project_update(
    *,
    actor: Actor,
    project: Project,
    name: str | None = None,
    display_name: str | None = None,
    kubeconfig_ceiling: str | None = None,
    direct_kubeconfigs: bool | None = None,
    request_audit: str | None = None,
    cluster_limit: int | Unset | None = UNSET,
    cluster_lifetime_days: int | Unset | None = UNSET,
) -> Project:
    """Changes what is given. What lives in the project keeps its names on the hosts.

    Limits (None: no limit) are set by the organization's admins: they bind the project's own.
    """
    actor_require(actor, "project.update", project)
    row_lock(project)
    named = {
        "name": name,
        "display_name": display_name,
        "kubeconfig_ceiling": kubeconfig_ceiling,
        "direct_kubeconfigs": direct_kubeconfigs,
        "request_audit": request_audit,
    }
    limits = {"cluster_limit": cluster_limit, "cluster_lifetime_days": cluster_lifetime_days}
    changed: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
    if given := {key: value for key, value in limits.items() if value is not UNSET}:
        _limits_require(actor, project)
        changed |= given
    before = {key: getattr(project, key) for key in changed}
    for key, value in changed.items():
        setattr(project, key, value)
    row_save(project, taken=f"{project.organization.name} has a project {name} already.")
    _audit(actor, "project.update", project, before=before, after=changed)
    return project


def _limits_require(actor: Actor, project: Project) -> None:
    if actor.user is None or actor.platform or allowed(actor.user, "organization.update", project.organization):
        return
    raise NotAllowed(
        f"The limits of {project} are set by the admins of {project.organization.name}.",
        hint=f"It takes: {', '.join(roles_that_may('organization.update'))}.",
    )


@transaction.atomic
def project_delete(*, actor: Actor, project: Project) -> None:
    """Deletes an empty project with its roles. Raises Conflict, with what it counts, while anything lives in it.

    Its service accounts end at once, whatever roles they had elsewhere.
    """
    actor_require(actor, "project.delete", project)
    organization_lock(project)  # before what its service accounts own elsewhere
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
