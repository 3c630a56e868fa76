"""Who uses a cluster, and single requests, on the command line."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

REQUEST: dict[str, Any] = {
    "id": "r1",
    "at": "2026-11-23T09:58:00Z",
    "user": "dan",
    "acting_as": "",
    "broken_glass": False,
    "cluster": "acme/payments/hello",
    "verb": "delete",
    "group": "apps",
    "resource": "deployments",
    "subresource": "",
    "namespace": "web",
    "name": "shop",
    "path": "",
    "status": 200,
    "refused_for": "",
    "address": "192.0.2.7",
    "by_token": "mar_abcd1234",
    "user_agent": "kubectl/v1.36.3 (linux/amd64)",
}


def page(*items: dict[str, Any]) -> Answer:
    return Answer(body={"next": None, "previous": None, "results": list(items)})


def test_requests_say_who_did_what_with_which_end(server: ApiServer, run: Run) -> None:
    others = [
        {**REQUEST, "acting_as": "joe", "verb": "get", "group": "", "resource": "pods", "subresource": "exec"},
        {**REQUEST, "broken_glass": True, "resource": "", "path": "/version", "status": 0},
        {**REQUEST, "status": 503, "refused_for": "asleep"},
        {**REQUEST, "acting_as": "joe", "acting_as_groups": ["ops", "web"], "acting_as_extras": ["scopes"]},
        {**REQUEST, "group": "", "resource": "namespaces", "namespace": "shop"},
    ]
    server.say_once("GET", "/gateway-requests", page(REQUEST, *others))
    lines = run("requests").stdout.splitlines()
    assert lines[0].split() == ["AGE", "WHO", "CLUSTER", "VERB", "WHAT", "STATUS"]
    assert lines[1].split()[:2] == ["2", "min"]
    assert lines[1].split()[2:] == ["dan", "acme/payments/hello", "delete", "deployments.apps", "web/shop", "200"]
    assert "dan as joe" in lines[2]
    assert "pods/exec web/shop" in lines[2]
    assert "dan (broken glass)" in lines[3]
    assert "/version" in lines[3]
    assert "broke off" in lines[3]
    assert "503 (asleep)" in lines[4]
    assert "dan as joe in ops, web" in lines[5]
    assert "namespaces shop  " in lines[6]


def test_what_is_chosen_is_sent_as_the_apis_parameters(server: ApiServer, run: Run) -> None:
    cluster = server.add_cluster("hello")
    server.say_once("GET", "/gateway-requests", page(REQUEST))
    result = run(
        *("requests", "hello", "--user", "dan", "--as", "joe", "--verb", "delete", "--resource", "pods/exec"),
        *("-n", "web", "--object", "shop", "--status", "4xx", "--broken-glass", "--since", "1h30m"),
        *("--until", "2026-11-23T09:59:00Z", "-o", "json"),
    )
    assert json.loads(result.stdout) == [REQUEST]
    (asked,) = server.asked("GET", "/gateway-requests")
    assert {key: value for key, value in asked.query.items() if key != "page_size"} == {
        "cluster": cluster["id"],
        "user": "dan",
        "acting_as": "joe",
        "verb": "delete",
        "resource": "pods/exec",
        "namespace": "web",
        "name": "shop",
        "status": "4xx",
        "broken_glass": "true",
        "since": "2026-11-23T08:30:05+00:00",
        "until": "2026-11-23T09:59:00+00:00",
    }


def test_a_time_that_is_none_is_refused_before_anything_is_asked(server: ApiServer, run: Run) -> None:
    result = run("requests", "--since", "yesterday")
    assert result.exit_code == 2
    assert "--since 'yesterday' is no time" in result.stderr
    assert server.asked("GET", "/gateway-requests") == []


def test_uses_say_who_used_it_with_what_and_when_last(server: ApiServer, run: Run) -> None:
    cluster = server.add_cluster("hello")
    use = {
        "id": "u1",
        "user": {"id": "p1", "handle": "dan", "name": "dan"},
        "client": "kubectl",
        "last_read_at": "2026-11-23T09:59:35Z",
        "last_write_at": None,
        "reads": 12,
        "writes": 0,
    }
    path = f"/virtual-clusters/{cluster['id']}/uses"
    server.say_once("GET", path, page(use))
    lines = run("uses", "hello").stdout.splitlines()
    assert lines[1].split() == ["dan", "kubectl", "30", "s", "-", "12", "0"]
    server.say_once("GET", path, page())
    assert "Nobody has used hello through the gateway yet." in run("uses", "hello").stderr


def test_get_shows_the_last_use(server: ApiServer, run: Run) -> None:
    by = {"id": "p1", "handle": "dan", "name": "dan", "client": "kubectl"}
    server.add_cluster("hello", last_used_at="2026-11-23T09:59:35Z", last_used_by=by)
    assert "30 s ago by dan with kubectl" in run("get", "hello").stdout
    server.add_cluster("quiet")
    assert "last used" not in run("get", "quiet").stdout


def test_which_requests_are_written_down_is_set_with_the_project(server: ApiServer, run: Run) -> None:
    project = {"id": "p2", "name": "search", "organization": {"id": "o1", "name": "acme"}}
    server.say_once("GET", "/projects", page(project))
    server.say_once("PATCH", "/projects/p2", Answer(200, project))
    assert run("project", "set", "acme/search", "--request-audit", "all").exit_code == 0
    assert server.asked("PATCH", "/projects/p2")[0].body == {"request_audit": "all"}
    assert run("project", "set", "acme/search", "--request-audit", "some").exit_code == 2
