"""Service accounts: made in a project, changed, and deleted with all that they could do."""

import secrets
from datetime import datetime

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict
from accounts.models import AccessToken, Project, RoleBinding, ServiceAccount, User
from accounts.services.access_lost import access_lost
from accounts.services.audit import Actor, audit_record
from accounts.services.permissions import organization_lock, permissions_derive
from accounts.services.role_ceiling import within_own_require
from accounts.services.role_giving import role_put, scope_of
from accounts.services.roles_named import role_named
from accounts.services.rows import row_save, row_validate
from accounts.services.tokens import tokens_revoke

DEFAULT_ROLE = "developer"


@transaction.atomic
def service_account_create(
    *,
    actor: Actor,
    project: Project,
    name: str,
    now: datetime,
    description: str = "",
    role: str = DEFAULT_ROLE,
) -> ServiceAccount:
    """A new service account with that role in its project. It has no token yet.

    Raises NotAllowed where the role allows more than the giver may, InvalidInput for what cannot be accepted, and
    Conflict for a name that one of the project has or had.
    """
    actor_require(actor, "serviceaccount.manage", project)
    organization_lock(project)
    named = role_named(role, project)
    within_own_require(actor, role=role, actions=named.actions, scope=project)
    account = ServiceAccount(project=project, name=name, description=description)
    row_validate(account, exclude=("user",))
    # its handle is nobody else's, ever; people read the name
    handle = f"sa-{name[:24].rstrip('-')}-{secrets.token_hex(4)}"
    user = User(handle=handle, name=name, is_service_account=True)
    user.set_unusable_password()
    row_save(user, taken=f"There is a user {handle} already; try again.", field="name")
    account.user = user
    row_save(account, taken=f"{project} has, or had, a service account {name}: names are not given twice.")
    _audit(actor, "serviceaccount.create", account, handle=handle, role=role)
    role_put(actor=actor, subject=account, role=role, custom_role=named.custom, scope=project, now=now)
    return account


@transaction.atomic
def service_account_update(*, actor: Actor, account: ServiceAccount, description: str) -> ServiceAccount:
    """Changes the description. The name stays: audit rows and other people's notes speak of it."""
    actor_require(actor, "serviceaccount.manage", account.project)
    _alive_check(account)
    before, account.description = account.description, description
    row_validate(account)
    account.save(update_fields=["description"])
    _audit(actor, "serviceaccount.update", account, before=before, after=description)
    return account


@transaction.atomic
def service_account_delete(*, actor: Actor, account: ServiceAccount, now: datetime) -> None:
    """Ends what it can do, at once: tokens, roles, federation rules. What it made stays; its name is not free again."""
    actor_require(actor, "serviceaccount.manage", account.project)
    organization_lock(account.project)
    locked = ServiceAccount.objects.select_related("project__organization", "user").select_for_update(of=("self",))
    fresh = locked.get(pk=account.pk)
    _alive_check(fresh)
    _end(actor, fresh, now)


def service_accounts_end(*, actor: Actor, project: Project, now: datetime) -> None:
    """Before a project goes, in the same transaction: its service accounts' rows go with it, their users stay."""
    accounts = ServiceAccount.objects.filter(project=project, deleted_at=None)
    for account in accounts.select_related("project__organization", "user"):
        _end(actor, account, now)


def _end(actor: Actor, account: ServiceAccount, now: datetime) -> None:
    User.objects.filter(pk=account.user_id).update(is_active=False)
    tokens = AccessToken.objects.filter(user=account.user_id, revoked_at=None).select_related("user")
    ended = tokens_revoke(actor=actor, tokens=list(tokens), why="Its service account was deleted.", now=now)
    bindings = RoleBinding.objects.filter(service_account=account).select_related(
        "organization", "project__organization", "virtual_cluster__project__organization"
    )
    scopes = [scope_of(binding) for binding in bindings]
    bindings.delete()
    for scope in scopes:
        permissions_derive(scope=scope, subject=account, now=now)
    account.federation_rules.all().delete()
    account.deleted_at = now
    account.save(update_fields=["deleted_at"])
    _audit(actor, "serviceaccount.delete", account, tokens=ended, roles=len(scopes))
    access_lost(subject=account, now=now)


def _alive_check(account: ServiceAccount) -> None:
    if account.deleted_at is not None:
        raise Conflict(f"{account} was deleted.")


def _audit(actor: Actor, action: str, account: ServiceAccount, **details: object) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="service-account",
        object_id=account.pk,
        name=str(account)[:120],
        organization_id=account.project.organization_id,
        details=details,
    )
