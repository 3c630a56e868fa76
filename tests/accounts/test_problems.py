"""Every refusal is a problem+json of one shape, with the request's id, and nothing of the inside."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.errors import MarinaError
from tests.accounts import probe_urls
from tests.accounts.conftest import signed_in

pytestmark = pytest.mark.urls("tests.accounts.probe_urls")
MEMBERS = {"type", "title", "status", "code", "detail", "hint", "errors", "request_id"}


@pytest.fixture
def client(world):
    return signed_in(world.olivia)


def problem(answer, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) - {"operation_id"} == MEMBERS
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == answer["X-Request-ID"]
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    ("name", "status"),
    [("invalid", 400), ("forbidden", 403), ("not-found", 404), ("conflict", 409), ("precondition-failed", 412)],
)
def test_a_services_error_becomes_a_problem(client, name, status):
    error = probe_urls.ERRORS[name]
    assert isinstance(error, MarinaError)
    body = problem(client.get(f"/api/probe/{name}"), status, name)
    assert (body["detail"], body["hint"]) == (error.message, error.hint)


def test_invalid_input_names_field_and_what_is_accepted(client):
    body = problem(client.get("/api/probe/invalid"), 400, "invalid")
    assert body["errors"] == [
        {"field": "spec.size", "message": "The size is unknown.", "accepted": "small, medium or large"}
    ]


def test_a_conflict_names_the_operation_in_the_way(client):
    body = problem(client.get("/api/probe/conflict"), 409, "conflict")
    assert body["operation_id"] == str(probe_urls.OPERATION)


def test_what_is_no_ones_request_fault_tells_nothing_of_the_inside(client):
    assert "inside" not in str(problem(client.get("/api/probe/bug"), 500, "internal"))
    assert "inside" not in str(problem(client.get("/api/probe/http404"), 404, "not-found"))


def test_nobody_and_unknown_places(client):
    answer = APIClient().get("/api/v1/me")
    problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="marina"'
    assert "/api/v1/nothing" in problem(client.get("/api/v1/nothing"), 404, "not-found")["detail"]
    problem(client.get("/api/v1/projects/not-an-id"), 404, "not-found")


def test_what_the_framework_refuses_is_a_problem_too(client):
    problem(client.delete("/api/v1/me"), 405, "method-not-allowed")
    problem(client.post("/api/probe/strict", "{", content_type="application/json"), 400, "malformed")
    problem(client.post("/api/probe/strict", "a=1", content_type="text/plain"), 415, "unsupported-media-type")
    problem(client.get("/api/v1/me", HTTP_ACCEPT="text/html"), 406, "not-acceptable")
    answer = client.post("/api/probe/strict", '"' + "x" * (5 * 1024 * 1024) + '"', content_type="application/json")
    problem(answer, 413, "too-large")


def test_all_wrong_fields_are_told_at_once_by_their_paths(client):
    sent = {"nmae": "x", "spec": {"size": "huge", "replicas": 9, "sise": 1}, "ports": [1, 0, "x"]}
    body = problem(client.post("/api/probe/strict", sent, format="json"), 400, "invalid")
    told = {error["field"]: error["accepted"] for error in body["errors"]}
    assert told == {
        "name": "text of at most 10 characters",
        "nmae": "did you mean `name`?",
        "spec.size": "one of: small, medium",
        "spec.replicas": "a whole number from 1 to 3",
        "spec.sise": "did you mean `size`?",
        "ports[1]": "a whole number, at least 1",
        "ports[2]": "a whole number, at least 1",
    }


@pytest.mark.parametrize("sent", ["[]", '"x"', "1", "null"])
def test_a_body_that_is_no_object_is_refused(client, sent):
    problem(client.post("/api/probe/strict", sent, content_type="application/json"), 400, "invalid")


def test_etag_is_the_generation_and_if_match_guards_it(client):
    assert client.get("/api/probe/changed")["ETag"] == '"3"'
    for tag in (None, "*", '"3"', '"2", "3"'):
        headers = {} if tag is None else {"HTTP_IF_MATCH": tag}
        assert client.patch("/api/probe/changed", **headers).status_code == 200, tag
    for tag in ('"2"', 'W/"3"', '"30"', '"2", "4"'):
        body = problem(client.patch("/api/probe/changed", HTTP_IF_MATCH=tag), 412, "precondition-failed")
        assert "generation 3" in body["detail"]
    for tag in ("3", '"3', "", '"a" "b"'):
        body = problem(client.patch("/api/probe/changed", HTTP_IF_MATCH=tag), 400, "invalid")
        assert body["errors"][0]["field"] == "If-Match"


@pytest.mark.parametrize(
    "sent",
    [
        "[" * 100_000,
        '{"\\ud800": 1}',
        '{"name": "\\ud800", "organization": "acme"}',
        '{"name": "new", "organization": "\\ud800"}',
        '{"name": "new", "organization": "\\u0000"}',
        '{"name": "n\\u0000w", "organization": "acme"}',
        '{"name": NaN}',
        "\udcff",
    ],
)
def test_text_that_cannot_be_stored_or_read_is_the_senders_error(client, sent):
    answer = client.post("/api/v1/projects", sent.encode(errors="surrogateescape"), content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
