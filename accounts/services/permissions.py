"""Guardian's permission rows, computed from role bindings. Nothing else writes them.

Whoever changes bindings holds the lock of their organization (`organization_lock`), so that two changes for the same
subject and scope cannot each miss the other's.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final, Literal
from uuid import UUID

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Model, Q, QuerySet

from accounts.access import Scope
from accounts.models import (
    Organization,
    OrganizationGroupPermission,
    OrganizationUserPermission,
    Project,
    ProjectGroupPermission,
    ProjectUserPermission,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
    VirtualClusterGroupPermission,
    VirtualClusterUserPermission,
)

Subject = User | Team | ServiceAccount
SubjectKind = Literal["user", "team"]
ScopeKind = Literal["organization", "project", "virtualcluster"]


@dataclass(frozen=True, order=True)
class PermissionRow:
    """One guardian row, in words: the subject may do `action` in the scope."""

    subject_kind: SubjectKind
    subject_id: UUID
    scope_kind: ScopeKind
    scope_id: UUID
    action: str

    def __str__(self) -> str:
        return f"{self.subject_kind} {self.subject_id}: {self.action} in {self.scope_kind} {self.scope_id}"


PermissionEnds = dict[PermissionRow, datetime | None]
"""Until when each row holds; None: without an end."""

# guardian's table for each pair of scope and subject
_TABLES: Final[dict[tuple[str, str], type[Model]]] = {
    ("organization", "user"): OrganizationUserPermission,
    ("organization", "team"): OrganizationGroupPermission,
    ("project", "user"): ProjectUserPermission,
    ("project", "team"): ProjectGroupPermission,
    ("virtualcluster", "user"): VirtualClusterUserPermission,
    ("virtualcluster", "team"): VirtualClusterGroupPermission,
}
_APPS: Final = ("accounts", "clusters")
_COLUMNS: Final = {"serviceaccount": "service_account", "virtualcluster": "virtual_cluster"}


def binding_column(row: Any) -> str:
    """The column of a role binding that such a subject or scope stands in."""
    name = str(row._meta.model_name)
    return _COLUMNS.get(name, name)


def organization_of(scope: Scope) -> Organization:
    """Whose it is."""
    if isinstance(scope, Organization):
        return scope
    return scope.organization if isinstance(scope, Project) else scope.project.organization


def organization_lock(scope: Scope) -> Organization:
    """Serializes changes of roles within an organization until the transaction ends. Reading is not held up."""
    return Organization.objects.select_for_update(no_key=True).get(pk=organization_of(scope).pk)


def permissions_derive(*, scope: Scope, subject: Subject, now: datetime) -> None:
    """Makes guardian's rows of this subject in this scope the union of what its bindings give at `now`."""
    bindings = RoleBinding.objects.filter(**{binding_column(scope): scope, binding_column(subject): subject})
    wanted = permissions_wanted(bindings, now=now)
    scope_kind: Any = scope._meta.model_name  # type: ignore[union-attr]
    holder = subject.user if isinstance(subject, ServiceAccount) else subject
    holder_kind: SubjectKind = "team" if isinstance(holder, Team) else "user"
    existing = permissions_existing(scope_kind, holder_kind, scope_id=scope.pk, subject_id=holder.pk)
    put = {row: end for row, end in wanted.items() if row not in existing or existing[row] != end}
    permission_rows_write(put=put, remove=existing.keys() - wanted.keys())


def permissions_wanted(bindings: QuerySet[RoleBinding], *, now: datetime) -> PermissionEnds:
    """What these bindings give at `now`, and until when."""
    found: PermissionEnds = {}
    lasting = bindings.filter(Q(expires_at=None) | Q(expires_at__gt=now)).select_related(
        "service_account", "custom_role"
    )
    for binding in lasting:
        for action in binding.actions:
            row = PermissionRow(*_holder(binding), *_scope(binding), action)
            found[row] = _later(found[row], binding.expires_at) if row in found else binding.expires_at
    return found


def _holder(binding: RoleBinding) -> tuple[SubjectKind, Any]:
    """A service account's permissions are those of the user that stands for it."""
    if binding.team_id:
        return "team", binding.team_id
    return "user", binding.service_account.user_id if binding.service_account else binding.user_id


def _scope(binding: RoleBinding) -> tuple[ScopeKind, Any]:
    if binding.organization_id:
        return "organization", binding.organization_id
    return ("project", binding.project_id) if binding.project_id else ("virtualcluster", binding.virtual_cluster_id)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """None is never."""
    return None if one is None or other is None else max(one, other)


def permissions_existing(
    scope_kind: ScopeKind,
    subject_kind: SubjectKind,
    *,
    scope_id: UUID | None = None,
    scope_ids: Collection[UUID] | None = None,
    subject_id: UUID | None = None,
) -> PermissionEnds:
    """Guardian's rows as they are, of one scope (or several) and subject, or of all."""
    subject = "user_id" if subject_kind == "user" else "group__team__id"
    rows = _TABLES[scope_kind, subject_kind]._default_manager.all()
    if scope_id is not None:
        rows = rows.filter(content_object=scope_id)
    if scope_ids is not None:
        rows = rows.filter(content_object__in=scope_ids)
    if subject_id is not None:
        rows = rows.filter(**{subject: subject_id})
    columns = (subject, "content_object", "permission__codename", "expires_at")
    return {
        PermissionRow(subject_kind, subject_key, scope_kind, scope_key, action): end
        for subject_key, scope_key, action, end in rows.values_list(*columns)
    }


@transaction.atomic
def permission_rows_write(*, put: PermissionEnds, remove: Iterable[PermissionRow]) -> None:
    """Adds guardian rows or gives them another end, and removes some, in bulk."""
    for (scope_kind, subject_kind), rows in _by_table(put).items():
        table, permissions = _TABLES[scope_kind, subject_kind], _permission_ids(scope_kind)
        column, keys = _subject_keys(subject_kind, rows)
        table._default_manager.bulk_create(
            (
                table(
                    **{column: keys[row.subject_id]},
                    content_object_id=row.scope_id,
                    permission_id=permissions[row.action],
                    expires_at=put[row],
                )
                for row in rows
            ),
            update_conflicts=True,
            unique_fields=[column, "permission_id", "content_object_id"],
            update_fields=["expires_at"],
        )
    for (scope_kind, subject_kind), rows in _by_table(remove).items():
        column, keys = _subject_keys(subject_kind, rows)
        for (subject_id, scope_id), same in groupby(rows, key=lambda row: (row.subject_id, row.scope_id)):
            _TABLES[scope_kind, subject_kind]._default_manager.filter(
                **{column: keys[subject_id]},
                content_object=scope_id,
                permission__codename__in=[row.action for row in same],
            ).delete()


def _by_table(rows: Iterable[PermissionRow]) -> defaultdict[tuple[str, str], list[PermissionRow]]:
    found: defaultdict[tuple[str, str], list[PermissionRow]] = defaultdict(list)
    for row in sorted(rows):
        found[row.scope_kind, row.subject_kind].append(row)
    return found


def _permission_ids(scope_kind: str) -> dict[str, int]:
    rows = Permission.objects.filter(content_type__model=scope_kind, content_type__app_label__in=_APPS)
    return dict(rows.values_list("codename", "pk"))


def _subject_keys(subject_kind: str, rows: list[PermissionRow]) -> tuple[str, dict[UUID, Any]]:
    subjects = {row.subject_id for row in rows}
    if subject_kind == "user":
        return "user_id", {key: key for key in subjects}
    return "group_id", dict(Group.objects.filter(team__in=subjects).values_list("team__id", "pk"))
