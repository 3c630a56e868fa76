"""Writing a role binding, with its permissions and its line in the audit log. The callers ask whether one may."""

from datetime import datetime
from typing import Any

from accounts.access import Scope
from accounts.models import Role, RoleBinding
from accounts.services.audit import Actor, audit_record
from accounts.services.permissions import Subject, binding_column, organization_of, permissions_derive
from accounts.services.rows import row_save


def role_put(
    *,
    actor: Actor,
    subject: Subject,
    role: str,
    scope: Scope,
    now: datetime,
    expires_at: datetime | None = None,
    reason: str = "",
    custom_role: Role | None = None,
) -> RoleBinding:
    """Writes the binding in the caller's transaction, which holds the organization's lock. Asks nobody's permission.

    Raises Conflict where the role was given already. `reason` is for broken glass alone; `custom_role` is
    what `role` names where it is no built-in one.
    """
    key: dict[str, Any] = {binding_column(subject): subject, binding_column(scope): scope}
    RoleBinding.objects.filter(**key, role=role, expires_at__lte=now).delete()  # ended, though not yet cleared away
    binding = RoleBinding(**key, role=role, custom_role=custom_role, expires_at=expires_at, reason=reason)
    row_save(binding, taken=f"{subject} is {role} of {scope} already.", field=binding_column(subject))
    permissions_derive(scope=scope, subject=subject, now=now)
    role_audit(actor, "role.give", binding)
    return binding


def role_remove(*, actor: Actor, binding: RoleBinding, action: str, now: datetime) -> None:
    """Deletes the binding with what it gave, in the caller's transaction, which holds the organization's lock."""
    scope, subject = scope_of(binding), subject_of(binding)
    role_audit(actor, action, binding)
    binding.delete()
    permissions_derive(scope=scope, subject=subject, now=now)


def scope_of(binding: RoleBinding) -> Scope:
    """Where the role holds."""
    scope: Scope | None = binding.organization or binding.project or binding.virtual_cluster
    if scope is None:
        raise ValueError("a role binding always has a scope (check constraint)")
    return scope


def subject_of(binding: RoleBinding) -> Subject:
    """Who has the role."""
    subject = binding.user or binding.team or binding.service_account
    if subject is None:
        raise ValueError("a role binding always has a subject (check constraint)")
    return subject


def role_audit(actor: Actor, action: str, binding: RoleBinding, **change: Any) -> None:
    """One line in the audit log, in the transaction of what it tells of."""
    scope, subject = scope_of(binding), subject_of(binding)
    audit_record(
        actor=actor,
        action=action,
        kind="role-binding",
        object_id=binding.pk,
        name=str(binding)[:120],
        organization_id=organization_of(scope).pk,
        details={
            "subject": {"kind": binding_column(subject), "id": str(subject.pk), "name": str(subject)},
            "role": binding.role,
            "scope": {"kind": binding_column(scope), "id": str(scope.pk), "name": str(scope)},
            "expires_at": binding.expires_at.isoformat() if binding.expires_at else None,
            **({"reason": binding.reason} if binding.reason else {}),
        },
        **change,
    )
