"""Groups of an issuer give and take memberships: only what a mapping gave, and never an organization's last admin."""

import pytest
from django.utils import timezone

from accounts.access import allowed
from accounts.models import AuditEvent, GroupGrant, RoleBinding
from accounts.services.group_grants import groups_apply
from accounts.services.group_mappings import group_mapping_create
from accounts.services.permission_check import permission_differences
from accounts.services.role_bindings import role_binding_delete
from accounts.services.teams import team_delete
from accounts.services.users import user_deactivate
from tests.accounts.conftest import MARINA, give, person, signed_in

ISSUER = "https://login.example.org"
MAPPINGS = "/api/v1/group-mappings"


@pytest.fixture(autouse=True)
def _issuer(settings):
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = ISSUER, "marina"


def mapping(world, group, **gives):
    return group_mapping_create(actor=MARINA, organization=world.acme, group=group, **gives)


def apply(user, *groups, issuer=ISSUER):
    groups_apply(user=user, issuer=issuer, groups=frozenset(groups), now=timezone.now())


def roles(user) -> list[str]:
    return sorted(f"{each.role} of {each.organization or each.project}" for each in user.role_bindings.all())


@pytest.fixture
def vera(db):
    return person("vera")


def test_a_group_gives_roles_and_a_team_and_takes_them_when_it_is_gone(world, vera):
    mapping(world, "staff", role="member")
    mapping(world, "devs", role="developer", project=world.payments)
    mapping(world, "devs", team=world.dockers)
    apply(vera, "staff", "devs", "unknown")
    assert roles(vera) == ["developer of acme/payments", "member of acme"]
    assert allowed(vera, "virtualcluster.create", world.payments)
    assert list(world.dockers.members.all()) == [vera]
    assert list(world.dockers.group.user_set.all()) == [vera]
    apply(vera, "staff")
    assert roles(vera) == ["member of acme"]
    assert not allowed(vera, "project.view", world.payments)
    assert not world.dockers.members.exists()
    assert not world.dockers.group.user_set.exists()
    assert list(permission_differences(now=timezone.now()).sentences()) == []
    given = AuditEvent.objects.filter(actor="group mapping").values_list("action", flat=True)
    assert sorted(given) == ["role.give", "role.give", "role.take", "team.update", "team.update"]


def test_the_same_groups_again_change_nothing(world, vera):
    mapping(world, "devs", role="member")
    mapping(world, "devs", team=world.dockers)
    apply(vera, "devs")
    events = AuditEvent.objects.count()
    apply(vera, "devs")
    assert AuditEvent.objects.count() == events


def test_what_somebody_had_by_hand_stays(world, vera):
    give(vera, "member", world.acme)
    world.dockers.members.add(vera)
    mapping(world, "devs", role="member")
    mapping(world, "devs", team=world.dockers)
    apply(vera, "devs")
    assert not GroupGrant.objects.exists()
    apply(vera)
    assert roles(vera) == ["member of acme"]
    assert list(world.dockers.members.all()) == [vera]


def test_what_two_groups_give_stays_until_both_are_gone(world, vera):
    for group in ("a", "b"):
        mapping(world, group, role="member")
        mapping(world, group, team=world.dockers)
    apply(vera, "a", "b")
    assert RoleBinding.objects.filter(user=vera).count() == 1
    binding = RoleBinding.objects.get(user=vera)
    apply(vera, "b")
    assert RoleBinding.objects.get(user=vera) == binding, "it did not even flicker"
    assert list(world.dockers.members.all()) == [vera]
    apply(vera, "a")
    assert roles(vera) == ["member of acme"]
    apply(vera)
    assert roles(vera) == []
    assert not world.dockers.members.exists()


def test_groups_of_another_issuer_give_and_take_nothing(world, vera):
    mapping(world, "devs", role="member")
    apply(vera, "devs", issuer="https://elsewhere.example.org")
    assert roles(vera) == []
    apply(vera, "devs")
    apply(vera, issuer="https://elsewhere.example.org")
    assert roles(vera) == ["member of acme"]


def test_an_organization_keeps_its_last_admin_and_tells_so(world, vera):
    mapping(world, "owners", role="admin")
    apply(vera, "owners")
    role_binding_delete(
        actor=MARINA,
        binding=RoleBinding.objects.get(user=world.olivia, organization=world.acme),
        now=timezone.now(),
    )
    apply(vera)
    assert roles(vera) == ["admin of acme"]
    told = AuditEvent.objects.get(action="group-mapping.kept")
    assert (told.result, told.organization_id) == ("refused", world.acme.pk)
    assert "no admin left" in told.details["reason"]
    give(world.olivia, "admin", world.acme)
    apply(vera)
    assert roles(vera) == []


def test_a_role_that_an_admin_took_by_hand_is_given_again_while_the_group_is_there(world, vera):
    mapping(world, "devs", role="member")
    apply(vera, "devs")
    role_binding_delete(actor=MARINA, binding=RoleBinding.objects.get(user=vera), now=timezone.now())
    assert not GroupGrant.objects.exists()
    apply(vera, "devs")
    assert roles(vera) == ["member of acme"]


def test_a_team_with_a_deactivated_member_takes_in_others_and_keeps_them(world, vera):
    gone = person("gone")
    world.dockers.members.add(gone)
    user_deactivate(actor=MARINA, user=gone, now=timezone.now())
    mapping(world, "devs", team=world.dockers)
    apply(vera, "devs")
    apply(vera)
    assert list(world.dockers.members.all()) == [gone]


def test_a_team_that_is_deleted_takes_its_mappings_along(world, vera):
    mapping(world, "devs", team=world.dockers)
    apply(vera, "devs")
    team_delete(actor=MARINA, team=world.dockers)
    assert not GroupGrant.objects.exists()
    apply(vera, "devs")


def test_admins_make_list_change_and_delete_mappings(world, vera):
    client = signed_in(world.olivia)
    made = client.post(
        MAPPINGS, {"organization": "acme", "group": "devs", "role": "developer", "project": "acme/payments"}, "json"
    )
    assert made.status_code == 201, made.json()
    assert (made.json()["issuer"], made.json()["people"]) == (ISSUER, 0)
    apply(vera, "devs", "others")
    assert client.get(MAPPINGS).json()["results"][0]["people"] == 1
    changed = client.patch(f"{MAPPINGS}/{made.json()['id']}", {"group": "others"}, "json")
    assert (changed.status_code, changed.json()["people"]) == (200, 0)
    assert roles(vera) == [], "taken at once"
    apply(vera, "devs", "others")
    assert roles(vera) == ["developer of acme/payments"]
    assert client.delete(made["Location"]).status_code == 204
    assert roles(vera) == []
    actions = AuditEvent.objects.filter(object_kind="group-mapping").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["group-mapping.create", "group-mapping.update", "group-mapping.delete"]


def test_deleting_a_mapping_that_gave_the_last_admin_is_refused_and_changes_nothing(world, vera):
    made = mapping(world, "owners", role="admin")
    apply(vera, "owners")
    last = RoleBinding.objects.get(user=world.olivia, organization=world.acme)
    role_binding_delete(actor=MARINA, binding=last, now=timezone.now())
    refused = signed_in(vera).delete(f"{MAPPINGS}/{made.pk}")
    assert refused.status_code == 409
    assert roles(vera) == ["admin of acme"]


def test_only_who_manages_members_sees_or_makes_mappings(world, vera):
    made = mapping(world, "devs", role="member")
    give(vera, "auditor", world.acme)
    for client, status in ((signed_in(vera), 403), (signed_in(world.greta), 400), (signed_in(person("nobody")), 400)):
        assert client.get(MAPPINGS).json()["results"] == []
        assert client.get(f"{MAPPINGS}/{made.pk}").status_code == 404
        assert client.delete(f"{MAPPINGS}/{made.pk}").status_code == 404
        answer = client.post(MAPPINGS, {"organization": "acme", "group": "x", "role": "member"}, "json")
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "member", "team": "dockers"}, "role"),
        ({}, "role"),
        ({"role": "developer"}, "role"),
        ({"role": "member", "project": "acme/payments"}, "role"),
        ({"role": "viewer", "project": "globex/payments"}, "project"),
        ({"team": "dockers", "project": "acme/payments"}, "project"),
        ({"team": "nobody"}, "team"),
        ({"role": "member", "issuer": "https://elsewhere.example.org"}, "issuer"),
    ],
)
def test_what_cannot_be_given_is_refused_by_field(world, body, field):
    answer = signed_in(world.olivia).post(MAPPINGS, {"organization": "acme", "group": "devs", **body}, "json")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_the_same_mapping_twice_is_a_conflict_and_none_is_made_without_an_issuer(world, settings):
    client, body = signed_in(world.olivia), {"organization": "acme", "group": "devs", "role": "member"}
    assert client.post(MAPPINGS, body, "json").status_code == 201
    assert client.post(MAPPINGS, body, "json").status_code == 409
    settings.OIDC_ISSUER = ""
    assert client.post(MAPPINGS, {**body, "group": "x"}, "json").json()["errors"][0]["field"] == "issuer"


def test_lists_cost_the_same_for_one_and_for_many(world, django_assert_num_queries):
    client = signed_in(world.olivia)
    mapping(world, "one", role="member")
    client.get(MAPPINGS)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        client.get(MAPPINGS)
    for number in range(5):
        mapping(world, f"g{number}", team=world.dockers)
    with CaptureQueriesContext(connection) as many:
        client.get(MAPPINGS)
    assert len(many) == len(few)
