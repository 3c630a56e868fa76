"""The admin site: every page opens, shows no secret, and whatever is done there is done by the services."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.encryption import connection_decrypt
from clusters.models import (
    Chart,
    CleanupItem,
    CleanupRun,
    CleanupSwitch,
    ClusterUse,
    DiscoveredCluster,
    Export,
    GatewayRequest,
    HostCluster,
    HostCredential,
    IdleSignal,
    KnownWriter,
    KubeconfigGrant,
    LifecyclePolicy,
    Operation,
    OperationEvent,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    RegionOffer,
    Rollout,
    SleepSchedule,
    UpgradePolicy,
    VirtualCluster,
)
from tests.accounts.conftest import person
from tests.clusters.export_making import export_row
from tests.clusters.gateway_books import request_row
from tests.clusters.making import PUBLIC_KEY, SECRET, cluster_row, host_row, operation_row, ready_row
from tests.clusters.rollouts.making import rollout_row
from tests.clusters.rules.kubeconfigs import kubeconfig_with

MODELS = (
    HostCluster,
    HostCredential,
    VirtualCluster,
    Placement,
    KubeconfigGrant,
    Operation,
    Chart,
    DiscoveredCluster,
    ClusterUse,
    GatewayRequest,
    IdleSignal,
    KnownWriter,
    Export,
    Rollout,
)
TOKEN = "canary-token-7f3a9c"


@pytest.fixture
def site(world) -> Client:
    client = Client()
    client.force_login(world.staff)
    return client


def url(model, *rest) -> str:
    return "/".join(["/admin/clusters", model._meta.model_name, *map(str, rest)]) + "/"


def do(client, model, action, *rows):
    """An action of the list; the answer is the list with its messages."""
    return client.post(url(model), {"action": action, "_selected_action": [str(row.pk) for row in rows]}, follow=True)


def told(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def errors(answer) -> dict[str, str]:
    """Of a form that came back, by field."""
    assert answer.status_code == 200
    return {name: " ".join(found) for name, found in answer.context["adminform"].form.errors.items()}


@pytest.fixture
def full(world):
    """A row of everything, with conditions, steps and events."""
    now = timezone.now()
    condition = {"status": "False", "reason": "ProbeFailed", "last_transition_time": now.isoformat()}
    host = host_row(
        conditions=[{**condition, "type": "Reachable", "message": "It has not answered since noon."}],
        ingress_classes=[{"name": "nginx", "controller": "x"}],
        capacity={"nodes": 3},
    )
    cluster = ready_row(world, host, labels={"team": "web"}, values={"sync": {"toHost": {}}})
    VirtualCluster.objects.update(conditions=[{**condition, "type": "Ready", "message": "It <b>failed</b>."}])
    Placement.objects.update(not_synced=[{"kind": "Ingress", "reason": "The host has none."}])
    Chart.objects.create(source="https://charts", version="0.36.1", digest="sha256:abc", schema={"type": "object"})
    KubeconfigGrant.objects.create(virtual_cluster=cluster, user=world.olivia, level="admin", expires_at=now)
    ClusterUse.objects.create(virtual_cluster=cluster, user=world.olivia, client="kubectl", last_used_at=now, reads=1)
    IdleSignal.objects.create(virtual_cluster=cluster, kind="change", last_used_at=now, who="helm", state="known")
    KnownWriter.objects.create(
        virtual_cluster=cluster, manager="helm", first_seen_at=now, last_write_at=now, verdict="person"
    )
    GatewayRequest.objects.bulk_create([request_row(cluster, world.olivia, name="web")])
    DiscoveredCluster.objects.create(host=host, namespace="team-tills", release="tills", uid="u-1", seen_at=now)
    export_row(cluster, requested_by=world.olivia, counts={"v1/Secret": 1}, key=b"k", spec=b"s")
    rollout_row(cluster, project=cluster.project)
    UpgradePolicy.objects.create(virtual_cluster=cluster, channel="patch")
    steps = [
        {
            "key": "a",
            "name": "Prepare the namespace",
            "state": "done",
            "note": "It was there.",
            "started_at": "2026-01-01T10:00:00+00:00",
            "finished_at": "2026-01-01T10:00:02.500000+00:00",
        },
        {"key": "b", "name": "Wait for the API", "state": "failed", "started_at": "2026-01-01T10:00:02+00:00"},
        {"key": "c", "name": "Publish it", "state": "waiting"},
    ]
    operation = operation_row(
        cluster,
        OperationKind.DELETE,
        state=OperationState.FAILED,
        steps=steps,
        step=1,
        error_code="timeout",
        error_message="It did not answer.",
        error_hint="Look at the host.",
        params={"public_key": PUBLIC_KEY},
        sealed_result=b"sealed-canary",
        sealed_until=now,
    )
    OperationEvent.objects.create(operation=operation, time=now, step="b", level="warning", text="Attempt 1: Hm.")
    return operation


@pytest.mark.parametrize("model", [*MODELS, UpgradePolicy])
def test_every_list_and_every_object_has_a_page_without_a_secret(site, full, model):
    pages = [site.get(url(model)), site.get(url(model) + "?q=e")]
    pages += [site.get(url(model, row.pk, "change")) for row in model.objects.all()]
    assert len(pages) >= 3
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        for secret in (
            SECRET,
            "sealed-canary",
            PUBLIC_KEY,
            bytes(HostCredential.objects.get().ciphertext or b"").decode(),
        ):
            assert secret not in text


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_deleted_or_edited_past_the_services(site, full, model):
    row = model.objects.first()
    assert site.post(url(model, row.pk, "delete"), {"post": "yes"}).status_code == 403
    assert site.get(url(model, "add")).status_code == (200 if model is HostCluster else 403)
    if model is not HostCluster:
        before = model.objects.values().get(pk=row.pk)
        assert site.post(url(model, row.pk, "change"), {"phase": "Deleted", "state": "Succeeded"}).status_code == 403
        assert model.objects.values().get(pk=row.pk) == before
    choices = site.get(url(model)).content.decode()
    assert "delete_selected" not in choices


def test_an_operation_is_a_timeline_with_what_happened(site, full):
    text = site.get(url(Operation, full.pk, "change")).content.decode()
    for part in (
        "✓ <b>Prepare the namespace</b> 2.5 s It was there.",
        "✗ <b>Wait for the API</b> since 2026-01-01 10:00:02 UTC",
        "· <b>Publish it</b>",
        "It did not answer. (timeout) Look at the host.",
        "Attempt 1: Hm.",
        "Nobody works on it at this moment.",
        "acme/payments/hello",
    ):
        assert part in text, part


def test_what_warns_of_a_host_is_told_as_what_is_wrong(site, full):
    text = site.get(url(HostCluster)).content.decode()
    assert "not Reachable: It has not answered since noon." in text


def test_a_hosts_page_begins_with_how_it_stands_and_what_it_holds(site, world):
    host = host_row()
    cluster = ready_row(world, host)
    text = site.get(url(HostCluster, host.pk, "change")).content.decode()
    link = text.index(f'href="{url(VirtualCluster, cluster.pk, "change")}"')
    assert text.index("Connected") < link < text.index('name="region"')


def test_what_is_normal_is_told_in_words_and_not_as_a_red_cross(site, world):
    host = host_row()
    ready_row(world, host)
    assert column(site, HostCluster, "Cordoned") == column(site, VirtualCluster, "Deletion protection") == "—"
    do(site, HostCluster, "cordon", host)
    assert column(site, HostCluster, "Cordoned") == "cordoned"


def column(client, model, name: str) -> str:
    """What stands in this column of the list's only row."""
    text = client.get(url(model)).content.decode()
    (cell,) = re.findall(rf'<td[^>]*data-label="{name}"[^>]*>(.*?)</td>', text, re.IGNORECASE | re.DOTALL)
    return str(cell).strip()


def test_conditions_are_told_in_words_and_escaped(site, full):
    text = site.get(url(HostCluster, HostCluster.objects.get().pk, "change")).content.decode()
    assert "<b>Reachable</b>: no. It has not answered since noon. <i>(since " in text
    assert "nginx" in text
    text = site.get(url(VirtualCluster, VirtualCluster.objects.get().pk, "change")).content.decode()
    assert "It &lt;b&gt;failed&lt;/b&gt;." in text
    assert "east, namespace marina-hello" in text


def test_lists_cost_the_same_number_of_queries_for_any_number_of_rows(site, world, full):
    site.get(url(MODELS[0]))  # a session's first request is noted
    counts = []
    for start, end in ((0, 3), (3, 20)):
        for number in range(start, end):
            host = host_row(f"h-{number}")
            cluster = ready_row(world, host, f"c-{number}")
            operation_row(cluster, OperationKind.DELETE, state=OperationState.FAILED)
            grant = {"user": world.olivia, "level": "view", "expires_at": timezone.now()}
            KubeconfigGrant.objects.create(virtual_cluster=cluster, **grant)
            export_row(cluster, requested_by=world.olivia)
        found = []
        for model in MODELS:
            with CaptureQueriesContext(connection) as captured:
                site.get(url(model))
            found.append(len(captured))
        counts.append(found)
    assert counts[0] == counts[1]


# --- hosts ------------------------------------------------------------------------------------------------------------


def form(**fields):
    """The connect form as a browser sends it."""
    text = fields.pop("kubeconfig", kubeconfig_with(user={"token": TOKEN}))
    sent = {
        "name": "east",
        "mode": "cluster",
        "namespaces": "",
        "scope": "platform",
        "organization": "",
        "region": "eu",
        "labels": "{}",
        "exposure": "None",
        "values": "{}",
        **fields,
    }
    if text is not None:
        sent["kubeconfig"] = SimpleUploadedFile("config", text.encode())
    return sent


def test_a_host_is_connected_by_a_kubeconfig_file(site, world):
    answer = site.post(
        url(HostCluster, "add"),
        form(labels='{"tier": "gold"}', offered_to_organizations=str(world.acme.pk)),
        follow=True,
    )
    host = HostCluster.objects.get()
    assert (host.name, host.region, host.labels, host.phase) == ("east", "eu", {"tier": "gold"}, "Pending")
    assert list(host.offered_to_organizations.all()) == [world.acme]
    assert Operation.objects.get().kind == OperationKind.CONNECT
    assert connection_decrypt(bytes(HostCredential.objects.get().candidate or b"")).token == TOKEN
    row = AuditEvent.objects.get(action="host.connect")
    assert (row.actor, row.details["for_the_platform"]) == ("staff", True)
    assert TOKEN not in answer.content.decode()


def test_a_host_with_given_namespaces_of_an_organization_is_connected(site, world):
    sent = form(mode="namespaces", namespaces="one\r\ntwo", scope="organization", organization=str(world.acme.pk))
    site.post(url(HostCluster, "add"), sent)
    host = HostCluster.objects.get()
    assert (host.mode, host.namespaces, host.organization) == ("namespaces", ["one", "two"], world.acme)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"kubeconfig": None}, "kubeconfig", "required"),
        ({"kubeconfig": "nothing: here"}, "kubeconfig", "kubeconfig.kind"),
        (
            {"kubeconfig": kubeconfig_with(user={"token": TOKEN, "exec": {"command": "aws"}})},
            "kubeconfig",
            "kubeconfig.users[admin].user.exec",
        ),
        ({"kubeconfig": "#" * 1_048_577}, "kubeconfig", "1 MiB"),
        ({"name": "East!"}, "name", "lower-case"),
        ({"mode": "namespaces"}, "namespaces", "one or more existing namespaces"),
        ({"mode": "namespaces", "namespaces": "a kube-system"}, "namespaces", "namespaces[1]"),
        ({"scope": "organization"}, "organization", "names its organization"),
        ({"labels": '{"a b": "c"}'}, "labels", "labels.a b"),
        ({"labels": "{"}, "labels", "JSON"),
        ({"values": '{"telemetry": {"enabled": true}}'}, "values", "values.telemetry.enabled"),
    ],
)
def test_what_the_service_refuses_is_shown_at_its_field_and_nothing_is_written(site, fields, field, says):
    found = errors(answer := site.post(url(HostCluster, "add"), form(**fields)))
    assert says in found[field], found
    assert TOKEN not in answer.content.decode()
    assert HostCluster.objects.count() == Operation.objects.count() == 0


def test_a_name_that_is_taken_is_shown_at_its_field(site):
    host_row("east")
    assert "name" in errors(site.post(url(HostCluster, "add"), form()))


def change(client, host, **fields):
    sent = {"region": "us", "labels": "{}", "exposure": "Local", "values": "{}", **fields}
    return client.post(url(HostCluster, host.pk, "change"), sent, follow=True)


def test_a_host_is_changed_and_only_in_what_may_change(site, world):
    host = host_row()
    change(site, host, name="other", phase="Failed", cordoned="on", offered_to_projects=str(world.search.pk))
    host.refresh_from_db()
    assert (host.name, host.phase, host.cordoned, host.region, host.exposure) == (
        "east",
        "Connected",
        False,
        "us",
        "Local",
    )
    assert list(host.offered_to_projects.all()) == [world.search]
    assert AuditEvent.objects.get(action="host.update").after["offered_to_projects"] == ["acme/search"]
    assert "values" in errors(change(site, host, values='{"telemetry": {"enabled": true}}'))
    assert not Operation.objects.exists(), "no file, no new credential"


def test_where_a_hosts_traffic_is_read_is_said_on_its_page(site):
    host = host_row()
    change(site, host, ingress_metrics='{"service": "ingress-nginx/controller-metrics:10254"}')
    host.refresh_from_db()
    assert host.ingress_metrics["metric"] == "nginx_ingress_controller_requests"
    for wrong, says in (('{"service": "nowhere"}', "ingress_metrics.service"), ("[1]", "It is no object")):
        assert says in errors(change(site, host, ingress_metrics=wrong))["ingress_metrics"]
    change(site, host, ingress_metrics="{}")
    host.refresh_from_db()
    assert host.ingress_metrics == {}


def test_how_many_operations_work_on_a_host_at_once_is_said_on_its_page_within_bounds(site):
    host = host_row()
    change(site, host, concurrency="3")
    change(site, host, region="us")
    host.refresh_from_db()
    assert host.concurrency == 3
    assert "concurrency" in errors(change(site, host, concurrency="101"))


def test_a_host_gets_a_new_credential_by_its_page(site):
    host = host_row()
    change(site, host, kubeconfig=SimpleUploadedFile("config", kubeconfig_with(user={"token": TOKEN}).encode()))
    assert Operation.objects.get().kind == OperationKind.CONNECT
    row = HostCredential.objects.get()
    assert connection_decrypt(bytes(row.candidate or b"")).token == TOKEN
    assert connection_decrypt(bytes(row.ciphertext or b"")).token == SECRET
    page = site.get(url(HostCredential, row.pk, "change")).content.decode()
    assert "being proved" in page.lower()


def test_hosts_are_cordoned_uncordoned_and_disconnected_from_the_list(site, world):
    east, west = host_row("east"), host_row("west")
    answer = do(site, HostCluster, "cordon", east, west)
    assert "east is cordoned." in told(answer)
    assert HostCluster.objects.filter(cordoned=True).count() == 2
    do(site, HostCluster, "uncordon", east)
    assert list(HostCluster.objects.filter(cordoned=True)) == [west]
    assert AuditEvent.objects.filter(action="host.update", details__for_the_platform=True).count() == 3
    ready_row(world, east)
    assert "still holds 1 virtual clusters" in told(do(site, HostCluster, "disconnect", west, east))
    assert HostCluster.objects.count() == 2, "all of them, or none"
    do(site, HostCluster, "disconnect", west)
    assert list(HostCluster.objects.all()) == [east]


def test_what_clusters_left_on_a_host_is_given_up_from_the_list_but_for_what_one_needs(site, world):
    east, west = host_row("east"), host_row("west")
    free, coming_back = (ready_row(world, west, name) for name in ("free", "coming-back"))
    for each in (free, coming_back):
        where = {"namespace": f"marina-{each.name}", "release": each.name}
        Placement.objects.create(virtual_cluster=each, host=east, role=PlacementRole.RETAINED, **where)
    operation_row(coming_back, OperationKind.MIGRATE, params={"back": True}, state=OperationState.PROCESSING)
    answer = told(do(site, HostCluster, "forget_retained", east))
    assert "east: 1 that moved away are being removed." in answer
    assert "east keeps what" in answer
    assert "coming-back left: " in answer
    removal = Operation.objects.get(kind=OperationKind.REMOVE_PLACEMENT)
    assert (removal.virtual_cluster, removal.requested_by) == (free, world.staff)
    roles = Placement.objects.filter(host=east).values_list("virtual_cluster__name", "role")
    assert set(roles) == {("free", "leaving"), ("coming-back", "retained")}
    assert AuditEvent.objects.filter(action="virtualcluster.forget-retained").count() == 1


# --- virtual clusters and operations ----------------------------------------------------------------------------------


def test_virtual_clusters_are_protected_and_deleted_from_the_list(site, world):
    cluster = ready_row(world, host_row())
    assert "is protected" in told(do(site, VirtualCluster, "protect", cluster))
    assert "protected from deletion" in told(do(site, VirtualCluster, "delete_clusters", cluster))
    assert not Operation.objects.filter(kind="delete").exists()
    do(site, VirtualCluster, "unprotect", cluster)
    begun = do(site, VirtualCluster, "delete_clusters", cluster)
    operation = Operation.objects.get(kind="delete")
    page = reverse("admin:clusters_operation_change", args=(operation.pk,))
    assert f'begins: operation <a href="{page}">' in begun.content.decode()
    assert "was under way" in told(do(site, VirtualCluster, "delete_clusters", cluster))
    assert operation.requested_by == world.staff
    assert AuditEvent.objects.get(action="virtualcluster.delete").details["for_the_platform"] is True


def test_operations_are_retried_and_aborted_from_the_list(site, world):
    operation = operation_row(cluster_row(world), OperationKind.PROVISION, state=OperationState.FAILED)
    assert "is tried again" in told(do(site, Operation, "retry", operation))
    assert "Only a Failed operation" in told(do(site, Operation, "retry", operation))
    assert "ends before its next step" in told(do(site, Operation, "abort", operation))
    operation.refresh_from_db()
    assert operation.abort_requested
    recorded = AuditEvent.objects.filter(object_kind="operation").order_by("id").values_list("action", "result")
    assert list(recorded) == [("operation.retry", "ok"), ("operation.retry", "failed"), ("operation.abort", "ok")]


def test_staff_without_django_permissions_see_nothing_in_the_site(world):
    client = Client()
    client.force_login(person("operator", is_staff=True))
    for model in MODELS:
        assert client.get(url(model)).status_code == 403


def test_staff_who_may_only_look_can_do_nothing(world):
    looker = person("looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(looker)
    host = host_row()
    operation = operation_row(host, OperationKind.CONNECT, state=OperationState.FAILED)
    assert client.get(url(HostCluster)).status_code == 200
    do(client, HostCluster, "cordon", host)
    do(client, Operation, "retry", operation)
    assert client.get(url(HostCluster, "add")).status_code == 403
    assert client.post(url(HostCluster, host.pk, "change"), {"region": "x"}).status_code == 403
    host.refresh_from_db()
    operation.refresh_from_db()
    assert (host.cordoned, host.region, operation.state) == (False, "", "Failed")


def test_staff_who_are_no_superusers_change_no_tenants_object(world):
    helper = person("helper", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(content_type__app_label="clusters"))
    client = Client()
    client.force_login(helper)
    cluster = cluster_row(world)
    assert "you have no role that shows it" in told(do(client, VirtualCluster, "delete_clusters", cluster))
    host = host_row()
    assert "east is cordoned." in told(do(client, HostCluster, "cordon", host))
    assert not Operation.objects.exists()


def test_only_these_models_have_pages():
    registered = {model for model in admin.site._registry if model._meta.app_label == "clusters"}
    elsewhere = {RegionOffer, LifecyclePolicy, SleepSchedule, CleanupRun, CleanupItem, CleanupSwitch, UpgradePolicy}
    assert registered == {*MODELS, *elsewhere}, "those are tested with their offers, and in lifecycle/"


def test_what_was_found_on_a_host_is_ignored_by_an_action_that_is_recorded(site, full):
    row = DiscoveredCluster.objects.get()
    assert "ignored" in told(do(site, DiscoveredCluster, "ignore", row))
    row.refresh_from_db()
    assert row.ignored
    assert AuditEvent.objects.filter(action="discoveredcluster.ignore").exists()
    do(site, DiscoveredCluster, "unignore", row)
    row.refresh_from_db()
    assert not row.ignored


def test_configuring_by_an_action_starts_an_operation(site, world):
    cluster = ready_row(world, host_row("west"))
    assert "begins" in told(do(site, VirtualCluster, "configure", cluster))
    assert Operation.objects.filter(kind="configure", virtual_cluster=cluster).count() == 1
