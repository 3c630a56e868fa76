"""Asking to join a project, and deciding that: one step for its admins."""

from datetime import datetime

from django.db import transaction

from accounts.access import UNSEEN, actor_require, allowed, projects_where
from accounts.errors import Conflict, NotAllowed, NotFound
from accounts.models import JoinRequest, JoinState, Project, RoleBinding, User
from accounts.selectors import projects_joinable_by
from accounts.services.audit import Actor, audit_record
from accounts.services.notifications import About, notification_send
from accounts.services.permissions import organization_lock
from accounts.services.project_admins import project_admins
from accounts.services.role_bindings import role_binding_create
from accounts.services.roles_named import role_named
from accounts.services.rows import row_save
from accounts.token_scope import unlimited_require

DEFAULT_ROLE = "developer"


@transaction.atomic
def join_request_create(*, actor: Actor, project: Project, message: str = "", now: datetime) -> JoinRequest:
    """Asks for a role in a project of one's organization; its admins are told.

    Raises NotFound for a project that is not joinable, Conflict where one is in it or has asked already.
    """
    user = _person(actor)
    if projects_where(user, "project.view").filter(pk=project.pk).exists():
        raise Conflict(f"You have a role in {project} already.", hint="Ask its admins for another one.")
    if not projects_joinable_by(user).filter(pk=project.pk).exists():
        raise NotFound(UNSEEN)
    request = JoinRequest(project=project, user=user, message=message)
    row_save(request, taken=f"You asked to join {project} already; its admins were told.", field="project")
    _audit(actor, "join-request.create", request)
    said = f" They say: {message}" if message else ""
    notification_send(
        recipients=project_admins(project),
        kind="join-request",
        about=_about(request),
        text=f"{user.handle} asks to join {project}.{said}",
        now=now,
        link=f"/projects/{project.pk}",
        command=f"marina project accept {request.pk}",
    )
    return request


@transaction.atomic
def join_request_accept(
    *,
    actor: Actor,
    join_request: JoinRequest,
    role: str = DEFAULT_ROLE,
    expires_at: datetime | None = None,
    now: datetime,
) -> JoinRequest:
    """Gives the role (developer unless another is named) to who asked, and tells them."""
    _decide_require(actor, join_request)
    locked = _open(join_request)
    role_named(role, locked.project)
    has_it = RoleBinding.objects.filter(project=locked.project, user=locked.user, role=role, expires_at=None)
    if not has_it.exists():
        role_binding_create(
            actor=actor, subject=locked.user, role=role, scope=locked.project, expires_at=expires_at, now=now
        )
    locked.role = role
    return _decided(actor, locked, JoinState.ACCEPTED, f"You are {role} of {locked.project} now.", now)


@transaction.atomic
def join_request_decline(*, actor: Actor, join_request: JoinRequest, now: datetime) -> JoinRequest:
    """Gives nothing, and tells who asked."""
    _decide_require(actor, join_request)
    locked = _open(join_request)
    return _decided(actor, locked, JoinState.DECLINED, f"Your request to join {locked.project} was declined.", now)


@transaction.atomic
def join_request_withdraw(*, actor: Actor, join_request: JoinRequest, now: datetime) -> JoinRequest:
    """For who asked: they take it back."""
    if actor.user != join_request.user:
        raise NotAllowed("Only who asked to join can take that back.", hint="Decline it instead.")
    unlimited_require(_person(actor), "take a request to join back")
    locked = _open(join_request)
    return _decided(actor, locked, JoinState.WITHDRAWN, "", now)


def _decide_require(actor: Actor, join_request: JoinRequest) -> None:
    if actor.user == join_request.user and not allowed(join_request.user, "project.members", join_request.project):
        raise NotAllowed(
            "You cannot decide your own request.",
            hint=f"The admins of {join_request.project} were told.",
        )
    actor_require(actor, "project.members", join_request.project)


def _open(join_request: JoinRequest) -> JoinRequest:
    """Locked; the organization first, as roles are given under its lock."""
    organization_lock(join_request.project)
    rows = JoinRequest.objects.select_related("project__organization", "user").select_for_update(of=("self",))
    locked = rows.get(pk=join_request.pk)
    if locked.state != JoinState.OPEN:
        raise Conflict(f"This request was {locked.state} already.")
    return locked


def _decided(actor: Actor, request: JoinRequest, state: JoinState, text: str, now: datetime) -> JoinRequest:
    request.state, request.decided_by, request.decided_at = state, actor.user, now
    request.save(update_fields=["state", "role", "decided_by", "decided_at"])
    _audit(actor, f"join-request.{state}", request)
    if text:
        notification_send(
            recipients=[request.user],
            kind="join-decided",
            about=_about(request),
            text=text,
            now=now,
            link=f"/projects/{request.project_id}" if state == JoinState.ACCEPTED else "",
            command=f"marina use-project {request.project}" if state == JoinState.ACCEPTED else "",
        )
    return request


def _person(actor: Actor) -> User:
    if actor.user is None or actor.user.is_service_account:
        raise NotAllowed("Only a person can ask to join a project.")
    unlimited_require(actor.user, "ask to join a project")
    return actor.user


def _about(request: JoinRequest) -> About:
    project = request.project
    return About(kind="project", id=project.pk, name=str(project), organization_id=project.organization_id)


def _audit(actor: Actor, action: str, request: JoinRequest) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="join-request",
        object_id=request.pk,
        name=str(request.project),
        organization_id=request.project.organization_id,
        details={"user": request.user.handle, **({"role": request.role} if request.role else {})},
    )
