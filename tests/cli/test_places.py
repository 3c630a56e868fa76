"""Projects, organizations, service accounts, rules and labels shown, changed and deleted: against the real API."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from accounts.models import FederationRule, Organization, Project, ServiceAccount
from accounts.services.organizations import organization_create
from accounts.services.projects import project_create
from clusters.models import VirtualCluster
from tests.accounts.conftest import MARINA, give, person
from tests.cli.api_server import ApiServer
from tests.cli.conftest import Run
from tests.cli.test_tokens import ada, done, issuer, login, trusted, world
from tests.clusters.making import host_row, ready_row

__all__ = ("ada", "issuer", "login", "trusted", "world")

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_project_is_shown_and_deleted(world, login):
    run = login(world.olivia)
    project_create(actor=MARINA, organization=world.acme, name="tries", display_name="Tries")
    shown = done(run("project", "get", "acme/tries"))
    assert "Tries" in shown
    assert json.loads(done(run("project", "get", "acme/tries", "-o", "json")))["name"] == "tries"
    assert run("project", "get", "acme/nil").exit_code == 4
    assert run("project", "delete", "acme/tries", stdin="n\n").exit_code == 1
    assert "would be gone" in done(run("project", "delete", "acme/tries", "--dry-run"))
    assert Project.objects.filter(name="tries").exists()
    assert done(run("project", "delete", "acme/tries", "--yes")) == "The project acme/tries is gone.\n"
    assert not Project.objects.filter(name="tries").exists()


def test_a_project_with_clusters_is_not_deleted(world, login):
    ready_row(world, host_row())
    refused = login(world.olivia)("project", "delete", "acme/payments", "--yes")
    assert refused.exit_code == 5
    assert "1 virtual cluster" in refused.stderr


def test_an_organization_is_shown_limited_and_deleted(world, login):
    run = login(world.olivia)
    organization_create(actor=MARINA, name="brief", admin=world.olivia, now=timezone.now())
    assert "days tokens hold at most    7" in done(run("organization", "set", "brief", "--token-maximum-days", "7"))
    assert "brief" in done(run("organization", "get", "brief"))
    assert json.loads(done(run("organization", "get", "brief", "-o", "json")))["token_maximum_days"] == 7
    assert run("organization", "delete", "acme", "--yes").exit_code == 5
    assert "would be gone" in done(run("organization", "delete", "brief", "--dry-run"))
    assert done(run("organization", "delete", "brief", "--yes")) == "The organization brief is gone.\n"
    assert not Organization.objects.filter(name="brief").exists()
    assert run("organization", "get", "brief").exit_code == 4


def test_a_service_account_and_its_rule_are_shown_and_changed(trusted):
    run, account = trusted, ("--service-account", "acme/payments/ci")
    for update in (("--dry-run",), ()):
        done(run("service-account", "update", "ci", "--project", "acme/payments", "--description", "Shop", *update))
        assert ServiceAccount.objects.get().description == ("" if update else "Shop")
    assert "Shop" in done(run("service-account", "get", "acme/payments/ci"))
    assert "would be deleted" in run("service-account", "delete", "acme/payments/ci", "--dry-run").stderr
    assert ServiceAccount.objects.get().deleted_at is None
    assert "repository=acme/shop" in done(run("federation", "get", "main", *account))
    done(run("federation", "update", "main", *account, "--audience", "there", "--dry-run"))
    told = done(run("federation", "update", "main", *account, "--audience", "there", "--claim", "repository=acme/till"))
    assert "repository=acme/till" in told
    rule = FederationRule.objects.get()
    assert (rule.audience, rule.claims) == ("there", {"repository": "acme/till"})
    assert run("federation", "update", "main", *account).exit_code == 2
    assert run("federation", "update", "nil", *account, "--audience", "x").exit_code == 4


def test_labels_are_added_and_taken_away_and_the_others_stay(world, ada, login):
    run = login(ada)
    cluster = ready_row(world, host_row(), labels={"team": "till", "stage": "test"})
    before = cluster.operations.count()
    given = ("configure", "hello", "--project", "acme/payments", "--label", "stage=live", "--remove-label", "team")
    assert "would be configured" in done(run(*given, "--dry-run"))
    assert done(run(*given, "--label", "cost=7")) == "hello has the labels cost=7,stage=live.\n"
    assert VirtualCluster.objects.get(pk=cluster.pk).labels == {"stage": "live", "cost": "7"}
    assert cluster.operations.count() == before, "its host has nothing to do with it"
    done(run(*given[:4], "--size", "large", "--label", "size=large"))
    changed = VirtualCluster.objects.get(pk=cluster.pk)
    assert (changed.labels["size"], changed.size, cluster.operations.count()) == ("large", "large", before + 1)


def test_platform_staff_are_told_whose_operations_they_see(world, login):
    assert "operations of hosts" in login(world.staff)("op", "list").stderr


def test_who_may_not_read_an_audit_log_is_told_by_which_role_they_could(world, ada, login):
    dan = person("dan")
    give(dan, "developer", world.payments)
    run = login(dan)
    for words in ((), ("--organization", "acme"), ("--organization", "nil")):
        refused = run("audit", "list", *words)
        assert refused.exit_code == 1
        assert "organization auditor, organization admin" in refused.stderr


def test_of_two_static_kubeconfigs_of_one_name_both_are_named_and_one_is_taken_by_its_id(
    server: ApiServer, run: Run
) -> None:
    cluster = server.add_cluster("hello")
    for number in (1, 2):
        key = f"00000000-0000-7000-8000-00000000000{number}"
        server.gateway_tokens[key] = {
            "id": key,
            "prefix": f"prefix0{number}",
            "name": "lens",
            "user": {"handle": "alice"},
            "expires_at": "2026-12-23T10:00:00Z",
        }
    for words in (("revoke", "hello", "lens"), ("rotate", "hello", "lens")):
        refused = run("static-kubeconfig", *words)
        assert refused.exit_code == 2
        assert all(key in refused.stderr for key in server.gateway_tokens)
        assert "mgs_prefix01 of alice, until 2026-12-23" in refused.stderr
    assert run("static-kubeconfig", "revoke", "hello", key).exit_code == 0
    assert server.asked("DELETE", f"/virtual-clusters/{cluster['id']}/gateway-tokens/{key}")
