"""Guardian's rows of everybody who has a custom role, after its actions changed: with a fixed number of queries."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from accounts.models import Role, RoleBinding
from accounts.services.permissions import (
    PermissionEnds,
    PermissionRow,
    ScopeKind,
    SubjectKind,
    permission_rows_write,
    permissions_existing,
    permissions_wanted,
)

_COLUMNS: Final[dict[ScopeKind, str]] = {
    "organization": "organization",
    "project": "project",
    "virtualcluster": "virtual_cluster",
}
Place = tuple[SubjectKind, Any, ScopeKind, Any]
"""Somebody in some scope."""


def role_permissions_derive(*, role: Role, now: datetime) -> None:
    """As `permissions_derive`, for each subject and scope of the role's bindings, under the organization's lock."""
    places = {_place(binding) for binding in role.bindings.select_related("service_account")}
    by_kind = {kind: [key for _, _, each, key in places if each == kind] for kind in _COLUMNS}
    in_scopes = Q()
    for kind, keys in by_kind.items():
        in_scopes |= Q(**{f"{_COLUMNS[kind]}__in": keys})
    wanted = _of(permissions_wanted(RoleBinding.objects.filter(in_scopes), now=now), places)
    existing = _of(_existing(by_kind), places)
    put = {row: end for row, end in wanted.items() if row not in existing or existing[row] != end}
    permission_rows_write(put=put, remove=existing.keys() - wanted.keys())


def _place(binding: RoleBinding) -> Place:
    account = binding.service_account
    subject: tuple[SubjectKind, Any] = (
        ("team", binding.team_id) if binding.team_id else ("user", account.user_id if account else binding.user_id)
    )
    if binding.organization_id:
        return *subject, "organization", binding.organization_id
    if binding.project_id:
        return *subject, "project", binding.project_id
    return *subject, "virtualcluster", binding.virtual_cluster_id


def _existing(by_kind: dict[ScopeKind, list[Any]]) -> PermissionEnds:
    subjects: tuple[SubjectKind, ...] = ("user", "team")
    return {
        row: end
        for kind, keys in by_kind.items()
        if keys
        for subject in subjects
        for row, end in permissions_existing(kind, subject, scope_ids=keys).items()
    }


def _of(rows: PermissionEnds, places: Collection[Place]) -> PermissionEnds:
    return {row: end for row, end in rows.items() if _where(row) in places}


def _where(row: PermissionRow) -> Place:
    return row.subject_kind, row.subject_id, row.scope_kind, row.scope_id
