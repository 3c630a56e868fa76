"""A limited token also stops at what takes no role: what is of a person as such, and what an owner may."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import allowed
from accounts.errors import NotAllowed
from accounts.limits import TokenLimits
from accounts.models import AuditEvent, DeviceLogin, Project, User
from accounts.role_reach import allowed_until
from accounts.roles import ORGANIZATION_ROLES
from accounts.services.audit import Actor
from accounts.services.device_logins import device_login_begin, device_login_decide
from accounts.services.first_sign_in import first_sign_in
from accounts.services.group_mappings import group_mapping_create
from accounts.services.invitations import invitation_create
from accounts.services.organizations import organization_update
from accounts.services.own_account import own_name_set, sessions_revoke_others
from accounts.services.second_factors import recovery_codes_renew, second_factor_remove, second_factor_set_up
from accounts.services.webhooks import webhook_create
from clusters.models import VirtualCluster
from clusters.services.break_glass import break_glass
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.accounts.test_token_limits import client_of
from tests.canaries import canary
from tests.clusters.making import PUBLIC_KEY, cluster_row, host_row, ready_row

API = "/api/v1"
REASON = "OPS-17: the owner asked us to look"


def refused(answer, said: str = "limited token") -> None:
    assert answer.status_code == 403, answer.content
    assert said in answer.json()["detail"]


@pytest.fixture
def dan(world) -> User:
    dan = person("dan")
    give(dan, "developer", world.payments)
    return dan


@pytest.fixture
def owned(world, dan) -> VirtualCluster:
    return ready_row(world, host_row(), owner_user=dan)


def test_accepting_an_invitation_takes_a_token_without_limits(world, dan):
    made = invitation_create(actor=Actor(user=world.greta), scope=world.globex, role="member", now=timezone.now())
    canary(made.secret, "the secret of an invitation")
    body = {"token": made.secret}
    refused(client_of(dan, actions=["organization.view"]).post(f"{API}/invitations/accept", body, "json"))
    refused(client_of(dan, projects=[world.payments]).post(f"{API}/invitations/accept", body, "json"))
    assert not allowed(dan, "organization.view", world.globex)
    assert signed_in(dan).post(f"{API}/invitations/accept", body, "json").status_code == 200


def test_asking_to_join_and_taking_that_back_takes_a_token_without_limits(world):
    mia = person("mia")
    give(mia, "member", world.acme)
    organization_update(actor=MARINA, organization=world.acme, personal_projects=False)
    limited, url = client_of(mia, actions=["organization.view", "project.view"]), f"{API}/projects"
    refused(limited.post(f"{url}/{world.search.pk}/join-requests", {}, "json"))
    answer = signed_in(mia).post(f"{url}/{world.search.pk}/join-requests", {}, "json")
    assert answer.status_code == 201, answer.content
    asked = f"{API}/join-requests/{answer.json()['id']}"
    assert limited.get(f"{API}/join-requests").json()["results"] == []
    assert limited.delete(asked).status_code == 404
    assert signed_in(mia).delete(asked).status_code == 204


def test_the_inbox_is_not_for_limited_tokens(world, dan):
    limited = client_of(dan, projects=[world.payments])
    refused(limited.get(f"{API}/notifications"))
    refused(limited.post(f"{API}/notifications/read-all"))
    refused(limited.patch(f"{API}/notification-preferences/break-glass", {"mail": False}, "json"))
    refused(limited.get(f"{API}/notification-preferences"))
    assert signed_in(dan).get(f"{API}/notification-preferences").status_code == 200
    assert signed_in(dan).get(f"{API}/notifications").status_code == 200


def test_an_owner_gives_away_only_what_the_token_leaves(world, dan, owned):
    give(person("vera"), "viewer", world.payments)
    give(dan, "viewer", world.search)
    url, body = f"{API}/virtual-clusters/{owned.pk}/transfer", {"owner": "vera"}
    seeing = ["virtualcluster.view", "project.view"]
    assert client_of(dan, actions=seeing).post(url, body, "json").status_code == 403
    assert client_of(dan, projects=[world.search]).post(url, body, "json").status_code == 404
    answer = client_of(dan, actions=[*seeing, "virtualcluster.transfer"]).post(url, body, "json")
    assert answer.status_code == 200, answer.content


def test_ending_and_beginning_emergency_access_takes_what_the_token_leaves(world, dan, owned):
    op = person("op", is_staff=True)
    url = f"{API}/virtual-clusters/{owned.pk}/break-glass"
    assert client_of(op, actions=["virtualcluster.view"]).post(url, {"reason": REASON}, "json").status_code == 404
    for actions, status in ((["virtualcluster.view"], 403), (["host.view"], 404), (["project.members"], 204)):
        now = timezone.now()
        grant = break_glass(cluster_id=owned.pk, actor=Actor(user=op), reason=REASON, now=now)
        answer = client_of(dan, actions=actions).delete(f"{url}/{grant.pk}")
        assert answer.status_code == status, (actions, answer.content)
        if status != 204:
            assert signed_in(dan).delete(f"{url}/{grant.pk}").status_code == 204
    assert client_of(dan, actions=["virtualcluster.delete"]).get(url).status_code == 404
    assert client_of(dan, actions=["virtualcluster.view"]).get(url).status_code == 200


def test_what_broken_glass_lets_do_is_recorded_with_any_token(world, owned):
    op = person("op", is_staff=True)
    break_glass(cluster_id=owned.pk, actor=Actor(user=op), reason=REASON, now=timezone.now())
    client = client_of(op, actions=["virtualcluster.view"])
    assert client.get(f"{API}/virtual-clusters/{owned.pk}").status_code == 200
    assert AuditEvent.objects.filter(action="break-glass.use", object_id=str(owned.pk)).count() == 1


def test_a_device_is_answered_and_an_account_changed_by_no_limited_token(dan):
    now = timezone.now()
    begun = device_login_begin(client_name="laptop", address=None, expires_in=None, now=now)
    dan.limits = TokenLimits(actions=frozenset({"project.view"}))
    actor = Actor(user=dan)
    with pytest.raises(NotAllowed, match="limited token"):
        device_login_decide(actor=actor, user=dan, user_code=begun.user_code, allow=True, now=now)
    assert DeviceLogin.objects.get().user is None
    for change in (
        lambda: own_name_set(actor=actor, user=dan, name="Another"),
        lambda: sessions_revoke_others(actor=actor, user=dan, kept=None),
        lambda: second_factor_set_up(actor=actor, user=dan, secret="A" * 32, code="123456", now=now),
        lambda: recovery_codes_renew(actor=actor, user=dan, now=now),
        lambda: second_factor_remove(actor=actor, user=dan, now=now),
    ):
        with pytest.raises(NotAllowed, match="limited token"):
            change()


@pytest.mark.parametrize(("actions", "seen"), [(["organization.view"], False), (["organization.update"], True)])
def test_webhooks_are_seen_and_made_with_the_action_to_update_their_scope(world, actions, seen):
    webhook = webhook_create(actor=MARINA, organization=world.acme, url="https://hooks.example.org/", events=["*"])
    canary(webhook.secret, "the secret of a webhook")
    client, url = client_of(world.olivia, actions=actions), f"{API}/webhooks"
    assert len(client.get(url).json()["results"]) == int(seen)
    assert client.get(f"{url}/{webhook.webhook.pk}/deliveries").status_code == (200 if seen else 404)
    assert client.post(f"{url}/{webhook.webhook.pk}/ping").status_code == (201 if seen else 404)
    assert client_of(world.olivia, projects=[world.payments]).get(url).json()["results"] == []


# nobody gives more than they may do, so the token has to leave what a member may
MEMBERS = ["organization.members", *sorted(ORGANIZATION_ROLES["member"])]


@pytest.mark.parametrize(("actions", "seen"), [(["organization.view"], False), (MEMBERS, True)])
def test_group_mappings_are_seen_with_the_action_to_manage_members(world, settings, actions, seen):
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = "https://login.example.org", "marina"
    made = group_mapping_create(actor=MARINA, organization=world.acme, group="staff", role="member")
    client, url = client_of(world.olivia, actions=actions), f"{API}/group-mappings"
    assert len(client.get(url).json()["results"]) == int(seen)
    assert client.patch(f"{url}/{made.pk}", {"group": "devs"}, "json").status_code == (200 if seen else 404)


def test_a_first_sign_in_makes_the_same_whatever_token_it_came_with(world):
    organization_update(actor=MARINA, organization=world.acme, personal_projects=True)
    nina = person("nina")
    give(nina, "member", world.acme)
    Project.objects.filter(personal_of=nina).delete()
    nina.limits = TokenLimits(projects=frozenset({world.payments.pk}))
    (made,) = first_sign_in(user=nina, now=timezone.now())
    assert made.personal_of == nina


def test_a_token_without_the_action_gets_no_kubeconfig_however_long_the_role_holds(world, dan, owned):
    assert allowed_until(dan, "virtualcluster.kubeconfig.admin", owned) is None
    client = client_of(dan, actions=["virtualcluster.view", "virtualcluster.kubeconfig.view"])
    url = f"{API}/virtual-clusters/{owned.pk}/kubeconfigs"
    assert client.post(url, {"public_key": PUBLIC_KEY, "level": "admin"}, "json").status_code == 403
    assert client.post(url, {"public_key": PUBLIC_KEY, "level": "view"}, "json").status_code == 202


def test_whoever_makes_a_cluster_by_a_limited_token_can_own_it(world, dan, owned):
    """Being seen by its owner is a matter of roles; a token that only transfers is enough to give it to oneself."""
    dan.limits = TokenLimits(actions=frozenset({"virtualcluster.transfer"}))
    give(person("ada"), "admin", world.payments)
    client = client_of(User.objects.get(handle="ada"), actions=["virtualcluster.view", "virtualcluster.transfer"])
    other = cluster_row(world, "other", expires_at=timezone.now() + timedelta(days=1))
    answer = client.post(f"{API}/virtual-clusters/{other.pk}/transfer", {"owner": "dan"}, "json")
    assert answer.status_code == 200, answer.content


def test_a_token_for_making_clusters_alone_is_answered_what_it_made(world, dan):
    host_row()
    body = {"project": "acme/payments", "name": "by-ci"}
    client = client_of(dan, actions=["virtualcluster.create", "project.view"])
    answer = client.post(f"{API}/virtual-clusters", body, "json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["operation"]["kind"] == "provision"
