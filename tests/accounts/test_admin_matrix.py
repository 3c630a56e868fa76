"""Every page and action of the admin site x every role: a role of a tenant opens none of it, nor does being staff."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.models import Chart, CleanupSwitch, HostScope, IdleSignal, KubeconfigGrant
from tests.accounts.endpoint_rules import EVERYBODY, Who
from tests.accounts.matrix_objects import HIDDEN, objects_at
from tests.accounts.test_matrix import asker_of
from tests.clusters.making import host_row

ACTIONS: dict[str, set[str]] = {
    "accounts.User": {"deactivate", "activate", "remove_second_factor"},
    "accounts.Organization": {"delete_selected"},
    "accounts.Team": {"delete_selected"},
    "accounts.Project": {"delete_selected"},
    "accounts.Role": {"delete_selected"},
    "accounts.RoleBinding": {"delete_selected"},
    "accounts.AccessToken": {"revoke"},
    "accounts.GroupMapping": {"delete_selected"},
    "accounts.ServiceAccount": set(),
    "accounts.FederationRule": set(),
    "accounts.Invitation": {"revoke"},
    "accounts.JoinRequest": set(),
    "accounts.AuditEvent": set(),
    "clusters.HostCluster": {"cordon", "uncordon", "evacuate", "lost", "found", "forget_retained", "disconnect"},
    "clusters.RegionOffer": {"delete_selected"},
    "clusters.HostCredential": set(),
    "clusters.VirtualCluster": {
        "configure",
        "look_at_upgrade",
        "upgrade",
        "look_at_move",
        "move",
        "sleep",
        "wake",
        "protect",
        "unprotect",
        "delete_clusters",
    },
    "clusters.Placement": set(),
    "clusters.KubeconfigGrant": set(),
    "clusters.DiscoveredCluster": {"ignore", "unignore"},
    "clusters.Operation": {"retry", "abort"},
    "clusters.Chart": set(),
    "clusters.ClusterUse": set(),
    "clusters.IdleSignal": set(),
    "clusters.KnownWriter": set(),
    "clusters.GatewayRequest": set(),
    "clusters.Export": set(),
    "clusters.LifecyclePolicy": {"delete_selected"},
    "clusters.SleepSchedule": {"delete_selected", "not_tonight", "two_hours_later"},
    "clusters.UpgradePolicy": {"delete_selected"},
    "clusters.Rollout": {"pause", "resume", "abort", "retry"},
    "clusters.CleanupRun": set(),
    "clusters.CleanupItem": set(),
    "clusters.CleanupSwitch": set(),
}
"""What can be done to selected rows of which list. All of it takes Django's own permission, and then the services'."""


@pytest.fixture
def site(world, rf) -> dict[type[Model], Any]:
    """The models that have pages, each with a row."""
    host = host_row(f"{HIDDEN}-host", scope=HostScope.ORGANIZATION, organization=world.acme)
    made = objects_at(world, world.payments, host, host_row("platform"), "own")
    KubeconfigGrant.objects.create(
        virtual_cluster=made.cluster, user=made.person, level="view", expires_at=timezone.now() + timedelta(hours=1)
    )
    IdleSignal.objects.create(virtual_cluster=made.cluster, kind="change")
    CleanupSwitch.objects.create()
    Chart.objects.create(source="here", version="0.36.1", digest="sha256:1")
    rows = {model: model._default_manager.first() for model in admin.site._registry}
    assert all(rows.values()), [model for model, row in rows.items() if row is None]
    return rows


def test_every_action_has_a_line_in_the_table(site, rf, world):
    request = rf.get("/admin/")
    request.user = world.staff  # a superuser
    found = {model._meta.label: set(page.get_actions(request)) for model, page in admin.site._registry.items()}
    assert found == ACTIONS, "name new actions here; they are then asked as every role"


def _pages(rows: dict[type[Model], Any]) -> Iterator[str]:
    yield "/admin/"
    for model, page in admin.site._registry.items():
        start = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield f"/admin/{model._meta.app_label}/"
        for pattern in page.urls:
            parts = str(pattern.pattern)
            filled = parts.replace("<path:object_id>", str(rows[model].pk)).replace("<id>", str(rows[model].pk))
            if "<" not in filled and "(" not in filled:
                yield start + filled


@pytest.mark.parametrize("who", [who for who in EVERYBODY if who.kind != "superuser"], ids=str)
def test_no_role_opens_a_page_of_the_admin_site(world, site, who: Who):
    client = Client()
    client.force_login(asker_of(world, who))
    pages = list(dict.fromkeys(_pages(site)))
    assert len(pages) > 40
    for page in pages:
        answer = client.get(page)
        assert HIDDEN.encode() not in answer.content, page
        if who.kind == "staff" and page == "/admin/":
            assert answer.status_code == 200  # the empty start page
        elif who.kind == "staff":
            assert answer.status_code in (302, 403, 404), page
        else:
            assert answer.status_code == 302, page
            assert answer["Location"].startswith("/admin/login/"), page


@pytest.mark.parametrize("who", EVERYBODY, ids=str)
def test_an_action_of_the_admin_site_is_done_for_superusers_only(world, site, who: Who):
    client = Client(raise_request_exception=False)
    client.force_login(asker_of(world, who))
    for model, row in site.items():
        page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for action in sorted(ACTIONS[model._meta.label]):
            before = AuditEvent.objects.count()
            with transaction.atomic():
                answer = client.post(page, {"action": action, "_selected_action": str(row.pk)})
                written = AuditEvent.objects.count() - before
                transaction.set_rollback(True)
            if who.kind == "superuser":
                assert answer.status_code in (200, 302), (page, action)
                continue
            assert written == 0, (page, action)
            assert answer.status_code == (403 if who.kind == "staff" else 302), (page, action)
            assert HIDDEN.encode() not in answer.content, (page, action)
