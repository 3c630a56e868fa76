"""Guardian's rows are exactly what the role bindings give, whatever was done in whatever order."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.access import Scope
from accounts.errors import MarinaError
from accounts.models import (
    Organization,
    OrganizationGroupPermission,
    OrganizationUserPermission,
    ProjectGroupPermission,
    ProjectUserPermission,
    RoleBinding,
    User,
)
from accounts.roles import ORGANIZATION_ROLES, PROJECT_ROLES
from accounts.services.permission_check import permission_differences
from accounts.services.permissions import Subject
from accounts.services.role_bindings import (
    role_binding_create,
    role_binding_delete,
    role_binding_update,
    role_bindings_expire,
)
from accounts.services.teams import team_delete, team_update
from tests.accounts.conftest import MARINA, World, give, person

small = st.integers(0, 3)
hours = st.none() | st.integers(1, 6)
gives = st.tuples(st.just("give"), small, st.integers(0, 2), small, hours)
takes = st.tuples(st.just("take"), small)
others = st.one_of(
    st.tuples(st.just("change"), small, hours),
    st.tuples(st.just("pass_time"), st.integers(1, 4)),
    st.tuples(st.just("members"), small),
    st.tuples(st.just("delete_team")),
)
# most give and take, so that subjects have several roles in a scope and lose some of them
steps = st.lists(st.one_of(gives, gives, gives, takes, takes, others), min_size=5, max_size=20)


class Town:
    """Does the steps. What a service refuses is refused; what it does must leave rows and bindings equal."""

    def __init__(self, world: World, users: list[User]) -> None:
        self.world = world
        self.users = users
        self.now: datetime = timezone.now()
        self.subjects: list[Subject] = [*users, world.dockers]
        self.scopes: list[Scope] = [world.payments, world.search, world.acme, world.foreign]

    def do(self, name: str, *args) -> None:
        try:
            getattr(self, name)(*args)
        except MarinaError:
            return

    def _end(self, hours: int | None):
        return None if hours is None else self.now + timedelta(hours=hours)

    def _binding(self, index: int) -> RoleBinding | None:
        found = list(RoleBinding.objects.order_by("-id"))
        return found[index % len(found)] if found else None

    def give(self, subject: int, role: int, scope: int, hours: int | None) -> None:
        where = self.scopes[scope]
        role_binding_create(
            actor=MARINA,
            subject=self.subjects[subject % len(self.subjects)],
            role=list(_table(where))[role],
            scope=where,
            expires_at=self._end(hours),
            now=self.now,
        )

    def take(self, index: int) -> None:
        if binding := self._binding(index):
            role_binding_delete(actor=MARINA, binding=binding, now=self.now)

    def change(self, index: int, hours: int | None) -> None:
        if binding := self._binding(index):
            role_binding_update(actor=MARINA, binding=binding, expires_at=self._end(hours), now=self.now)

    def pass_time(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        role_bindings_expire(now=self.now)

    def members(self, count: int) -> None:
        if self.world.dockers in self.subjects:
            team_update(actor=MARINA, team=self.world.dockers, members=self.users[:count])

    def delete_team(self) -> None:
        if self.world.dockers in self.subjects:
            team = type(self.world.dockers).objects.get(pk=self.world.dockers.pk)
            self.subjects.remove(self.world.dockers)
            team_delete(actor=MARINA, team=team)


def _table(scope: Scope):
    return ORGANIZATION_ROLES if isinstance(scope, Organization) else PROJECT_ROLES


Rows = dict[tuple[object, object, str], datetime]
NEVER = datetime.max.replace(tzinfo=UTC)


def wanted(now: datetime) -> Rows:
    """What the bindings give and until when, worked out apart from the service."""
    found: Rows = {}
    for binding in RoleBinding.objects.all():
        end, scope = binding.expires_at or NEVER, binding.organization or binding.project
        for action in _table(scope)[binding.role] if scope and end > now else ():
            key = (binding.user_id or binding.team_id, scope and scope.pk, action)
            found[key] = max(end, found.get(key, end))
    return found


def existing() -> Rows:
    """What guardian's rows say."""
    tables = ((ProjectUserPermission, "user"), (OrganizationUserPermission, "user"))
    groups = ((ProjectGroupPermission, "group__team"), (OrganizationGroupPermission, "group__team"))
    columns = ("content_object", "permission__codename", "expires_at")
    return {
        (who, scope, action): end or NEVER
        for table, subject in (*tables, *groups)
        for who, scope, action, end in table.objects.values_list(subject, *columns)
    }


@contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@given(steps=steps)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_equal_bindings_after_any_sequence(world, people, steps):
    with undone():
        town = Town(world, people)
        for step in steps:
            town.do(*step)
        assert existing() == wanted(town.now)
        assert list(permission_differences(now=town.now).sentences()) == []


@pytest.fixture
def people(db) -> list[User]:
    return [person(f"user-{number}") for number in range(3)]


def test_an_expired_role_is_gone_with_its_permissions_and_leaves_a_record(world, people):
    from accounts.access import allowed
    from accounts.models import AuditEvent

    now = timezone.now()
    give(people[0], "developer", world.payments, expires_at=now + timedelta(hours=1))
    assert role_bindings_expire(now=now) == 0
    assert allowed(people[0], "virtualcluster.create", world.payments)
    assert role_bindings_expire(now=now + timedelta(hours=1)) == 1
    assert not allowed(people[0], "project.view", world.payments)
    assert AuditEvent.objects.filter(action="role.expire", actor="marina").count() == 1


def test_a_role_that_ended_but_was_not_cleared_away_yet_gives_nothing_to_a_change(world, people):
    now = timezone.now()
    give(people[0], "admin", world.payments, expires_at=now + timedelta(hours=1))
    later = now + timedelta(hours=2)
    role_binding_create(actor=MARINA, subject=people[0], role="viewer", scope=world.payments, now=later)
    assert existing() == wanted(later)


@pytest.mark.parametrize("scope", ["payments", "acme"])
@pytest.mark.parametrize("by", ["user", "team"])
def test_a_role_gives_nothing_after_its_end_though_nobody_clears_it_away(world, people, by, scope):
    from accounts.access import allowed

    team_update(actor=MARINA, team=world.dockers, members=[people[0]])
    past = timezone.now() - timedelta(seconds=1)
    role_binding_create(
        actor=MARINA,
        subject=people[0] if by == "user" else world.dockers,
        role="admin",
        scope=getattr(world, scope),
        expires_at=past,
        now=past - timedelta(hours=1),
    )
    assert existing(), "its rows are still there"
    for where in (world.payments, world.acme):
        assert not allowed(people[0], "virtualcluster.create", where)
    give(people[0], "viewer", world.payments)
    assert allowed(people[0], "project.view", world.payments), "another role gives it without an end"
    assert not allowed(people[0], "virtualcluster.create", world.payments)


def test_what_two_roles_give_holds_until_the_later_end(world, people):
    now = timezone.now()
    for role, hours in (("viewer", 3), ("developer", 1)):
        give(people[0], role, world.payments, expires_at=now + timedelta(hours=hours))
    ends = {action: end - now for (_, _, action), end in existing().items() if end != NEVER}
    assert ends["project.view"] == timedelta(hours=3)
    assert ends["virtualcluster.create"] == timedelta(hours=1)
    binding = RoleBinding.objects.get(user=people[0], role="viewer")
    role_binding_update(actor=MARINA, binding=binding, expires_at=None, now=now)
    assert existing() == wanted(now)


def test_the_check_finds_a_permission_that_outlives_its_role(world, people, capsys):
    give(people[0], "viewer", world.payments, expires_at=timezone.now() + timedelta(hours=1))
    row = ProjectUserPermission.objects.filter(user=people[0], permission__codename="project.view")
    row.update(expires_at=None)
    with pytest.raises(CommandError, match="1 differences"):
        call_command("check_permissions")
    assert f"ends at another time than its roles: user {people[0].pk}: project.view" in capsys.readouterr().out
    call_command("check_permissions", "--repair")
    assert existing() == wanted(timezone.now())


def test_the_check_names_each_difference_and_repairs_it(world, people, capsys):
    give(people[0], "viewer", world.payments)
    team_update(actor=MARINA, team=world.dockers, members=[people[1]])
    call_command("check_permissions")
    removed = ProjectUserPermission.objects.filter(user=people[0], permission__codename="project.view")
    removed.delete()
    stray = OrganizationUserPermission.objects.filter(user=world.olivia, permission__codename="host.connect").get()
    OrganizationUserPermission.objects.create(
        user=people[2], permission=stray.permission, content_object=stray.content_object
    )
    world.dockers.group.user_set.set([people[2]])
    with pytest.raises(CommandError, match="4 differences"):
        call_command("check_permissions")
    told = capsys.readouterr().out
    assert f"missing: user {people[0].pk}: project.view in project {world.payments.pk}" in told
    assert f"without a role binding: user {people[2].pk}: host.connect in organization {world.acme.pk}" in told
    call_command("check_permissions", "--repair")
    assert list(permission_differences(now=timezone.now()).sentences()) == []
