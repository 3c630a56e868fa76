"""A limited token shows and does what its holder may, less what it is not for: never more, in no list or service."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.access import held, in_reach, organizations_where, platform_staff, projects_where, staff_require
from accounts.errors import NotAllowed
from accounts.limits import PLATFORM, TOKEN_ACTIONS, TokenLimits
from accounts.models import AccessToken, AuditEvent, Project, ProjectUserPermission, RoleBinding, User
from accounts.roles import CLUSTER_ACTIONS, CLUSTER_ROLES, ORGANIZATION_ROLES, PROJECT_ACTIONS, PROJECT_ROLES
from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_create, role_binding_delete
from accounts.services.token_maximum import tokens_shorten
from accounts.services.token_reach import tokens_without_reach_revoke
from accounts.services.tokens import token_create
from clusters.models import KubeconfigGrant, VirtualCluster
from clusters.selectors import hosts_list
from tests.accounts.conftest import MARINA, WatchedClient, give, person, signed_in
from tests.canaries import canary
from tests.clusters.making import cluster_row, host_row, ready_row

URL = "/api/v1/access-tokens"


def client_of(user: User, **limits) -> APIClient:
    """Of a token with these limits."""
    made = token_create(actor=MARINA, user=user, name="limited", expires_in=None, now=timezone.now(), **limits)
    client = WatchedClient(raise_request_exception=False)
    client.token = canary(made.text, f"a limited token of {user.handle}")
    client.with_headers()
    return client


def names(client: APIClient, noun: str) -> set[str]:
    return {each["name"] for each in client.get(f"/api/v1/{noun}").json()["results"]}


@pytest.fixture
def hana(world) -> User:
    """Works in both organizations, in several ways."""
    hana = person("hana")
    give(hana, "member", world.acme)
    give(hana, "admin", world.payments)
    give(hana, "viewer", world.search)
    give(hana, "admin", world.globex)
    give(hana, "developer", cluster_row(world, "alone", project=world.foreign))
    return hana


_LIMITS = st.builds(
    lambda actions, projects: (frozenset(actions), frozenset(projects)),
    st.sets(st.sampled_from(TOKEN_ACTIONS), max_size=4),
    st.sets(st.sampled_from(("payments", "search", "foreign", "none")), max_size=3),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=_LIMITS, action=st.sampled_from(TOKEN_ACTIONS))
def test_what_a_limited_token_reaches_is_what_its_holder_reaches_within_the_limits(world, hana, limits, action):
    actions, chosen = limits
    whole = User.objects.get(pk=hana.pk)
    limited = User.objects.get(pk=hana.pk)
    projects = frozenset(getattr(world, each).pk if each != "none" else uuid4() for each in chosen)
    limited.limits = TokenLimits(actions=actions, projects=projects)
    left = not actions or action in actions

    def within(project: Project) -> bool:
        return left and (not projects or project.pk in projects)

    assert set(projects_where(limited, action)) == {each for each in projects_where(whole, action) if within(each)}
    expected = set(organizations_where(whole, action)) if left and not projects else set()
    assert set(organizations_where(limited, action)) == expected
    clusters = VirtualCluster.objects
    seen = {each for each in clusters.filter(in_reach(whole, action)) if within(each.project)}
    assert set(clusters.filter(in_reach(limited, action))) == seen


@pytest.mark.parametrize("role", PROJECT_ROLES)
@pytest.mark.parametrize("by", ["project", "organization", "team", "cluster", "ended", "gone"])
def test_the_question_for_many_at_once_has_the_same_answer_as_for_each(world, role, by):
    """`held` is what housekeeping asks, `in_reach` what a request does."""
    user, cluster = person("holder"), cluster_row(world)
    other = cluster_row(world, "other", project=world.foreign)
    match by:
        case "project" | "gone":
            give(user, role, world.payments)
        case "organization":
            give(user, "admin" if role == "admin" else "member" if role == "viewer" else "auditor", world.acme)
        case "team":
            world.dockers.members.add(user)
            world.dockers.group.user_set.add(user)
            give(world.dockers, role, world.payments)
        case "cluster":
            give(user, role, cluster)
        case "ended":
            give(user, role, world.payments, expires_at=timezone.now() + timedelta(hours=1))
            ProjectUserPermission.objects.update(expires_at=timezone.now())
    if by == "gone":
        User.objects.filter(pk=user.pk).update(is_active=False)
        user.refresh_from_db()
    for each in (cluster, other):
        KubeconfigGrant.objects.create(virtual_cluster=each, user=user, level="view", expires_at=timezone.now())
    for action in CLUSTER_ACTIONS:
        found = KubeconfigGrant.objects.filter(held(action, project="virtual_cluster__project"))
        expected = VirtualCluster.objects.filter(in_reach(user, action))
        assert {grant.virtual_cluster for grant in found} == set(expected), action


def test_a_token_for_one_project_shows_neither_others_nor_organizations(world, hana):
    everything = signed_in(hana)
    assert names(everything, "projects") == {"payments", "search"}
    assert len(everything.get("/api/v1/projects").json()["results"]) == 3
    client = client_of(hana, projects=[world.payments])
    shown = client.get("/api/v1/projects").json()["results"]
    assert [each["id"] for each in shown] == [str(world.payments.pk)]
    for noun in ("organizations", "teams"):
        assert client.get(f"/api/v1/{noun}").json()["results"] == []
    assert client.get(f"/api/v1/organizations/{world.globex.pk}").status_code == 404
    assert client.patch(f"/api/v1/projects/{world.foreign.pk}", {}, "json").status_code == 404
    me = client.get("/api/v1/me").json()
    assert (me["organizations"], [each["name"] for each in me["projects"]]) == ([], ["payments"])
    assert {each["project"]["id"] for each in client.get("/api/v1/role-bindings").json()["results"]} == {
        str(world.payments.pk)
    }


def test_a_token_for_some_actions_does_no_other(world, hana):
    client = client_of(hana, actions=["project.view", "virtualcluster.view"])
    url = f"/api/v1/projects/{world.payments.pk}"
    assert client.get(url).status_code == 200
    assert client.patch(url, {"display_name": "x"}, "json").status_code == 403
    assert signed_in(hana).patch(url, {"display_name": "x"}, "json").status_code == 200


def test_hosts_are_seen_only_where_the_token_leaves_it(world, hana):
    host_row()
    for actions, seen in (((), 1), (["host.view"], 1), (["project.view"], 1), (["team.manage"], 0)):
        hana.limits = TokenLimits(actions=frozenset(actions))
        assert hosts_list(hana).count() == seen, actions


def test_the_powers_of_platform_staff_take_the_action_platform(world):
    staff = world.staff
    for limits, left in (
        (None, True),
        (TokenLimits(actions=frozenset({PLATFORM})), True),
        (TokenLimits(actions=frozenset({"project.view"})), False),
        (TokenLimits(projects=frozenset({world.payments.pk})), False),
        (TokenLimits(actions=frozenset({PLATFORM}), projects=frozenset({world.payments.pk})), False),
    ):
        staff.limits = limits
        assert platform_staff(staff) == left, limits
        if not left:
            with pytest.raises(NotAllowed):
                staff_require(Actor(user=staff), "do this")
    staff.limits = None
    limited = client_of(staff, actions=["project.view"])
    assert limited.get("/api/v1/me").json()["is_staff"] is False
    assert limited.post("/api/v1/organizations", {"name": "new"}, "json").status_code == 403
    assert (
        client_of(staff, actions=[PLATFORM]).post("/api/v1/organizations", {"name": "new"}, "json").status_code == 201
    )


def test_no_code_asks_for_platform_staff_past_the_one_place():
    """A token's limits would not hold there."""
    import re
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    allowed = {"accounts/access.py", "accounts/models/user.py", "accounts/services/users.py", "accounts/admin/users.py"}
    allowed |= {  # of an account, whoever asks
        "accounts/services/second_factors.py",
        "accounts/oidc/identities.py",
        "accounts/services/group_grants.py",
        "accounts/services/user_management.py",
    }
    # what was done by broken glass is recorded with any token
    allowed |= {"clusters/services/break_glass.py", "clusters/api/glass_noting.py"}
    asked = [
        str(file.relative_to(root))
        for app in ("accounts", "clusters", "provisioning", "controlplane")
        for file in (root / app).rglob("*.py")
        if re.search(r"\.is_staff\b", file.read_text())
    ]
    assert set(asked) <= allowed


def test_a_limited_token_makes_no_other_and_sees_and_revokes_only_itself(world, hana):
    signed_in(hana)
    client = client_of(hana, actions=["project.view"])
    assert client.post(URL, {"name": "wider"}, "json").status_code == 403
    assert client.post(URL, {"name": "same", "actions": ["project.view"]}, "json").status_code == 403
    (shown,) = client.get(URL).json()["results"]
    assert (shown["name"], shown["actions"], shown["projects"]) == ("limited", ["project.view"], [])
    other = AccessToken.objects.get(user=hana, name="tests")
    assert client.delete(f"{URL}/{other.pk}").status_code == 404
    assert client.delete(f"{URL}/{shown['id']}").status_code == 204
    assert client.get(URL).status_code == 401


def test_a_limited_token_does_not_give_up_its_holders_roles(world, hana):
    binding = RoleBinding.objects.get(user=hana, project=world.search)
    client = client_of(hana, actions=["project.view", "organization.view"])
    assert client.delete(f"/api/v1/role-bindings/{binding.pk}").status_code == 403
    assert signed_in(hana).delete(f"/api/v1/role-bindings/{binding.pk}").status_code == 204


def test_an_answer_to_a_wider_token_is_not_repeated_to_a_narrower_one(world, hana, settings):
    key = {"Idempotency-Key": "one-key"}
    cluster = ready_row(world, host_row(), project=world.payments)
    url = f"/api/v1/virtual-clusters/{cluster.pk}/configure"
    assert signed_in(hana).post(url, headers=key).status_code == 202
    assert client_of(hana, actions=["project.view"]).post(url, headers=key).status_code in (404, 422)


@pytest.mark.parametrize(
    ("body", "field", "accepted"),
    [
        ({"actions": ["virtualcluster.destroy"]}, "actions[0]", "virtualcluster.delete"),
        ({"actions": ["platform"]}, "actions[0]", "project.view"),
        ({"projects": ["acme/nothing"]}, "projects[0]", "organization/name"),
        ({"actions": "project.view"}, "actions", ""),
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(world, hana, body, field, accepted):
    answer = signed_in(hana).post(URL, {"name": "x", **body}, "json")
    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    assert error["field"].startswith(field)
    assert accepted in error["accepted"]


def test_the_log_says_what_a_token_is_limited_to(world, hana):
    body = {"name": "ci", "projects": ["acme/payments"], "actions": ["virtualcluster.view", "project.view"]}
    made = signed_in(hana).post(URL, body, "json")
    assert made.status_code == 201, made.content
    row = AuditEvent.objects.filter(action="token.create", object_name="ci").get()
    assert row.details["actions"] == ["project.view", "virtualcluster.view"]
    assert row.details["projects"] == [str(world.payments.pk)]
    assert made.json()["token"].split("_", 2)[2] not in json.dumps(row.details)
    assert made.json()["created_by"]["handle"] == "hana"


# How long


def test_a_token_outlasts_the_maximum_of_no_organization_that_it_reaches(world, hana):
    admin = signed_in(world.olivia)
    url = f"/api/v1/organizations/{world.acme.pk}"
    assert admin.patch(url, {"token_maximum_days": 7}, "json").json()["token_maximum_days"] == 7
    client = signed_in(hana)
    answer = client.post(URL, {"name": "x", "expires_in": 8 * 86400}, "json")
    (error,) = answer.json()["errors"]
    assert "acme allows 7 days" in error["message"]
    assert error["accepted"] == "60 to 604800 seconds (1 minute to 7 days)"
    assert client.post(URL, {"name": "x", "expires_in": 7 * 86400}, "json").status_code == 201
    by_default = client.post(URL, {"name": "y"}, "json").json()
    assert by_default["expires_at"] < (timezone.now() + timedelta(days=7, minutes=1)).isoformat()
    elsewhere = {"name": "z", "expires_in": 90 * 86400, "projects": ["globex/payments"]}
    assert client.post(URL, elsewhere, "json").status_code == 201, "limited to where acme has no say"
    assert admin.patch(url, {"token_maximum_days": None}, "json").json()["token_maximum_days"] is None
    assert client.post(URL, {"name": "x", "expires_in": 90 * 86400}, "json").status_code == 201


@pytest.mark.parametrize("days", [0, -1, 3651, "many"])
def test_a_maximum_out_of_range_is_refused(world, days):
    answer = signed_in(world.olivia).patch(
        f"/api/v1/organizations/{world.acme.pk}", {"token_maximum_days": days}, "json"
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "token_maximum_days"


def test_tokens_made_before_end_by_a_new_maximum_too(world, hana):
    now = timezone.now()
    long = token_create(actor=MARINA, user=hana, name="long", expires_in=90 * 86400, now=now).token
    elsewhere = token_create(
        actor=MARINA, user=hana, name="elsewhere", projects=[world.foreign], expires_in=90 * 86400, now=now
    ).token
    stranger = token_create(actor=MARINA, user=world.greta, name="hers", expires_in=90 * 86400, now=now).token
    world.acme.token_maximum_days = 10
    world.acme.save()
    assert tokens_shorten(now=now) == 1
    assert tokens_shorten(now=now) == 0
    for token in (long, elsewhere, stranger):
        token.refresh_from_db()
    assert abs(long.expires_at - now - timedelta(days=10)) < timedelta(minutes=1)
    assert elsewhere.expires_at == stranger.expires_at == now + timedelta(days=90)
    row = AuditEvent.objects.get(action="token.shorten")
    assert (row.details["prefix"], row.organization_id) == (long.prefix, world.acme.pk)


# Where nothing is left


@pytest.mark.parametrize("left", ["nothing", "organization", "team", "cluster", "elsewhere"])
def test_a_token_for_projects_in_which_nothing_is_left_is_revoked(world, left):
    now, user = timezone.now(), person("leaver")
    binding = give(user, "developer", world.payments)
    give(user, "viewer", world.search)
    token = token_create(actor=MARINA, user=user, name="ci", projects=[world.payments], expires_in=None, now=now).token
    whole = token_create(actor=MARINA, user=user, name="whole", expires_in=None, now=now).token
    assert tokens_without_reach_revoke(now=now) == 0
    match left:
        case "organization":
            give(user, "auditor", world.acme)
        case "team":
            world.dockers.members.add(user)
            world.dockers.group.user_set.add(user)
            give(world.dockers, "viewer", world.payments)
        case "cluster":
            give(user, "viewer", cluster_row(world))
        case "elsewhere":
            give(user, "viewer", world.foreign)
    role_binding_delete(actor=MARINA, binding=binding, now=now)
    ends = left in ("nothing", "elsewhere")
    assert tokens_without_reach_revoke(now=now) == ends
    token.refresh_from_db()
    whole.refresh_from_db()
    assert (token.revoked_at is not None, whole.revoked_at) == (ends, None)


def test_looking_for_such_tokens_costs_the_same_however_many_there_are(world, django_assert_max_num_queries):
    now = timezone.now()
    for number in range(6):
        user = person(f"many-{number}")
        give(user, "viewer", world.payments)
        token_create(actor=MARINA, user=user, name="x", expires_in=None, now=now, projects=[world.payments])
    with django_assert_max_num_queries(12):
        assert tokens_without_reach_revoke(now=now) == 0


@pytest.fixture(autouse=True)
def _counted_anew():
    caches["default"].clear()


def test_roles_given_with_a_limited_token_are_within_it(world, hana):
    """Sharing a cluster gives no more than the sharer has there, and the token's limits count."""
    cluster = VirtualCluster.objects.get(name="alone")
    hana.limits = TokenLimits(actions=frozenset({"virtualcluster.share", "virtualcluster.view"}))
    with pytest.raises(NotAllowed):
        role_binding_create(
            actor=Actor(user=hana), subject=world.greta, role="developer", scope=cluster, now=timezone.now()
        )


def test_every_action_of_a_role_can_be_named_in_a_token():
    for table in (ORGANIZATION_ROLES, PROJECT_ROLES, CLUSTER_ROLES):
        assert set().union(*table.values()) <= set(TOKEN_ACTIONS)
    assert set(PROJECT_ACTIONS) <= set(TOKEN_ACTIONS)
