"""Every role x every action x own, other project's and other organization's object, against the role table."""

import pytest

from accounts import access
from accounts.errors import NotAllowed, NotFound
from accounts.roles import ORGANIZATION_ACTIONS, ORGANIZATION_ROLES, PROJECT_ACTIONS, PROJECT_ROLES
from accounts.services.teams import team_update
from tests.accounts.conftest import MARINA, World, give, person

BY = ("user", "team")


def _holder(world: World, by: str, role, scope):
    user = person("holder")
    if by == "team":
        team_update(actor=MARINA, team=world.dockers, members=[user])
        give(world.dockers, role, scope)
    else:
        give(user, role, scope)
    return user


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("role", PROJECT_ROLES)
def test_a_project_role_allows_what_the_table_says_there_and_nothing_elsewhere(world, role, by):
    user = _holder(world, by, role, world.payments)
    for action in ORGANIZATION_ACTIONS:
        assert access.allowed(user, action, world.payments) == (action in PROJECT_ROLES[role]), action
        for scope in (world.search, world.foreign, world.acme, world.globex):
            assert not access.allowed(user, action, scope), (action, scope)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("role", ORGANIZATION_ROLES)
def test_an_organization_role_allows_what_the_table_says_in_all_its_projects_and_no_other_organization(world, role, by):
    user = _holder(world, by, role, world.acme)
    for action in ORGANIZATION_ACTIONS:
        expected = action in ORGANIZATION_ROLES[role]
        assert access.allowed(user, action, world.acme) == expected, action
        for project in (world.payments, world.search):
            assert access.allowed(user, action, project) == (expected and action in PROJECT_ACTIONS), action
        for scope in (world.foreign, world.globex):
            assert not access.allowed(user, action, scope), (action, scope)


def test_roles_add_up(world):
    user = person("holder")
    give(user, "member", world.acme)
    give(user, "viewer", world.payments)
    give(user, "developer", world.payments)
    assert access.allowed(user, "organization.view", world.acme)
    assert access.allowed(user, "virtualcluster.create", world.payments)
    assert not access.allowed(user, "project.view", world.search)


def test_superusers_and_platform_staff_see_no_tenant_object(world):
    for action in ORGANIZATION_ACTIONS:
        for scope in (world.acme, world.payments):
            assert not access.allowed(world.staff, action, scope)


def test_a_deactivated_user_may_nothing(world):
    world.olivia.is_active = False
    world.olivia.save()
    assert not access.allowed(world.olivia, "project.view", world.payments)
    assert not access.allowed(world.olivia, "organization.view", world.acme)


def test_require_names_the_roles_that_may_where_the_object_is_seen(world):
    user = person("holder")
    give(user, "viewer", world.payments)
    with pytest.raises(NotAllowed) as refused:
        access.require(user, "virtualcluster.create", world.payments)
    assert "project developer" in refused.value.hint
    give(user, "member", world.acme)
    with pytest.raises(NotAllowed) as refused:
        access.require(user, "project.create", world.acme)
    assert "organization admin" in refused.value.hint
    assert "project" not in refused.value.hint.split("An admin")[0]


def test_require_says_of_the_unseen_that_it_is_not_there(world):
    with pytest.raises(NotFound):
        access.require(world.greta, "project.view", world.payments)
    with pytest.raises(NotFound):
        access.require(world.greta, "organization.update", world.acme)
