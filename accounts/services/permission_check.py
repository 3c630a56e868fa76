"""Compares what is derived with what it is derived from: guardian's rows with role bindings, groups with teams."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.models import Organization, RoleBinding, Team, User
from accounts.services.permissions import (
    PermissionEnds,
    PermissionRow,
    ScopeKind,
    SubjectKind,
    permission_rows_write,
    permissions_existing,
    permissions_wanted,
)

_SCOPES: Final[tuple[ScopeKind, ...]] = ("organization", "project", "virtualcluster")
_SUBJECTS: Final[tuple[SubjectKind, ...]] = ("user", "team")


@dataclass(frozen=True)
class PermissionDifferences:
    """What is missing and what is there without a reason."""

    missing: frozenset[PermissionRow]
    surplus: frozenset[PermissionRow]
    other_ends: frozenset[PermissionRow]
    """Rows that end at another time than the roles that give them."""

    wanted: PermissionEnds
    """All that there should be."""

    missing_members: frozenset[tuple[int, UUID]]
    """(group, user): the user is in the team but not in its group."""

    surplus_members: frozenset[tuple[int, UUID]]

    def sentences(self) -> Iterator[str]:
        """Each difference, for people."""
        yield from (f"missing: {row}" for row in sorted(self.missing))
        yield from (f"without a role binding: {row}" for row in sorted(self.surplus))
        yield from (f"ends at another time than its roles: {row}" for row in sorted(self.other_ends))
        yield from (f"missing: user {user} in group {group} of its team" for group, user in self.missing_members)
        yield from (f"not in the team: user {user} in its group {group}" for group, user in self.surplus_members)


def permission_differences(*, now: datetime) -> PermissionDifferences:
    """Compares everything, with a fixed number of queries. A binding that expired by `now` gives nothing."""
    wanted = permissions_wanted(RoleBinding.objects.all(), now=now)
    existing = {
        row: end
        for scope in _SCOPES
        for subject in _SUBJECTS
        for row, end in permissions_existing(scope, subject).items()
    }
    in_teams = set(Team.members.through.objects.values_list("team__group", "user"))
    in_groups = set(User.groups.through.objects.filter(group__team__isnull=False).values_list("group", "user"))
    return PermissionDifferences(
        missing=frozenset(wanted.keys() - existing.keys()),
        surplus=frozenset(existing.keys() - wanted.keys()),
        other_ends=frozenset(row for row in wanted.keys() & existing.keys() if wanted[row] != existing[row]),
        wanted=wanted,
        missing_members=frozenset(in_teams - in_groups),
        surplus_members=frozenset(in_groups - in_teams),
    )


@transaction.atomic
def permission_differences_repair(*, now: datetime) -> PermissionDifferences:
    """Writes what is missing, removes what is surplus; says what it was. Bindings and teams are taken as the truth."""
    # no role may change meanwhile; ordered, so that two repairs do not wait for each other
    list(Organization.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    found = permission_differences(now=now)
    put = {row: found.wanted[row] for row in found.missing | found.other_ends}
    permission_rows_write(put=put, remove=found.surplus)
    members = User.groups.through
    members.objects.bulk_create(members(group_id=group, user_id=user) for group, user in found.missing_members)
    for group, user in found.surplus_members:
        members.objects.filter(group_id=group, user_id=user).delete()
    return found
