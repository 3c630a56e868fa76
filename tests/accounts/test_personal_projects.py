"""A new person is not stranded: a project of their own, and a few that they may make themselves."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from accounts import access
from accounts.models import Organization, Project
from accounts.services.first_sign_in import first_sign_in
from accounts.services.organizations import organization_update
from accounts.services.permission_check import permission_differences
from accounts.services.projects import project_create
from accounts.services.role_bindings import role_binding_delete
from accounts.services.teams import team_update
from tests.accounts.conftest import MARINA, give, person, signed_in, world_make
from tests.accounts.machines import machine


@pytest.fixture
def generous(world):
    """acme as organizations begin: with personal projects, and three for each member."""
    return organization_update(actor=MARINA, organization=world.acme, personal_projects=True, member_projects=3)


def personal(user) -> list[str]:
    return sorted(map(str, Project.objects.filter(personal_of=user).select_related("organization")))


def test_organizations_begin_with_personal_projects_and_three_for_each_member():
    organization = Organization(name="new")
    assert (organization.personal_projects, organization.member_projects) == (True, 3)
    assert (organization.personal_project_clusters, organization.personal_project_lifetime_days) == (2, 30)


def test_the_first_sign_in_makes_a_project_with_the_organizations_limits(world, generous):
    mia = person("mia", name="Mia")
    team_update(actor=MARINA, team=world.dockers, members=[mia])
    give(world.dockers, "member", world.acme)
    (made,) = first_sign_in(user=mia, now=timezone.now())
    assert (str(made), made.personal_of, made.created_by) == ("acme/mia", mia, mia)
    assert (made.cluster_limit, made.cluster_lifetime_days) == (2, 30)
    assert access.allowed(mia, "project.members", made)
    assert not access.allowed(mia, "virtualcluster.create", world.payments)
    assert first_sign_in(user=mia, now=timezone.now()) == []
    assert list(permission_differences(now=timezone.now()).sentences()) == []


def test_the_first_role_of_an_organization_brings_one_too(world, generous):
    mia = person("mia")
    give(mia, "member", world.acme)
    give(mia, "auditor", world.acme)
    assert personal(mia) == ["acme/mia"]
    give(mia, "member", world.globex)
    assert personal(mia) == ["acme/mia"], "globex has them off"


def test_a_role_in_a_project_alone_brings_none(world, generous):
    eve = person("eve")
    give(eve, "developer", world.payments)
    assert first_sign_in(user=eve, now=timezone.now()) == []


def test_who_leaves_the_organization_leaves_their_personal_project_and_finds_it_again_on_return(world, generous):
    mia = person("mia")
    binding = give(mia, "member", world.acme)
    project = Project.objects.get(personal_of=mia)
    role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
    assert not access.allowed(mia, "project.view", project)
    assert access.allowed(world.olivia, "project.view", project), "its admins look through what is left"
    give(mia, "member", world.acme)
    assert access.allowed(mia, "project.members", project)
    assert personal(mia) == ["acme/mia"]
    assert list(permission_differences(now=timezone.now()).sentences()) == []


def test_a_name_that_is_taken_gets_a_number(world, generous):
    long = person("a" * 40)
    for name in ("mia", "mia-2", "a" * 40):
        project_create(actor=MARINA, organization=world.acme, name=name)
    mia = person("mia")
    give(mia, "member", world.acme)
    give(long, "member", world.acme)
    assert personal(mia) == ["acme/mia-3"]
    assert personal(long) == [f"acme/{'a' * 38}-2"]


def test_neither_a_service_account_nor_somebody_deactivated_gets_one(world, generous):
    account, gone = machine(world.payments), person("gone")
    give(account, "member", world.acme)
    give(gone, "member", world.acme)
    Project.objects.filter(personal_of=gone).delete()
    gone.is_active = False
    gone.save()
    for user in (account.user, gone):
        assert first_sign_in(user=user, now=timezone.now()) == []


@pytest.mark.django_db(transaction=True)
def test_two_sign_ins_at_once_make_one_project():
    world = world_make()
    mia = person("mia")
    give(mia, "member", world.acme)
    organization_update(actor=MARINA, organization=world.acme, personal_projects=True)
    barrier = Barrier(2)

    def sign_in(_: int) -> int:
        try:
            barrier.wait(timeout=20)
            return len(first_sign_in(user=mia, now=timezone.now()))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(sign_in, range(2))) == [0, 1]


# --- projects that members make ---------------------------------------------------------------------------------------


def make(client, name: str):
    return client.post("/api/v1/projects", {"organization": "acme", "name": name}, format="json")


def test_a_member_makes_as_many_projects_as_the_organization_says_and_is_their_admin(world, generous):
    mia = person("mia")
    give(mia, "member", world.acme)
    client = signed_in(mia)
    for number in range(3):
        answer = make(client, f"own-{number}")
        assert answer.status_code == 201, answer.content
        assert answer.json()["created_by"]["handle"] == "mia"
        assert access.allowed(mia, "project.members", Project.objects.get(pk=answer.json()["id"]))
    refused = make(client, "own-3")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "You made 3 projects in acme; a member may make 3."
    assert "organization admin" in refused.json()["hint"]
    assert client.delete(f"/api/v1/projects/{answer.json()['id']}").status_code == 204
    assert make(client, "own-3").status_code == 201, "one that was deleted counts no more"
    assert make(signed_in(world.olivia), "any").status_code == 201


def test_an_organization_may_let_its_admins_alone_make_projects(world):
    mia, otto = person("mia"), person("otto")
    give(mia, "member", world.acme)
    give(otto, "auditor", world.acme)
    refused = make(signed_in(mia), "own").json()
    assert refused["detail"] == "Members make no projects in acme."
    assert refused["hint"] == "Ask an organization admin for one."
    assert make(signed_in(otto), "own").status_code == 403
    assert make(signed_in(world.greta), "own").status_code == 400, "acme is not there for her"


# --- settings and limits ----------------------------------------------------------------------------------------------


def test_an_organizations_admins_set_what_its_members_get(world):
    client, where = signed_in(world.olivia), f"/api/v1/organizations/{world.acme.pk}"
    body = {
        "personal_projects": True,
        "personal_project_clusters": 1,
        "personal_project_lifetime_days": 7,
        "member_projects": 5,
    }
    answer = client.patch(where, body, format="json")
    assert answer.status_code == 200, answer.content
    assert {key: answer.json()[key] for key in body} == body
    refused = client.patch(where, {"member_projects": -1, "personal_project_lifetime_days": 0}, format="json")
    assert {each["field"] for each in refused.json()["errors"]} == {
        "member_projects",
        "personal_project_lifetime_days",
    }
    mia = person("mia")
    give(mia, "member", world.acme)
    assert signed_in(mia).patch(where, body, format="json").status_code == 403
    assert Project.objects.get(personal_of=mia).cluster_limit == 1


def test_a_projects_limits_are_set_by_the_organizations_admins_and_not_by_its_own(world):
    ada = person("ada")
    give(ada, "admin", world.payments)
    where = f"/api/v1/projects/{world.payments.pk}"
    body = {"cluster_limit": 3, "cluster_lifetime_days": 7}
    refused = signed_in(ada).patch(where, body, format="json")
    assert refused.status_code == 403
    assert "admins of acme" in refused.json()["detail"]
    shown = signed_in(world.olivia).patch(where, body, format="json").json()
    assert (shown["cluster_limit"], shown["cluster_lifetime_days"]) == (3, 7)
    freed = signed_in(world.olivia).patch(where, {"cluster_limit": None}, format="json").json()
    assert (freed["cluster_limit"], freed["cluster_lifetime_days"]) == (None, 7)
