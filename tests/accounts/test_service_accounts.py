"""Service accounts: programs with roles and tokens of their own, which end with them, and which nobody signs in as."""

from base64 import b64encode
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.access import allowed
from accounts.errors import Conflict, InvalidInput
from accounts.models import AccessToken, AuditEvent, RoleBinding, ServiceAccount, User
from accounts.roles import PROJECT_ROLES
from accounts.services.audit import Actor
from accounts.services.permission_check import permission_differences
from accounts.services.projects import project_delete
from accounts.services.service_accounts import service_account_create, service_account_delete
from accounts.services.teams import team_update
from accounts.services.tokens import token_create
from accounts.services.users import user_activate, user_deactivate, user_password_set, user_update
from clusters.models import OperationKind, VirtualCluster
from tests.accounts.conftest import MARINA, WatchedClient, give, person, signed_in
from tests.canaries import canary
from tests.clusters.making import cluster_row, operation_row

URL = "/api/v1/service-accounts"


@pytest.fixture
def ada(world) -> User:
    """Admin of acme/payments."""
    ada = person("ada")
    give(ada, "admin", world.payments)
    return ada


@pytest.fixture
def vera(world) -> User:
    vera = person("vera")
    give(vera, "viewer", world.payments)
    return vera


def make(world, name="ci", **fields) -> ServiceAccount:
    return service_account_create(actor=MARINA, project=world.payments, name=name, now=timezone.now(), **fields)


def bearer(text: str) -> APIClient:
    client = WatchedClient(raise_request_exception=False)
    client.token = canary(text, "a token of a service account")
    client.with_headers()
    return client


def test_an_admin_of_the_project_makes_one_and_it_works_there_as_a_developer(world, ada):
    client = signed_in(ada)
    made = client.post(URL, {"project": "acme/payments", "name": "ci", "description": "builds"}, "json")
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["name"], body["project"]["name"], body["user"]["name"]) == ("ci", "payments", "ci")
    token = client.post(f"{URL}/{body['id']}/tokens", {"name": "pipeline"}, "json")
    assert token.status_code == 201, token.content
    assert token["Cache-Control"] == "no-store"
    own = bearer(token.json()["token"])
    me = own.get("/api/v1/me").json()
    assert me["handle"].startswith("sa-ci-")
    assert [(each["name"], each["role"]) for each in me["projects"]] == [("payments", "developer")]
    account = ServiceAccount.objects.get()
    for action in sorted(PROJECT_ROLES["admin"]):
        assert allowed(account.user, action, world.payments) == (action in PROJECT_ROLES["developer"]), action
        assert not allowed(account.user, action, world.search)
    assert not permission_differences(now=timezone.now()).missing


def test_who_may_not_manage_them_sees_them_and_changes_nothing(world, vera):
    account = make(world)
    client = signed_in(vera)
    assert [each["name"] for each in client.get(URL).json()["results"]] == ["ci"]
    assert client.get(f"{URL}/{account.pk}").status_code == 200
    for answer in (
        client.post(URL, {"project": "acme/payments", "name": "more"}, "json"),
        client.patch(f"{URL}/{account.pk}", {"description": "x"}, "json"),
        client.delete(f"{URL}/{account.pk}"),
        client.get(f"{URL}/{account.pk}/tokens"),
        client.post(f"{URL}/{account.pk}/tokens", {"name": "x"}, "json"),
    ):
        assert answer.status_code == 403, answer.content
        assert "project admin" in answer.json()["hint"]
    stranger = signed_in(world.greta)
    assert stranger.get(URL).json()["results"] == []
    assert stranger.get(f"{URL}/{account.pk}/tokens").status_code == 404


def test_nobody_gives_it_more_than_they_may_themselves(world, ada):
    client = signed_in(ada)
    asked = {"project": "acme/payments", "name": "boss", "role": "admin"}
    assert client.post(URL, asked, "json").status_code == 201
    limited = token_create(
        actor=MARINA,
        user=ada,
        name="x",
        expires_in=None,
        now=timezone.now(),
        actions=["project.view", "project.members", "serviceaccount.manage"],
    )
    answer = bearer(limited.text).post(URL, {**asked, "name": "boss-2"}, "json")
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["field"] == "role"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Not-Good"}, "name"),
        ({"name": "x" * 41}, "name"),
        ({"role": "king"}, "role"),
        ({"project": "acme/nothing"}, "project"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_cannot_be_accepted_is_refused_by_field(world, ada, body, field):
    answer = signed_in(ada).post(URL, {"project": "acme/payments", "name": "ci", **body}, "json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["field"] == field


def test_deleting_one_ends_its_tokens_and_roles_at_once_and_its_name_is_not_free_again(world, ada):
    account = make(world)
    give(account, "viewer", world.search)
    text = token_create(actor=MARINA, user=account.user, name="x", expires_in=None, now=timezone.now()).text
    assert bearer(text).get("/api/v1/me").status_code == 200
    client = signed_in(ada)
    assert client.delete(f"{URL}/{account.pk}").status_code == 204
    assert bearer(text).get("/api/v1/me").status_code == 401
    assert not RoleBinding.objects.filter(service_account=account).exists()
    account.user.refresh_from_db()
    assert not account.user.is_active
    assert not permission_differences(now=timezone.now()).surplus
    assert client.get(f"{URL}/{account.pk}").status_code == 404
    again = client.post(URL, {"project": "acme/payments", "name": "ci"}, "json")
    assert again.status_code == 409
    assert "not given twice" in again.json()["detail"]
    with pytest.raises(Conflict):
        service_account_delete(actor=MARINA, account=account, now=timezone.now())


def test_a_project_takes_its_service_accounts_with_it(world):
    account = make(world)
    give(account, "viewer", world.search)
    token = token_create(actor=MARINA, user=account.user, name="x", expires_in=None, now=timezone.now())
    project_delete(actor=MARINA, project=world.payments)
    user = User.objects.get(pk=account.user_id)
    assert not user.is_active
    assert bearer(token.text).get("/api/v1/me").status_code == 401
    assert not allowed(user, "project.view", world.search)


def test_nobody_signs_in_as_one_and_it_is_in_no_list_of_people(world, ada):
    account = make(world)
    handle = account.user.handle
    basic = "Basic " + b64encode(f"{handle}:".encode()).decode()
    assert APIClient().post("/api/v1/access-tokens", {"name": "x"}, HTTP_AUTHORIZATION=basic).status_code == 401
    listed = signed_in(ada).get("/api/v1/users?page_size=200").json()["results"]
    assert handle not in [each["handle"] for each in listed]
    staff = Actor(user=world.staff)
    for change in (
        lambda: user_password_set(actor=staff, user=account.user, password="correct-horse-battery", now=timezone.now()),
        lambda: user_update(actor=staff, user=account.user, name="", email="", is_staff=True, is_superuser=True),
        lambda: user_activate(actor=staff, user=account.user),
    ):
        with pytest.raises(Conflict):
            change()
    with pytest.raises(InvalidInput):
        team_update(actor=MARINA, team=world.dockers, members=[account.user])
    with pytest.raises(InvalidInput):
        give(account.user, "developer", world.search)
    answer = signed_in(world.olivia).post(
        "/api/v1/role-bindings", {"user": handle, "role": "viewer", "project": "acme/search"}, "json"
    )
    assert answer.json()["errors"][0]["field"] == "user"


def test_what_it_makes_shows_its_name(world, ada):
    account = make(world)
    cluster_row(world, "made", owner_user=account.user, creator=account.user)
    operation_row(VirtualCluster.objects.get(), OperationKind.PROVISION, requested_by=account.user)
    client = signed_in(ada)
    (shown,) = client.get("/api/v1/virtual-clusters").json()["results"]
    assert shown["owner"]["name"] == "ci"
    (operation,) = client.get("/api/v1/operations").json()["results"]
    assert operation["requested_by"] == {"id": str(account.user.pk), "handle": account.user.handle, "name": "ci"}


def test_admins_list_and_revoke_its_tokens_and_see_who_made_them(world, ada):
    account = make(world)
    client = signed_in(ada)
    url = f"{URL}/{account.pk}/tokens"
    text = client.post(url, {"name": "one", "actions": ["project.view"]}, "json").json()["token"]
    (shown,) = client.get(url).json()["results"]
    assert (shown["name"], shown["actions"], shown["created_by"]["handle"]) == ("one", ["project.view"], "ada")
    assert text.split("_", 2)[2] not in str(client.get(url).content)
    own = AccessToken.objects.get(user=ada)
    assert client.delete(f"{url}/{own.pk}").status_code == 404, "not one of this account's"
    assert signed_in(world.olivia).delete(f"{url}/{shown['id']}").status_code == 204
    assert bearer(text).get("/api/v1/me").status_code == 401
    assert client.get(url).json()["results"] == []
    made, revoked, used = AuditEvent.objects.filter(object_id=shown["id"]).order_by("id")
    assert (made.action, revoked.action, used.action) == ("token.create", "token.revoke", "token.use")
    assert made.organization_id == revoked.organization_id == world.acme.pk
    assert made.details["service_account"] == "acme/payments/ci"


def test_when_somebody_is_deactivated_the_log_names_the_tokens_that_they_made_for_service_accounts(world, ada):
    account = make(world)
    made = signed_in(ada).post(f"{URL}/{account.pk}/tokens", {"name": "x"}, "json").json()
    user_deactivate(actor=MARINA, user=ada, now=timezone.now())
    row = AuditEvent.objects.get(action="user.deactivate")
    assert row.details["service_account_tokens_made"] == [made["prefix"]]
    assert bearer(made["token"]).get("/api/v1/me").status_code == 200


def test_its_tokens_keep_to_the_organizations_maximum(world, ada):
    account = make(world)
    RoleBinding.objects.filter(service_account=account).delete()
    world.acme.token_maximum_days = 3
    world.acme.save()
    client = signed_in(ada)
    answer = client.post(f"{URL}/{account.pk}/tokens", {"name": "x", "expires_in": 4 * 86400}, "json")
    assert "acme allows 3 days" in answer.json()["errors"][0]["message"]
    made = client.post(f"{URL}/{account.pk}/tokens", {"name": "x"}, "json").json()
    assert made["expires_at"] <= (timezone.now() + timedelta(days=3, minutes=1)).isoformat()


def test_it_makes_no_tokens_for_itself(world):
    account = make(world)
    text = token_create(actor=MARINA, user=account.user, name="x", expires_in=None, now=timezone.now()).text
    answer = bearer(text).post("/api/v1/access-tokens", {"name": "more"}, "json")
    assert answer.status_code == 403


def test_platform_staff_revoke_any_token_by_its_prefix(world, ada):
    account = make(world)
    made = token_create(actor=MARINA, user=account.user, name="x", expires_in=None, now=timezone.now())
    url, body = "/api/v1/access-tokens/revoke", {"prefix": f"mar_{made.token.prefix}"}
    assert signed_in(ada).post(url, body, "json").status_code == 403
    basic = "Basic " + b64encode(b"ada:x").decode()
    assert APIClient().post(url, body, "json", HTTP_AUTHORIZATION=basic).status_code == 401
    staff = signed_in(world.staff)
    assert staff.post(url, {"prefix": "zzzzzzzz"}, "json").status_code == 404
    assert staff.post(url, body, "json").status_code == 204
    assert bearer(made.text).get("/api/v1/me").status_code == 401


def test_a_list_of_them_costs_the_same_however_many_there_are(world, ada, django_assert_max_num_queries):
    for number in range(8):
        make(world, f"ci-{number}")
    client = signed_in(ada)
    client.get(URL)
    with django_assert_max_num_queries(6):
        assert len(client.get(URL).json()["results"]) == 8
