"""Roles of an organization's own: what they allow, who defines them, and that nobody grows by them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.access import allowed
from accounts.errors import Conflict, Gone, InvalidInput, NotAllowed
from accounts.models import AuditEvent, GroupMapping, Organization, Role, RoleBinding
from accounts.roles import CLUSTER_ACTIONS, ORGANIZATION_ACTIONS, PROJECT_ACTIONS
from accounts.services.audit import Actor
from accounts.services.group_grants import groups_apply
from accounts.services.group_mappings import group_mapping_delete
from accounts.services.invitations import invitation_accept, invitation_create
from accounts.services.permission_check import permission_differences
from accounts.services.role_bindings import role_binding_create, role_binding_delete, role_binding_update
from accounts.services.roles import ROLES_MOST, role_create, role_delete, role_update
from accounts.services.service_accounts import service_account_create
from accounts.services.team_members import team_member_add
from accounts.services.teams import team_update
from accounts.services.tokens import token_create
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.clusters.making import host_row, ready_row

DEPLOY = ("virtualcluster.view", "virtualcluster.update", "operation.view", "operation.retry")
STAFFING = ("organization.view", "organization.members", "project.view", "project.members", "team.manage")


@pytest.fixture
def host(world):
    return host_row()


def define(world, name="deployer", actions=DEPLOY, actor=MARINA) -> Role:
    return role_create(actor=actor, organization=world.acme, name=name, actions=actions)


def own_address(world, name="") -> str:
    return f"/api/v1/organizations/{world.acme.pk}/roles{f'/{name}' if name else ''}"


def consistent() -> bool:
    return list(permission_differences(now=timezone.now()).sentences()) == []


def what(user, scope) -> set[str]:
    return {action for action in ORGANIZATION_ACTIONS if allowed(user, action, scope)}


def lead(world, *more: str):
    """Somebody who looks after people of acme, and may do no more than that and `more`."""
    define(world, "lead", (*STAFFING, *more))
    user = person("lea")
    give(user, "lead", world.acme)
    return user, Actor(user=user)


@pytest.mark.parametrize("by", ["user", "team"])
def test_a_custom_role_allows_its_actions_where_it_is_given_and_nothing_elsewhere(world, host, by):
    define(world, actions=(*DEPLOY, "project.view", "organization.view"))
    cluster = ready_row(world, host)
    for scope, here in (
        (world.acme, ORGANIZATION_ACTIONS),
        (world.payments, PROJECT_ACTIONS),
        (cluster, CLUSTER_ACTIONS),
    ):
        user = person(f"u-{scope._meta.model_name}")
        team_update(actor=MARINA, team=world.dockers, members=[user] if by == "team" else [])
        binding = give(world.dockers if by == "team" else user, "deployer", scope)
        expected = {*DEPLOY, "project.view", "organization.view"} & set(here)
        assert what(user, scope) == expected
        assert what(user, world.foreign) == set()
        assert consistent()
        role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
        assert what(user, scope) == set()


def test_a_change_of_a_role_holds_at_once_for_everybody_who_has_it_and_leaves_a_record(world, host):
    role, cluster = define(world), ready_row(world, host)
    users = [person(f"dev-{number}") for number in range(3)]
    for user, scope in zip(users, (world.acme, world.payments, cluster), strict=True):
        give(user, "deployer", scope)
    machine = service_account_create(
        actor=MARINA, project=world.payments, name="robot", role="deployer", now=timezone.now()
    )
    team_update(actor=MARINA, team=world.dockers, members=[users[0]])
    give(world.dockers, "deployer", world.search)
    give(users[1], "viewer", world.payments)
    changed = ("virtualcluster.view", "virtualcluster.delete")
    role_update(actor=Actor(user=world.olivia), role=role, actions=changed, now=timezone.now())
    for user in (*users, machine.user):
        assert allowed(user, "virtualcluster.delete", cluster)
        assert not allowed(user, "virtualcluster.update", cluster)
    assert allowed(users[1], "operation.view", cluster), "another role gives it still"
    assert consistent()
    row = AuditEvent.objects.get(action="custom-role.update")
    assert row.before["actions"] == [action for action in ORGANIZATION_ACTIONS if action in DEPLOY]
    assert row.after["actions"] == list(changed)


@pytest.mark.parametrize(
    ("name", "actions", "field"),
    [
        ("admin", DEPLOY, "name"),
        ("Not A Name", DEPLOY, "name"),
        ("x", (), "actions"),
        ("x", ("platform",), "actions[0]"),
        ("x", ("virtualcluster.view", "king.be"), "actions[1]"),
        ("x", ("virtualcluster.update",), "actions"),
        ("x", ("virtualcluster.view", "virtualcluster.kubeconfig.admin"), "actions"),
    ],
)
def test_what_cannot_be_a_role_is_refused_by_field(world, name, actions, field):
    with pytest.raises(InvalidInput) as refused:
        define(world, name, actions)
    assert refused.value.errors[0].field == field


def test_a_role_that_allows_nothing_there_cannot_be_given_there(world):
    define(world, "seer", ("organization.view",))
    with pytest.raises(InvalidInput, match="nothing that can be done to a project"):
        give(person("una"), "seer", world.payments)


def test_another_organizations_role_cannot_be_given(world):
    define(world)
    with pytest.raises(InvalidInput, match="has no role 'deployer'"):
        give(person("una"), "deployer", world.foreign)


def test_nobody_defines_or_changes_a_role_beyond_their_own(world):
    lea, actor = lead(world)
    with pytest.raises(NotAllowed, match=r"virtualcluster\.view"):
        define(world, actor=actor)
    assert define(world, "peer", ("organization.view",), actor).name == "peer"
    strong = define(world)
    for actions in (DEPLOY, ("organization.view",)):
        with pytest.raises(NotAllowed):
            role_update(actor=actor, role=strong, actions=actions, now=timezone.now())
    with pytest.raises(NotAllowed):
        role_delete(actor=actor, role=strong, now=timezone.now())
    own = Role.objects.get(name="lead")
    with pytest.raises(NotAllowed):  # nor the one that they have
        role_update(actor=actor, role=own, actions=(*STAFFING, *DEPLOY), now=timezone.now())
    assert what(lea, world.acme) == set(STAFFING)


@pytest.mark.parametrize("role", ["admin", "deployer", "auditor"])
def test_nobody_gives_or_takes_a_role_beyond_their_own_however_they_try(world, role):
    define(world)
    lea, actor = lead(world)
    now, una = timezone.now(), person("una")
    scopes = [world.acme] if role == "auditor" else [world.acme, world.payments]
    for scope in scopes:
        for subject in (lea, una, world.dockers):
            with pytest.raises(NotAllowed):
                role_binding_create(actor=actor, subject=subject, role=role, scope=scope, now=now)
        with pytest.raises(NotAllowed):
            invitation_create(actor=actor, scope=scope, role=role, now=now)
        binding = give(una, role, scope)
        with pytest.raises(NotAllowed):
            role_binding_delete(actor=actor, binding=binding, now=now)
        with pytest.raises(NotAllowed):
            role_binding_update(actor=actor, binding=binding, expires_at=None, now=now)
    give(world.dockers, role, world.acme)
    with pytest.raises(NotAllowed, match="change who is in dockers"):
        team_member_add(actor=actor, team=world.dockers, user=lea)
    with pytest.raises(NotAllowed):
        team_update(actor=actor, team=world.dockers, members=[lea])
    assert what(lea, world.acme) == set(STAFFING)


def test_what_one_has_oneself_one_gives(world):
    _, actor = lead(world, *DEPLOY)
    define(world)
    una = person("una")
    give(una, "member", world.acme)
    for scope in (world.acme, world.payments):
        role_binding_create(actor=actor, subject=una, role="deployer", scope=scope, now=timezone.now())
    give(world.dockers, "deployer", world.payments)
    team_member_add(actor=actor, team=world.dockers, user=una)


def test_an_expired_role_gives_nothing_to_give_and_one_that_ends_is_not_prolonged_for_oneself(world):
    define(world)
    define(world, "lead", (*STAFFING, *DEPLOY))
    lea, now = person("lea"), timezone.now()
    give(lea, "lead", world.acme, expires_at=now + timedelta(hours=1))
    actor = Actor(user=lea)
    with pytest.raises(NotAllowed, match="cannot prolong"):
        role_binding_create(actor=actor, subject=lea, role="deployer", scope=world.acme, now=now)
    own = RoleBinding.objects.get(user=lea)
    with pytest.raises(NotAllowed, match="cannot prolong"):
        role_binding_update(actor=actor, binding=own, expires_at=None, now=now)
    define(world, "staffing", STAFFING)
    give(lea, "staffing", world.acme)
    past = now - timedelta(seconds=1)
    RoleBinding.objects.filter(pk=own.pk).delete()
    role_binding_create(
        actor=MARINA, subject=lea, role="lead", scope=world.acme, expires_at=past, now=past - timedelta(hours=1)
    )
    with pytest.raises(NotAllowed):
        role_binding_create(actor=actor, subject=lea, role="deployer", scope=world.payments, now=now)


def test_a_token_gives_and_defines_no_more_than_it_is_limited_to(world):
    limited = token_create(
        actor=MARINA, user=world.olivia, name="t", expires_in=None, now=timezone.now(), actions=STAFFING
    )
    client = signed_in(world.olivia)
    client.token = limited.text
    client.with_headers()
    sent = {"name": "deployer", "actions": list(DEPLOY)}
    assert client.post(own_address(world), sent, format="json").status_code == 403
    person("una")
    given = {"user": "una", "project": "acme/payments", "role": "developer"}
    assert client.post("/api/v1/role-bindings", given, format="json").status_code == 403


def test_who_manages_service_accounts_makes_no_token_of_a_stronger_one(world):
    define(world, "robots", ("project.view", "serviceaccount.manage"))
    lea, now = person("lea"), timezone.now()
    give(lea, "robots", world.payments)
    actor = Actor(user=lea)
    strong = service_account_create(actor=MARINA, project=world.payments, name="strong", now=now)
    with pytest.raises(NotAllowed, match="let anybody in as strong"):
        token_create(actor=actor, user=strong.user, name="t", expires_in=None, now=now)
    with pytest.raises(NotAllowed):
        service_account_create(actor=actor, project=world.payments, name="mine", now=now)
    weak = service_account_create(actor=actor, project=world.payments, name="weak", role="robots", now=now)
    assert token_create(actor=actor, user=weak.user, name="t", expires_in=None, now=now).text


def test_an_invitation_gives_no_more_than_its_maker_may_when_it_is_accepted(world):
    role = define(world)
    _, actor = lead(world, *DEPLOY)
    una, now = person("una"), timezone.now()
    made = invitation_create(actor=actor, scope=world.acme, role="deployer", now=now)
    role_update(actor=MARINA, role=role, actions=(*DEPLOY, "virtualcluster.delete"), now=now)
    with pytest.raises(Gone, match="may no longer give the role deployer"):
        invitation_accept(actor=Actor(user=una), secret=made.secret, now=now)
    role_update(actor=MARINA, role=role, actions=DEPLOY, now=now)
    invitation_accept(actor=Actor(user=una), secret=made.secret, now=now)
    assert what(una, world.acme) == set(DEPLOY)


def test_a_role_in_use_is_deleted_only_with_what_gives_it_and_the_refusal_names_that(world):
    role, now = define(world), timezone.now()
    una = person("una")
    give(una, "deployer", world.payments)
    GroupMapping.objects.create(organization=world.acme, issuer="https://i", group="ops", role="deployer")
    made = invitation_create(actor=Actor(user=world.olivia), scope=world.payments, role="deployer", now=now)
    with pytest.raises(Conflict) as refused:
        role_delete(actor=MARINA, role=role, now=now)
    for told in ("una is deployer of acme/payments", "the group ops", "an invitation into acme/payments"):
        assert told in str(refused.value)
    role_delete(actor=MARINA, role=role, now=now, take=True)
    assert not Role.objects.exists()
    assert not GroupMapping.objects.exists()
    assert what(una, world.payments) == set()
    assert type(made.invitation).objects.get(pk=made.invitation.pk).revoked_at is not None
    assert AuditEvent.objects.get(action="custom-role.delete").before["actions"]
    assert consistent()


def test_roles_go_with_their_organization(world):
    define(world)
    give(world.olivia, "deployer", world.acme)
    world.payments.delete()
    world.search.delete()
    Organization.objects.get(pk=world.acme.pk).delete()
    assert not Role.objects.exists()


def test_a_role_is_listed_defined_changed_and_deleted_over_http(world):
    client, una = signed_in(world.olivia), person("una")
    listed = client.get(own_address(world)).json()["results"]
    assert [each["name"] for each in listed] == ["member", "auditor", "viewer", "developer", "admin"]
    assert all(each["built_in"] and each["id"] is None for each in listed)
    sent = {"name": "deployer", "description": "Rolls out", "actions": [*DEPLOY, "virtualcluster.kubeconfig.view"]}
    made = client.post(own_address(world), sent, format="json")
    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["kubeconfig_level"], shown["bindings"], shown["built_in"]) == ("view", 0, False)
    assert shown["scopes"] == ["organization", "project", "virtual-cluster"]
    assert client.get(made["Location"]).json() == shown
    assert client.post(own_address(world), sent, format="json").status_code == 409
    given = {"user": "una", "project": "acme/payments", "role": "deployer"}
    binding = client.post("/api/v1/role-bindings", given, format="json")
    assert binding.status_code == 201, binding.content
    assert allowed(una, "virtualcluster.update", world.payments)
    changed = client.patch(own_address(world, "deployer"), {"actions": ["virtualcluster.view"]}, format="json")
    assert (changed.status_code, changed.json()["bindings"]) == (200, 1)
    assert changed.json()["description"] == "Rolls out"
    assert not allowed(una, "virtualcluster.update", world.payments)
    where = own_address(world, "deployer")
    assert client.delete(where).status_code == 409
    assert client.delete(f"{where}?take=maybe").status_code == 400
    assert client.delete(f"{where}?take=true").status_code == 204
    assert client.get(where).status_code == 404


def test_built_in_roles_are_shown_and_not_changed(world):
    client = signed_in(world.olivia)
    shown = client.get(own_address(world, "developer")).json()
    assert shown["built_in"] is True
    assert shown["scopes"] == ["project", "virtual-cluster"]
    assert (
        client.patch(own_address(world, "developer"), {"actions": ["project.view"]}, format="json").status_code == 409
    )
    assert client.delete(own_address(world, "developer")).status_code == 409


def test_the_list_costs_the_same_number_of_queries_and_stays_within_the_most(world):
    client = signed_in(world.olivia)
    client.get("/api/v1/me")
    costs = []
    for numbers in (range(2), range(2, ROLES_MOST)):
        Role.objects.bulk_create(
            Role(organization=world.acme, name=f"role-{number}", actions=["project.view"]) for number in numbers
        )
        with CaptureQueriesContext(connection) as captured:
            assert client.get(own_address(world)).status_code == 200
        costs.append(len(captured))
    assert costs[0] == costs[1]
    with pytest.raises(Conflict, match="no more can be made"):
        define(world)


def test_a_group_mapping_gives_a_custom_role_and_takes_it_again(world):
    role, una = define(world), person("una")
    mapping = GroupMapping.objects.create(
        organization=world.acme, issuer="https://i", group="ops", role="deployer", project=world.payments
    )
    groups_apply(user=una, issuer="https://i", groups=frozenset({"ops"}), now=timezone.now())
    assert what(una, world.payments) == set(DEPLOY)
    assert RoleBinding.objects.get(user=una).custom_role == role
    group_mapping_delete(actor=MARINA, mapping=mapping, now=timezone.now())
    assert what(una, world.payments) == set()


def test_a_member_of_the_organization_reads_its_roles_and_defines_none(world):
    mia = person("mia")
    give(mia, "member", world.acme)
    client = signed_in(mia)
    assert client.get(own_address(world)).status_code == 200
    sent = {"name": "x", "actions": ["organization.view"]}
    assert client.post(own_address(world), sent, format="json").status_code == 403
    assert signed_in(world.greta).get(own_address(world)).status_code == 404
