"""Giving and taking roles: what is refused, and that an organization keeps an admin."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from accounts.access import allowed
from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import RoleBinding
from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_create, role_binding_delete, role_binding_update
from accounts.services.teams import team_delete, team_update
from accounts.services.tokens import token_create, token_revoke
from accounts.services.users import user_deactivate
from tests.accounts.conftest import MARINA, give, person, signed_in, world_make

URL = "/api/v1/role-bindings"


def admin_binding(world) -> RoleBinding:
    return RoleBinding.objects.get(user=world.olivia, organization=world.acme)


def test_a_role_is_given_shown_prolonged_and_taken_over_http(world):
    person("vera")
    client = signed_in(world.olivia)
    sent = {"project": "acme/payments", "user": "vera", "role": "viewer", "expires_at": "2099-01-01T00:00:00Z"}
    answer = client.post(URL, sent, format="json")
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["user"]["handle"], shown["role"], shown["team"]) == ("vera", "viewer", None)
    assert shown["project"]["organization"]["name"] == "acme"
    where = answer["Location"]
    assert client.get(where).json() == shown
    assert client.patch(where, {"expires_at": None}, format="json").json()["expires_at"] is None
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"user": "nobody", "role": "viewer", "project": "acme/payments"}, "user"),
        ({"team": "nothing", "role": "viewer", "project": "acme/payments"}, "team"),
        ({"user": "vera", "role": "developer", "organization": "acme"}, "role"),
        ({"user": "vera", "role": "member", "project": "acme/payments"}, "role"),
        ({"user": "vera", "role": "king", "project": "acme/payments"}, "role"),
        ({"user": "vera", "team": "dockers", "role": "viewer", "project": "acme/payments"}, "user"),
        ({"role": "viewer", "project": "acme/payments"}, "user"),
        ({"user": "vera", "role": "viewer"}, "organization"),
        ({"user": "vera", "role": "viewer", "project": "globex/payments"}, "project"),
        (
            {"user": "vera", "role": "viewer", "project": "acme/payments", "expires_at": "2001-01-01T00:00:00Z"},
            "expires_at",
        ),
        ({"user": "gone", "role": "viewer", "project": "acme/payments"}, "user"),
        ({"user": "vera", "role": "viewer", "project": "acme/payments", "untill": 1}, "untill"),
    ],
)
def test_what_cannot_be_given_names_the_field(world, sent, field):
    person("vera")
    user_deactivate(actor=MARINA, user=person("gone"), now=timezone.now())
    answer = signed_in(world.olivia).post(URL, sent, format="json")
    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_role_given_twice_is_a_conflict_but_one_that_ended_can_be_given_again(world):
    vera, now = person("vera"), timezone.now()
    give(vera, "viewer", world.payments, expires_at=now + timedelta(hours=1))
    with pytest.raises(Conflict, match="viewer of acme/payments already"):
        give(vera, "viewer", world.payments)
    later = now + timedelta(hours=2)
    role_binding_create(actor=MARINA, subject=vera, role="viewer", scope=world.payments, now=later)
    assert RoleBinding.objects.get(user=vera).expires_at is None


def test_a_team_gets_no_role_in_another_organization(world):
    with pytest.raises(InvalidInput) as refused:
        give(world.globex_team, "viewer", world.payments)
    assert refused.value.field == "team"


def test_a_project_admin_takes_in_nobody_from_outside_the_organization(world):
    admin, outsider = person("padmin"), person("outsider")
    give(admin, "admin", world.payments)
    client = signed_in(admin)
    sent = {"project": "acme/payments", "user": "outsider", "role": "viewer"}
    answer = client.post(URL, sent, format="json")
    assert answer.status_code == 400
    assert "do not belong to acme" in answer.json()["detail"]
    unknown = client.post(URL, {**sent, "user": "nobody-at-all"}, format="json")
    by_id = client.post(URL, {**sent, "user": str(outsider.pk)}, format="json")
    user_deactivate(actor=MARINA, user=person("gone"), now=timezone.now())
    gone = client.post(URL, {**sent, "user": "gone"}, format="json")
    told = [{**each.json(), "instance": "", "request_id": ""} for each in (answer, unknown, by_id, gone)]
    assert told[1:] == told[:1] * 3, "whoever has a project could ask for the handles of other tenants"
    give(outsider, "member", world.acme)
    assert client.post(URL, sent, format="json").status_code == 201


def test_who_may_not_give_roles_cannot_probe_who_exists(world):
    vera = person("vera")
    give(vera, "viewer", world.payments)
    for handle in ("olivia", "nobody"):
        sent = {"project": "acme/payments", "user": handle, "role": "viewer"}
        assert signed_in(vera).post(URL, sent, format="json").status_code == 403


def test_one_may_give_up_ones_own_role(world):
    vera = person("vera")
    binding = give(vera, "viewer", world.payments)
    assert signed_in(vera).delete(f"{URL}/{binding.pk}").status_code == 204
    assert not allowed(vera, "project.view", world.payments)


def test_the_last_admin_of_an_organization_stays(world):
    now, vera = timezone.now(), person("vera")
    binding = admin_binding(world)
    with pytest.raises(Conflict, match="no admin left"):
        role_binding_delete(actor=MARINA, binding=binding, now=now)
    with pytest.raises(Conflict, match="no admin left"):
        role_binding_update(actor=MARINA, binding=admin_binding(world), expires_at=now + timedelta(days=1), now=now)
    give(vera, "admin", world.acme, expires_at=now + timedelta(days=1))
    with pytest.raises(Conflict, match="no admin left"):
        role_binding_delete(actor=MARINA, binding=admin_binding(world), now=now)
    assert allowed(world.olivia, "organization.update", world.acme)
    give(person("second"), "admin", world.acme)
    role_binding_delete(actor=MARINA, binding=admin_binding(world), now=now)
    assert not allowed(world.olivia, "organization.update", world.acme)


def test_the_last_admin_stays_also_as_a_member_of_a_team(world):
    now, vera = timezone.now(), person("vera")
    team_update(actor=MARINA, team=world.dockers, members=[vera])
    give(world.dockers, "admin", world.acme)
    role_binding_delete(actor=MARINA, binding=admin_binding(world), now=now)
    with pytest.raises(Conflict, match="no admin left"):
        team_update(actor=MARINA, team=world.dockers, members=[])
    with pytest.raises(Conflict, match="no admin left"):
        team_delete(actor=MARINA, team=world.dockers)
    assert allowed(vera, "organization.update", world.acme)


def test_deactivating_the_last_admin_goes_through_and_says_what_is_left_without_one(world):
    now = timezone.now()
    orphaned = user_deactivate(actor=Actor(user=world.staff), user=world.olivia, now=now)
    assert [each.name for each in orphaned] == ["acme"]
    # the platform can mend it, and nothing else is held up meanwhile
    team_update(actor=MARINA, team=world.dockers, members=[world.greta])
    give(world.greta, "admin", world.acme)


def test_joining_and_leaving_a_team_gives_and_ends_what_the_team_may(world):
    vera = person("vera")
    give(world.dockers, "developer", world.payments)
    client = signed_in(world.olivia)
    where = f"/api/v1/teams/{world.dockers.pk}"
    shown = client.patch(where, {"members": ["vera"]}, format="json").json()
    assert [each["handle"] for each in shown["members"]] == ["vera"]
    assert allowed(vera, "virtualcluster.create", world.payments)
    assert client.patch(where, {"members": ["nobody"]}, format="json").json()["errors"][0]["field"] == "members[0]"
    client.patch(where, {"members": []}, format="json")
    assert not allowed(vera, "project.view", world.payments)


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_who_remove_each_other_at_once_one_stays():
    world = world_make()
    second = give(person("second"), "admin", world.acme)
    bindings = [second, admin_binding(world)]
    barrier = Barrier(2)

    def remove(binding: RoleBinding) -> bool:
        barrier.wait(timeout=20)
        try:
            role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, bindings)) == [False, True]


def test_nobody_makes_or_revokes_tokens_of_somebody_else(world):
    now = timezone.now()
    with pytest.raises(NotAllowed):
        token_create(actor=Actor(user=world.staff), user=world.olivia, name="x", expires_in=None, now=now)
    token = token_create(actor=MARINA, user=world.olivia, name="x", expires_in=None, now=now).token
    with pytest.raises(NotAllowed):
        token_revoke(actor=Actor(user=world.greta), token=token, now=now)
    token_revoke(actor=Actor(user=world.staff), token=token, now=now)
