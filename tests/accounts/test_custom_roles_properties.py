"""Whatever custom roles there are: rows equal what they say, and nobody's own acts let them do more than before."""

from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.access import allowed
from accounts.actions_held import actions_at, actions_held
from accounts.errors import MarinaError
from accounts.models import Role, RoleBinding, ServiceAccount, User
from accounts.roles import BUILT_IN_ROLES, ORGANIZATION_ACTIONS
from accounts.services.audit import Actor
from accounts.services.invitations import invitation_accept, invitation_create
from accounts.services.permission_check import permission_differences
from accounts.services.role_bindings import role_binding_create, role_binding_delete, role_binding_update
from accounts.services.roles import role_create, role_delete, role_update
from accounts.services.service_accounts import service_account_create
from accounts.services.team_members import team_member_add, team_member_remove
from accounts.services.teams import team_delete, team_update
from tests.accounts.conftest import MARINA, World, give, person
from tests.clusters.making import host_row, ready_row

NEEDED = ("organization.view", "project.view", "virtualcluster.view", "operation.view", "host.view")
POWERS = ("organization.members", "project.members", "team.manage", "virtualcluster.share", "serviceaccount.manage")

number = st.integers(0, 5)
hours = st.none() | st.integers(1, 4)
some_actions = st.sets(st.sampled_from(ORGANIZATION_ACTIONS), max_size=6)
# who can give something is more interesting than who cannot
powerful = st.builds(lambda more, powers: more | powers, some_actions, st.sets(st.sampled_from(POWERS), min_size=1))
acts = st.lists(
    st.one_of(
        st.tuples(st.just("define"), number, some_actions | powerful),
        st.tuples(st.just("redefine"), number, some_actions | powerful),
        st.tuples(st.just("undefine"), number, st.booleans()),
        st.tuples(st.just("give"), number, number, number, hours),
        st.tuples(st.just("give"), number, number, number, hours),
        st.tuples(st.just("take"), number),
        st.tuples(st.just("prolong"), number, hours),
        st.tuples(st.just("join"), number),
        st.tuples(st.just("leave"), number),
        st.tuples(st.just("members"), number),
        st.tuples(st.just("dissolve")),
        st.tuples(st.just("invite"), number, number),
        st.tuples(st.just("machine"), number),
    ),
    max_size=12,
)
begun = st.lists(st.tuples(powerful, number, st.booleans(), hours), min_size=1, max_size=3)


def whole(actions: set[str]) -> list[str]:
    """With what a role with these has to have."""
    more = {"virtualcluster.kubeconfig.view"} if "virtualcluster.kubeconfig.admin" in actions else set()
    return sorted({*actions, *NEEDED, *more})


class Climber:
    """Tries everything that one can do to roles and teams, as itself; and what Marina does beforehand."""

    def __init__(self, world: World, user: User, actor: Actor, scopes: list[Any]) -> None:
        self.world, self.user, self.actor, self.scopes = world, user, actor, scopes
        self.now = timezone.now()
        self.subjects: list[Any] = [user, world.dockers, person("friend")]
        self.done = 0

    def do(self, name: str, *args: Any) -> None:
        try:
            with transaction.atomic():
                getattr(self, name)(*args)
        except MarinaError:
            return
        self.done += 1

    def _of(self, rows: Any, index: int) -> Any:
        found = list(rows)
        return found[index % len(found)] if found else None

    def _role(self, index: int) -> Any:
        return self._of(Role.objects.select_related("organization").order_by("pk"), index)

    def _name(self, index: int) -> Any:
        return self._of([*BUILT_IN_ROLES, *Role.objects.order_by("pk").values_list("name", flat=True)], index * 7)

    def _binding(self, index: int) -> Any:
        return self._of(RoleBinding.objects.order_by("-pk"), index)

    def _end(self, hours: int | None) -> Any:
        return None if hours is None else self.now + timedelta(hours=hours)

    def define(self, index: int, actions: set[str]) -> None:
        role_create(actor=self.actor, organization=self.world.acme, name=f"role-{index}", actions=whole(actions))

    def redefine(self, index: int, actions: set[str]) -> None:
        if role := self._role(index):
            role_update(actor=self.actor, role=role, actions=whole(actions), now=self.now)

    def undefine(self, index: int, take: bool) -> None:
        if role := self._role(index):
            role_delete(actor=self.actor, role=role, take=take, now=self.now)

    def give(self, subject: int, role: int, scope: int, hours: int | None) -> None:
        role_binding_create(
            actor=self.actor,
            subject=self._of(self.subjects, subject),
            role=self._name(role),
            scope=self._of(self.scopes, scope),
            expires_at=self._end(hours),
            now=self.now,
        )

    def take(self, index: int) -> None:
        if binding := self._binding(index):
            role_binding_delete(actor=self.actor, binding=binding, now=self.now)

    def prolong(self, index: int, hours: int | None) -> None:
        if binding := self._binding(index):
            role_binding_update(actor=self.actor, binding=binding, expires_at=self._end(hours), now=self.now)

    def join(self, _: int) -> None:
        if self.world.dockers in self.subjects:
            team_member_add(actor=self.actor, team=self.world.dockers, user=self.user)

    def leave(self, _: int) -> None:
        if self.world.dockers in self.subjects:
            team_member_remove(actor=self.actor, team=self.world.dockers, user=self.user, now=self.now)

    def members(self, count: int) -> None:
        if self.world.dockers in self.subjects:
            team_update(actor=self.actor, team=self.world.dockers, members=[self.user][: count % 2])

    def dissolve(self) -> None:
        if self.world.dockers in self.subjects:
            team_delete(actor=self.actor, team=type(self.world.dockers).objects.get(pk=self.world.dockers.pk))
            self.subjects.remove(self.world.dockers)

    def invite(self, role: int, scope: int) -> None:
        where = self._of(self.scopes[:3], scope)
        made = invitation_create(actor=self.actor, scope=where, role=self._name(role), now=self.now)
        invitation_accept(actor=Actor(user=self.user), secret=made.secret, now=self.now)

    def machine(self, role: int) -> None:
        """What a service account of one's making may, one may oneself: by its tokens."""
        service_account_create(
            actor=self.actor,
            project=self.world.payments,
            name=f"robot-{ServiceAccount.objects.count()}",
            role=self._name(role),
            now=self.now,
        )


@contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def begin(world: World, user: User, scopes: list[Any], roles: list[Any]) -> None:
    """Somebody has custom roles here and there, by themselves or by a team; and a team that has more stands by."""
    for index, (actions, scope, by_team, hours) in enumerate(roles):
        name, end = f"begun-{index}", None if hours is None else timezone.now() + timedelta(hours=hours)
        role_create(actor=MARINA, organization=world.acme, name=name, actions=whole(actions))
        where = scopes[scope % len(scopes)]
        give(world.dockers if by_team else user, name, where, expires_at=end)
    role_create(actor=MARINA, organization=world.acme, name="strong", actions=list(ORGANIZATION_ACTIONS))
    give(world.dockers, "strong", scopes[2])


def held(user: User, scopes: list[Any]) -> list[dict[str, Any]]:
    """By themselves, and by the service accounts that they made: theirs are the tokens."""
    return [actions_held(user, scope) for scope in scopes]


def lasts(one: Any, other: Any) -> bool:
    return other is None or (one is not None and one <= other)


@pytest.fixture
def scopes(world) -> list[Any]:
    return [world.acme, world.payments, world.search, ready_row(world, host_row(), project=world.payments)]


@given(roles=begun, steps=acts)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nobodys_own_acts_let_them_do_more_or_longer_than_before(world, scopes, roles, steps):
    with undone():
        user = person("climber")
        begin(world, user, scopes, roles)
        before = held(user, scopes)
        climber = Climber(world, user, Actor(user=user), scopes)
        for step in steps:
            climber.do(*step)
        for had, has, scope in zip(before, held(user, scopes), scopes, strict=True):
            assert has.keys() <= had.keys(), (scope, has.keys() - had.keys())
            assert all(lasts(end, had[action]) for action, end in has.items()), scope
        for account in ServiceAccount.objects.filter(name__startswith="robot-"):
            assert held(account.user, scopes)[1].keys() <= before[1].keys()
        assert list(permission_differences(now=climber.now).sentences()) == []


@given(roles=begun, steps=acts)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_equal_what_the_roles_say_after_any_sequence(world, scopes, roles, steps):
    with undone():
        user = person("somebody")
        begin(world, user, scopes, roles)
        marina = Climber(world, user, MARINA, scopes)
        for step in steps:
            marina.do(*step)
        assert list(permission_differences(now=marina.now).sentences()) == []
        for scope in scopes:
            assert set(actions_held(user, scope)) == expected(user, scope)
            assert set(actions_held(user, scope)) == {each for each in actions_at(scope) if allowed(user, each, scope)}


def expected(user: User, scope: Any) -> set[str]:
    """Worked out from bindings and roles, apart from the services."""
    around = [scope]
    if hasattr(scope, "project"):
        around.append(scope.project)
    if hasattr(scope, "organization") or hasattr(scope, "project"):
        around.append(around[-1].organization)
    keys = {each.pk for each in around}
    found: set[str] = set()
    for binding in RoleBinding.objects.select_related("custom_role"):
        in_team = binding.team is not None and binding.team.members.filter(pk=user.pk).exists()
        where = binding.organization_id or binding.project_id or binding.virtual_cluster_id
        if (binding.user_id == user.pk or in_team) and where in keys:
            custom = binding.custom_role
            found |= set(custom.actions) if custom else set(binding.actions)
    return found & set(actions_at(scope))
