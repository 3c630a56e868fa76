"""Kubeconfigs that go through the gateway: without a secret, with a static token, and what their tokens come from."""

from datetime import timedelta

import pytest
import yaml
from django.utils import timezone

from accounts.models import AccessToken, AuditEvent, Organization
from accounts.services.organizations import organization_update
from accounts.services.role_bindings import role_binding_delete
from accounts.services.service_accounts import service_account_create
from clusters.gateway_address import gateway_url_of
from clusters.models import GatewayToken, HostCluster, VirtualCluster
from clusters.services.gateway_access import caller_of
from clusters.services.gateway_token_upkeep import gateway_tokens_shorten, gateway_tokens_without_role_revoke
from tests.accounts.conftest import MARINA, WatchedClient, give, person, signed_in
from tests.canaries import canary, nowhere_in
from tests.clusters.conftest import problem, refused
from tests.clusters.gateway_tokens import access_token, static
from tests.clusters.making import ready_row

GATEWAY = "https://gateway.example.com"
CA = "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def _gateway(settings):
    settings.GATEWAY_URL = GATEWAY


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host)


def at(cluster, path="") -> str:
    return f"/api/v1/virtual-clusters/{cluster.pk}{path}"


def credential(client, cluster, **body):
    answer = client.post(at(cluster, "/gateway-credentials"), body, "json")
    if answer.status_code == 201:
        canary(answer.json()["token"], "a gateway token")
    return answer


def make(client, cluster, **body):
    answer = client.post(at(cluster, "/gateway-tokens"), body, "json")
    if answer.status_code == 201:
        canary(answer.json()["token"], "a static token")
    return answer


def level_of(token: str, cluster) -> str:
    return caller_of(presented=token, cluster_id=cluster.pk, now=timezone.now()).level


def client_with(user, **limits) -> WatchedClient:
    client = WatchedClient(raise_request_exception=False)
    client.token = access_token(user, **limits).text
    client.with_headers()
    return client


# --- the address ------------------------------------------------------------------------------------------------------


def test_a_cluster_shows_its_address_which_is_its_region_s_where_that_has_one(dan, host, cluster, settings):
    assert dan.get(at(cluster)).json()["gateway_url"] == f"{GATEWAY}/v1/clusters/{cluster.pk}"
    settings.GATEWAY_URLS = '{"eu": "https://eu.example.com/"}'
    HostCluster.objects.update(region="eu")
    url = f"https://eu.example.com/v1/clusters/{cluster.pk}"
    assert dan.get(at(cluster)).json()["gateway_url"] == url
    assert dan.get("/api/v1/virtual-clusters").json()["results"][0]["gateway_url"] == url
    assert gateway_url_of(VirtualCluster.objects.get()) == url
    settings.GATEWAY_URL = settings.GATEWAY_URLS = ""
    assert dan.get(at(cluster)).json()["gateway_url"] == ""


def test_without_a_gateway_that_is_said_with_what_to_take_instead(dan, cluster, settings):
    settings.GATEWAY_URL = ""
    for answer in (dan.get(at(cluster, "/kubeconfig")), credential(dan, cluster), make(dan, cluster)):
        said = problem(answer, 409, "no-gateway")
        assert "marina kubeconfig hello --direct" in said["hint"]


# --- the kubeconfig without a secret ----------------------------------------------------------------------------------


def test_the_kubeconfig_has_marina_get_tokens_and_holds_no_secret(dan, cluster, settings, tmp_path):
    answer = dan.get(at(cluster, "/kubeconfig")).json()
    document = yaml.safe_load(answer["kubeconfig"])
    assert document["clusters"][0]["cluster"] == {"server": f"{GATEWAY}/v1/clusters/{cluster.pk}"}
    run = document["users"][0]["user"]["exec"]
    assert run["apiVersion"] == "client.authentication.k8s.io/v1"
    assert (run["command"], run["args"]) == ("marina", ["credential", "--cluster", str(cluster.pk)])
    assert run["interactiveMode"] == "Never"
    assert "marina login" in run["installHint"]
    assert document["users"][0]["user"].keys() == {"exec"}
    assert answer["level"] == "admin"
    (tmp_path / "ca.pem").write_text(CA)
    settings.GATEWAY_CA_FILE = str(tmp_path / "ca.pem")
    again = dan.get(at(cluster, "/kubeconfig?level=view")).json()
    assert again["certificate_authority"] == CA
    document = yaml.safe_load(again["kubeconfig"])
    assert "certificate-authority-data" in document["clusters"][0]["cluster"]
    assert document["users"][0]["user"]["exec"]["args"][-2:] == ["--level", "view"]


def test_it_is_refused_to_who_could_not_use_it(world, people, cluster):
    assert signed_in(people.vera).get(at(cluster, "/kubeconfig")).json()["level"] == "view"
    said = problem(signed_in(people.vera).get(at(cluster, "/kubeconfig?level=admin")), 403)
    assert "project developer" in said["hint"]
    problem(signed_in(people.otto).get(at(cluster, "/kubeconfig")), 403)
    for who in (people.mia, people.eve, people.op, world.greta):
        problem(signed_in(who).get(at(cluster, "/kubeconfig")), 404)
    refused(signed_in(people.dan).get(at(cluster, "/kubeconfig?level=king")), "level")
    refused(signed_in(people.dan).get(at(cluster, "/kubeconfig?levle=view")), "levle")


# --- short-lived tokens -----------------------------------------------------------------------------------------------


def test_a_credential_opens_the_cluster_at_the_level_of_the_role_for_ten_minutes(people, cluster, settings):
    for who, level in ((people.vera, "view"), (people.dan, "admin")):
        answer = credential(signed_in(who), cluster)
        body = answer.json()
        assert answer["Cache-Control"] == "no-store"
        assert (body["level"], level_of(body["token"], cluster)) == (level, level)
        assert 590 <= body["expires_in"] <= 600
    assert credential(signed_in(people.dan), cluster, level="view").json()["level"] == "view"
    problem(credential(signed_in(people.vera), cluster, level="admin"), 403)
    refused(credential(signed_in(people.dan), cluster, level="king"), "level")
    settings.GATEWAY_TOKEN_SECONDS = 60
    assert credential(signed_in(people.dan), cluster).json()["expires_in"] <= 60


def test_it_ends_with_the_access_token_that_asked_and_not_with_a_session(people, cluster):
    client = client_with(people.dan)
    token = credential(client, cluster).json()["token"]
    caller = caller_of(presented=token, cluster_id=cluster.pk, now=timezone.now())
    assert caller.access_token_id
    assert AccessToken.objects.get(pk=caller.access_token_id).prefix == client.token.split("_")[1]
    client.credentials()
    client.force_login(people.dan)
    token = credential(client, cluster).json()["token"]
    assert caller_of(presented=token, cluster_id=cluster.pk, now=timezone.now()).access_token_id is None


def test_a_limited_token_gets_no_more_than_it_leaves(world, people, cluster):
    seen = ("virtualcluster.view", "virtualcluster.kubeconfig.view")
    assert credential(client_with(people.dan, actions=seen), cluster).json()["level"] == "view"
    problem(credential(client_with(people.dan, actions=seen[:1]), cluster), 403)
    problem(credential(client_with(people.dan, projects=(world.search,)), cluster), 404)


def test_a_credential_ends_no_later_than_the_token_that_asked(people, cluster):
    client = client_with(people.dan)
    AccessToken.objects.update(expires_at=timezone.now() + timedelta(seconds=90))
    assert credential(client, cluster).json()["expires_in"] <= 90


def test_the_audit_log_tells_once_a_day_of_who_got_in(people, cluster):
    dan = signed_in(people.dan)
    for _ in range(3):
        credential(dan, cluster)
    credential(dan, cluster, level="view")
    rows = AuditEvent.objects.filter(object_id=str(cluster.pk), details__form="gateway")
    assert sorted(rows.values_list("action", flat=True)) == [
        "virtualcluster.kubeconfig.admin",
        "virtualcluster.kubeconfig.view",
    ]
    nowhere_in([str(list(rows.values())).encode()], "the audit log")


def test_a_deleted_cluster_is_gone(dan, cluster):
    VirtualCluster.objects.update(phase="Deleted", deleted_at=timezone.now())
    for answer in (dan.get(at(cluster, "/kubeconfig")), credential(dan, cluster), make(dan, cluster)):
        assert "marina get hello --project acme/payments" in problem(answer, 410, "gone")["hint"]


@pytest.mark.parametrize("phase", ["Pending", "Asleep", "Upgrading", "Failed"])
def test_a_credential_is_given_whatever_the_cluster_is_doing(dan, cluster, phase):
    VirtualCluster.objects.update(phase=phase)
    assert credential(dan, cluster).status_code == 201


def test_what_opens_a_cluster_opens_nothing_of_the_api(people, dan, cluster):
    for text in (credential(dan, cluster).json()["token"], static(people.dan, cluster)[1]):
        client = WatchedClient(raise_request_exception=False)
        client.token = text
        client.with_headers()
        problem(client.get(at(cluster)), 401)
        problem(credential(client, cluster), 401)


# --- static tokens ----------------------------------------------------------------------------------------------------


def test_a_static_token_is_shown_once_and_works_until_it_is_revoked(dan, people, cluster):
    made = make(dan, cluster, name="lens", expires_in=86400)
    body = made.json()
    assert made["Cache-Control"] == "no-store"
    assert yaml.safe_load(body["kubeconfig"])["users"][0]["user"] == {"token": body["token"]}
    assert level_of(body["token"], cluster) == body["level"] == "admin"
    listed = dan.get(at(cluster, "/gateway-tokens"))
    assert body["token"] not in listed.content.decode()
    (row,) = listed.json()["results"]
    assert (row["name"], row["user"]["handle"], row["service_account"]) == ("lens", "dan", None)
    assert row["last_used_at"] is not None
    assert dan.delete(made["Location"]).status_code == 204
    assert dan.get(at(cluster, "/gateway-tokens")).json()["results"] == []
    with pytest.raises(Exception, match="revoked"):
        level_of(body["token"], cluster)
    actions = AuditEvent.objects.filter(object_kind="gateway-token").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["gatewaytoken.create", "gatewaytoken.revoke"]


def test_a_dry_run_makes_none_and_gives_none_away(dan, cluster):
    for path, secrets in (("/gateway-tokens", ("token", "kubeconfig")), ("/gateway-credentials", ("token",))):
        body = dan.post(at(cluster, f"{path}?dry_run=true"), {}, "json").json()
        assert {body[name] for name in secrets} == {"not-made-in-a-dry-run"}
    assert not GatewayToken.objects.exists()


def test_how_long_one_holds_is_the_organization_s_affair(world, people, dan, cluster):
    day = 86400
    refused(make(dan, cluster, expires_in=366 * day), "expires_in")
    refused(make(dan, cluster, expires_in=59), "expires_in")
    organization_update(actor=MARINA, organization=world.acme, token_maximum_days=10)
    assert "864000" in refused(make(dan, cluster, expires_in=11 * day), "expires_in")["accepted"]
    assert make(dan, cluster, expires_in=10 * day).status_code == 201


def test_a_service_account_s_holds_a_year_unless_the_organization_allows_less(world, people, cluster):
    account = service_account_create(actor=MARINA, project=world.payments, name="ci", now=timezone.now())
    ada = signed_in(people.ada)
    for most, days in ((None, 365), (90, 90)):
        Organization.objects.filter(pk=world.acme.pk).update(token_maximum_days=most)
        body = make(ada, cluster, service_account="ci").json()
        row = GatewayToken.objects.get(pk=body["id"])
        assert (row.user, row.created_by) == (account.user, people.ada)
        assert round((row.expires_at - timezone.now()) / timedelta(days=1)) == days
        assert body["service_account"]["name"] == "ci"
        assert level_of(body["token"], cluster) == "admin"


def test_only_who_manages_a_service_account_makes_it_one_and_only_where_it_has_a_role(world, people, host, cluster):
    service_account_create(actor=MARINA, project=world.payments, name="ci", now=timezone.now())
    problem(make(signed_in(people.dan), cluster, service_account="ci"), 403)
    refused(make(signed_in(people.ada), cluster, service_account="nobody"), "service_account")
    limited = client_with(people.ada, projects=(world.payments,))
    problem(make(limited, cluster, service_account="ci"), 403)
    elsewhere = ready_row(world, host, "other", project=world.search)
    said = problem(make(signed_in(world.olivia), elsewhere, service_account="payments/ci"), 403)
    assert "has no role" in said["detail"]
    problem(make(signed_in(people.ada), elsewhere, service_account="ci"), 404)


def test_what_a_limited_token_makes_ends_with_it_and_has_its_limits(people, cluster):
    client = client_with(people.dan, actions=("virtualcluster.view", "virtualcluster.kubeconfig.view"))
    body = make(client, cluster, expires_in=300 * 86400).json()
    row = GatewayToken.objects.get()
    assert row.access_token
    assert row.expires_at == row.access_token.expires_at
    assert (level_of(body["token"], cluster), body["made_with"]) == ("view", client.token.split("_")[1])
    AccessToken.objects.filter(pk=row.access_token.pk).update(revoked_at=timezone.now())
    with pytest.raises(Exception, match="ended with the token"):
        level_of(body["token"], cluster)


def test_each_sees_and_ends_what_is_theirs_and_admins_see_and_end_all(world, people, cluster):
    account = service_account_create(actor=MARINA, project=world.payments, name="ci", now=timezone.now())
    rows = {
        "dan": static(people.dan, cluster)[0],
        "vera": static(people.vera, cluster, level="view")[0],
        "ci": static(account.user, cluster)[0],
    }

    def seen(user) -> set[str]:
        found = signed_in(user).get(at(cluster, "/gateway-tokens")).json()["results"]
        return {name for name, row in rows.items() if str(row.pk) in {each["id"] for each in found}}

    assert (seen(people.dan), seen(people.vera), seen(people.otto)) == ({"dan"}, {"vera"}, set())
    assert seen(people.ada) == seen(world.olivia) == set(rows)
    problem(signed_in(people.dan).delete(at(cluster, f"/gateway-tokens/{rows['vera'].pk}")), 404)
    problem(signed_in(people.eve).get(at(cluster, "/gateway-tokens")), 404)
    assert signed_in(people.ada).delete(at(cluster, f"/gateway-tokens/{rows['dan'].pk}")).status_code == 204
    problem(signed_in(people.ada).post(at(cluster, f"/gateway-tokens/{rows['vera'].pk}/rotate"), {}, "json"), 403)
    rotated = signed_in(people.ada).post(at(cluster, f"/gateway-tokens/{rows['ci'].pk}/rotate"), {}, "json")
    assert rotated.status_code == 201
    canary(rotated.json()["token"], "a static token")


def test_rotating_puts_a_new_one_in_its_place_at_once_or_after_an_overlap(dan, cluster):
    first = make(dan, cluster, name="lens", level="view", expires_in=7 * 86400).json()
    where = at(cluster, f"/gateway-tokens/{first['id']}/rotate")
    refused(dan.post(where, {"overlap": 8 * 86400}, "json"), "overlap")
    second = dan.post(where, {"overlap": 3600}, "json")
    canary(second.json()["token"], "a static token")
    assert second["Location"] == at(cluster, f"/gateway-tokens/{second.json()['id']}")
    new, old = GatewayToken.objects.get(pk=second.json()["id"]), GatewayToken.objects.get(pk=first["id"])
    assert (new.name, new.level) == ("lens", "view")
    assert abs(new.expires_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)
    assert abs(old.expires_at - timezone.now() - timedelta(hours=1)) < timedelta(minutes=1)
    assert level_of(first["token"], cluster) == level_of(second.json()["token"], cluster) == "view"
    third = dan.post(at(cluster, f"/gateway-tokens/{new.pk}/rotate"), {"expires_in": 600}, "json").json()
    canary(third["token"], "a static token")
    assert level_of(third["token"], cluster) == "view"
    with pytest.raises(Exception, match="revoked"):
        level_of(second.json()["token"], cluster)
    problem(dan.post(at(cluster, f"/gateway-tokens/{new.pk}/rotate"), {}, "json"), 404)


def test_who_lost_the_level_rotates_nothing(world, people, dan, cluster):
    row = static(people.dan, cluster)[0]
    give(people.dan, "viewer", world.payments)
    developer = people.dan.role_bindings.get(role="developer")
    role_binding_delete(actor=MARINA, binding=developer, now=timezone.now())
    problem(dan.post(at(cluster, f"/gateway-tokens/{row.pk}/rotate"), {}, "json"), 403)


def test_platform_staff_end_one_that_leaked_by_its_prefix(people, cluster):
    row, text = static(people.dan, cluster)
    problem(signed_in(people.dan).post("/api/v1/gateway-tokens/revoke", {"prefix": row.prefix}, "json"), 403)
    op = signed_in(people.op)
    assert op.post("/api/v1/gateway-tokens/revoke", {"prefix": f"mgs_{row.prefix}"}, "json").status_code == 204
    problem(op.post("/api/v1/gateway-tokens/revoke", {"prefix": "nobodys1"}, "json"), 404)
    with pytest.raises(Exception, match="revoked"):
        level_of(text, cluster)


# --- upkeep -----------------------------------------------------------------------------------------------------------


def test_who_lost_the_role_does_not_get_the_old_token_back_with_a_later_one(world, people, host, cluster):
    now, user = timezone.now(), person("leaver")
    role = give(user, "developer", world.payments)
    row, text = static(user, cluster)
    kept = static(people.dan, cluster)[0]
    gone = static(people.dan, ready_row(world, host, "gone"))[0]
    VirtualCluster.objects.filter(name="gone").update(phase="Deleted")
    role_binding_delete(actor=MARINA, binding=role, now=now)
    assert gateway_tokens_without_role_revoke(now=now) == 2
    assert gateway_tokens_without_role_revoke(now=now) == 0
    give(user, "developer", world.payments)
    with pytest.raises(Exception, match="revoked"):
        level_of(text, cluster)
    for each, ended in ((row, True), (gone, True), (kept, False)):
        each.refresh_from_db()
        assert (each.revoked_at is not None) == ended
    assert AuditEvent.objects.filter(action="gatewaytoken.revoke", object_id=str(row.pk)).exists()


def test_a_lowered_ceiling_revokes_none_for_good(world, people, cluster):
    row = static(people.dan, cluster)[0]
    VirtualCluster.objects.update(kubeconfig_ceiling="none")
    assert gateway_tokens_without_role_revoke(now=timezone.now()) == 0
    row.refresh_from_db()
    assert row.revoked_at is None


def test_an_organization_that_allows_less_shortens_those_that_are_there(world, people, cluster):
    row = static(people.dan, cluster, expires_at=timezone.now() + timedelta(days=300))[0]
    organization_update(actor=MARINA, organization=world.acme, token_maximum_days=10)
    assert gateway_tokens_shorten(now=timezone.now()) == 1
    assert gateway_tokens_shorten(now=timezone.now()) == 0
    row.refresh_from_db()
    assert row.expires_at == row.created_at + timedelta(days=10)
