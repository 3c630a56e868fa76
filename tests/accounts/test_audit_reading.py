"""The audit log over the API: for auditors of an organization, the platform's rows for its staff, and nobody else."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit_digests import COLUMNS, row_content
from accounts.models import AuditEvent
from accounts.services.audit import audit_record
from accounts.services.projects import project_update
from tests.accounts.audit_tampering import written
from tests.accounts.conftest import MARINA, give, person, signed_in

LIST = "/api/v1/audit-events"


@pytest.fixture
def otto(world):
    """auditor of acme"""
    user = person("otto")
    give(user, "auditor", world.acme)
    return signed_in(user)


@pytest.fixture
def mia(world):
    """member of acme"""
    user = person("mia")
    give(user, "member", world.acme)
    return signed_in(user)


def rows(client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{LIST}?page_size=200{query}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_auditors_and_admins_read_their_organizations_rows_and_no_others(world, otto):
    for client, organization in ((otto, world.acme), (signed_in(world.olivia), world.acme)):
        assert {row["organization_id"] for row in rows(client)} == {str(organization.pk)}
    foreign = AuditEvent.objects.filter(organization_id=world.globex.pk).latest("id")
    assert otto.get(f"{LIST}/{foreign.pk}").status_code == 404


def test_a_member_is_refused_with_the_roles_that_may(world, mia):
    for path in (LIST, f"{LIST}?organization=acme", f"{LIST}/export", f"{LIST}/export?organization={world.acme.pk}"):
        answer = mia.get(path)
        assert answer.status_code == 403, path
        assert "organization auditor" in answer.json()["hint"]
    assert AuditEvent.objects.filter(actor="mia", action="organization.audit", result="denied").count() == 4


def test_an_organization_one_does_not_see_is_refused_like_one_that_is_not_there(world, otto):
    developer = person("dan")
    give(developer, "developer", world.payments)
    for client, names in ((otto, ("globex", str(world.globex.pk), "nil")), (signed_in(developer), ("acme", "nil"))):
        for name in names:
            answer = client.get(f"{LIST}?organization={name}")
            assert answer.status_code == 403, name
            assert answer.json()["detail"].replace(name, "X") == (
                "You may not read the audit log of an organization 'X', or there is none."
            )
            assert "organization auditor" in answer.json()["hint"]


def test_somebody_without_any_role_is_refused(world):
    assert signed_in(person("nobody")).get(LIST).status_code == 403


def test_platform_staff_read_rows_of_no_organization_only(world):
    staff = signed_in(world.staff)
    found = rows(staff)
    assert {row["organization_id"] for row in found} == {None}
    assert any(row["action"] == "user.create" for row in found)
    assert staff.get(f"{LIST}?organization=acme").status_code == 403
    tenants = AuditEvent.objects.filter(organization_id=world.acme.pk).latest("id")
    assert staff.get(f"{LIST}/{tenants.pk}").status_code == 404


def test_a_row_says_who_what_and_from_where(world, otto):
    client = signed_in(world.olivia)
    client.with_headers(HTTP_USER_AGENT="marina-cli/2.0", HTTP_X_REQUEST_ID="r-77")
    client.patch(f"/api/v1/projects/{world.payments.pk}", {"display_name": "Payments"}, "json")
    (row,) = rows(otto, "&request_id=r-77")
    assert set(row) == set(COLUMNS)
    assert (row["actor"], row["action"], row["result"], row["source"]) == ("olivia", "project.update", "ok", "cli")
    assert (row["before"], row["after"]) == ({"display_name": ""}, {"display_name": "Payments"})
    assert row["user_agent"] == "marina-cli/2.0"
    assert otto.get(f"{LIST}/{row['id']}").json() == row


def test_rows_are_filtered_by_each_of_their_columns(world, otto):
    old = written(world.acme, object_id="x-1", kind="virtual-cluster", action="virtualcluster.delete", result="denied")
    between = timezone.now().isoformat().replace("+00:00", "Z")
    written(world.acme, object_id="x-2", kind="virtual-cluster", action="virtualcluster.create")
    project_update(actor=MARINA, project=world.payments, display_name="P")

    def found(query: str) -> list[str]:
        return [row["object_id"] for row in rows(otto, f"&{query}")]

    assert found("action=virtualcluster.create") == ["x-2"]
    assert found("action=virtualcluster.*") == ["x-2", "x-1"]
    assert found("object_kind=virtual-cluster&object_id=x-1") == ["x-1"]
    assert found("result=denied") == ["x-1"]
    assert found(f"since={between}&object_kind=virtual-cluster") == ["x-2"]
    assert found(f"until={between}&object_kind=virtual-cluster") == ["x-1"]
    assert found("actor=tests&result=denied") == ["x-1"]
    assert found("actor=olivia") == found(f"actor={world.olivia.pk}") == []
    assert found("search=x-2") == ["x-2"]
    assert found("source=marina&result=denied") == ["x-1"]
    assert found(f"organization={world.acme.pk}&result=denied") == ["x-1"]
    for query in ("result=maybe", "since=yesterday", "colour=red", "organization=a%00"):
        assert otto.get(f"{LIST}?{query}").status_code == 400, query
    assert old[0].object_id == "x-1"


def test_pages_by_cursor_leave_no_row_out(world, otto):
    written(world.acme, 7)
    seen, address = [], f"{LIST}?page_size=3"
    while address:
        page = otto.get(address).json()
        seen += [row["id"] for row in page["results"]]
        written(world.acme)
        address = page["next"]
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=True)


def test_the_list_costs_the_same_number_of_queries_however_long_it_is(world, otto):
    counts = []
    rows(otto)
    for count in (5, 150):
        written(world.acme, count)
        with CaptureQueriesContext(connection) as captured:
            rows(otto)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 4


def test_the_export_is_every_row_as_json_lines_oldest_first(world, otto):
    written(world.acme, 250)
    answer = otto.get(f"{LIST}/export")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer.streaming
    lines = b"".join(answer.streaming_content).decode("ascii").splitlines()
    exported = [json.loads(line) for line in lines]
    events = AuditEvent.objects.filter(organization_id=world.acme.pk).order_by("id")
    assert exported == [row_content(event) for event in events]
    filtered = otto.get(f"{LIST}/export?action=project.create", HTTP_ACCEPT="application/x-ndjson")
    names = {json.loads(line)["object_name"] for line in b"".join(filtered.streaming_content).splitlines()}
    assert names == {"acme/payments", "acme/search"}


def test_the_export_refuses_a_filter_that_is_none(world, otto):
    answer = otto.get(f"{LIST}/export?colour=red", HTTP_ACCEPT="application/x-ndjson")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["field"] == "colour"


def test_the_export_costs_few_queries(world, otto):
    written(world.acme, 300)
    rows(otto)
    with CaptureQueriesContext(connection) as captured:
        b"".join(otto.get(f"{LIST}/export").streaming_content)
    assert len(captured) <= 4


def test_nobody_changes_a_row_over_the_api(world, otto):
    row = AuditEvent.objects.filter(organization_id=world.acme.pk).latest("id")
    for method in ("put", "patch", "delete"):
        assert getattr(otto, method)(f"{LIST}/{row.pk}", {}, "json").status_code == 405
    assert otto.post(LIST, {}, "json").status_code == 405


def test_a_secret_that_was_passed_by_mistake_is_not_written_down(world):
    token = "mar_abcd1234_" + "s" * 43
    row = audit_record(
        actor=MARINA,
        action="x.y",
        kind="x",
        object_id="1",
        before={"password": "hunter2"},
        after={"values": [{"kubeconfig": "apiVersion: v1"}]},
        details={"text": f"sent {token} and eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl", "before": {}, "prefix": "abcd1234"},
    )
    row.refresh_from_db()
    text = json.dumps(row_content(row))
    for secret in ("hunter2", "apiVersion", "s" * 20, "c2lnbmF0dXJl"):
        assert secret not in text
    assert row.details["prefix"] == "abcd1234"


@pytest.mark.parametrize(
    "moment", ["2211-03-05T11:15:51-20:46", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
)
def test_times_with_offsets_that_the_database_does_not_know_are_read_or_refused(world, moment):
    answer = signed_in(world.olivia).get(LIST, {"since": moment})
    assert answer.status_code in (200, 400)
