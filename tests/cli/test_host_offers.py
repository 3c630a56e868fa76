"""Offering hosts and regions, wishing for a host, and asking where a virtual cluster would go."""

from __future__ import annotations

import json
from pathlib import Path

from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer
from tests.cli.conftest import Run

NOBODY: Json = {"all": False, "organizations": [], "projects": []}


def patched(server: ApiServer) -> Json:
    body: Json = server.asked("PATCH", "/host-clusters")[-1].body
    return body


def region(name: str, to: str, number: int = 1) -> Json:
    organization, _, project = to.partition("/")
    owner = {"id": "o1", "name": organization}
    named: Json = {"organization": owner, "project": None}
    if project:
        named = {"organization": None, "project": {"id": "p1", "name": project, "organization": owner}}
    return {"id": f"offer-{number}", "region": name, "hosts": number, **named}


def listed(server: ApiServer, *offers: Json) -> None:
    server.say_once("GET", "/region-offers", Answer(body={"next": None, "previous": None, "results": list(offers)}))


def test_a_host_is_offered_to_more_without_losing_those_who_have_it(server: ApiServer, run: Run) -> None:
    server.add_host("east", offered_to={**NOBODY, "organizations": ["acme"]})
    result = run("host", "offer", "east", "--to", "globex", "--to", "acme", "--to", "acme/payments")
    assert result.exit_code == 0, result.output
    offered = {"organizations": ["acme", "globex"], "projects": ["acme/payments"]}
    assert patched(server) == {"offered_to": offered}
    assert result.stdout == "east is now offered to acme, globex, acme/payments.\n"


def test_a_host_is_offered_to_everybody_and_withdrawn(server: ApiServer, run: Run) -> None:
    server.add_host("east", offered_to={**NOBODY, "organizations": ["acme", "globex"]})
    run("host", "offer", "east", "--to-all")
    assert patched(server) == {"offered_to": {"all": True}}
    server.hosts.clear()
    server.add_host("east", offered_to={**NOBODY, "organizations": ["acme", "globex"]})
    assert run("host", "withdraw", "east", "--from", "globex").exit_code == 0
    assert patched(server) == {"offered_to": {"organizations": ["acme"]}}
    assert run("host", "withdraw", "east", "--from-all").stdout == "east is now offered to nobody.\n"
    assert patched(server) == {"offered_to": NOBODY}


def test_who_does_not_look_after_a_host_is_told_who_does(server: ApiServer, run: Run) -> None:
    server.add_host("east", offered_to=None)
    result = run("host", "offer", "east", "--to", "acme")
    assert result.exit_code == 1
    assert "platform staff" in result.stderr
    assert not server.asked("PATCH", "/")


def test_whom_a_host_is_offered_to_is_shown_with_those_of_its_region(server: ApiServer, run: Run) -> None:
    server.add_host("east", offered_to={**NOBODY, "organizations": ["globex"]}, offered_by_region=["acme/payments"])
    shown = [line.split(maxsplit=2) for line in run("host", "get", "east").stdout.splitlines()]
    assert ["offered", "to", "globex, acme/payments by its region"] in shown


def test_a_region_is_offered_to_each_that_is_named(server: ApiServer, run: Run) -> None:
    server.say_once("POST", "/region-offers", Answer(201, region("eu-west", "acme", 2)))
    server.say_once("POST", "/region-offers", Answer(201, {**region("eu-west", "acme/payments"), "hosts": 0}))
    result = run("host", "offer", "--region", "eu-west", "--to", "acme", "--to", "acme/payments")
    assert result.exit_code == 0, result.output
    assert [request.body for request in server.asked("POST", "/region-offers")] == [
        {"region": "eu-west", "organization": "acme"},
        {"region": "eu-west", "project": "acme/payments"},
    ]
    assert result.stdout.splitlines() == [
        "Every host of the platform in eu-west is offered to acme (2 hosts now).",
        "Every host of the platform in eu-west is offered to acme/payments (no host is there yet).",
    ]


def test_offers_of_regions_are_listed_and_withdrawn(server: ApiServer, run: Run) -> None:
    offers = (region("eu-west", "acme", 2), region("eu-west", "acme/payments", 1))
    listed(server, *offers)
    lines = run("host", "offers").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["eu-west", "acme", "2"], ["eu-west", "acme/payments", "1"]]
    listed(server, *offers)
    server.say_once("DELETE", "/region-offers/offer-1", Answer(204))
    result = run("host", "withdraw", "--region", "eu-west", "--from", "acme/payments")
    assert result.stdout == "eu-west is no longer offered to acme/payments.\n"
    assert len(server.asked("DELETE", "/region-offers")) == 1
    listed(server, *offers)
    missing = run("host", "withdraw", "--region", "eu-west", "--from", "globex")
    assert (missing.exit_code, "not offered to globex" in missing.stderr) == (4, True)


def test_a_host_and_a_region_at_once_or_nobody_named_is_a_wrong_command_line(server: ApiServer, run: Run) -> None:
    for arguments in (
        ("offer", "--to", "acme"),
        ("offer", "east", "--region", "eu", "--to", "acme"),
        ("offer", "east"),
        ("offer", "east", "--to", "acme", "--to-all"),
        ("offer", "--region", "eu", "--to-all"),
        ("withdraw", "east"),
    ):
        assert run("host", *arguments).exit_code == 2, arguments
    assert not server.requests


def test_a_host_is_connected_for_nobody_where_that_is_said(server: ApiServer, run: Run, home: Path) -> None:
    (home / "host.yaml").write_text("kind: Config\n")
    connect = ("host", "connect", "east", "--kubeconfig", str(home / "host.yaml"))
    run(*connect, "--offer-to-nobody")
    assert server.asked("POST", "/host-clusters")[0].body["offered_to"] == {"all": False}
    assert run(*connect, "--offer-to-nobody", "--offer-to", "acme").exit_code == 2


def test_region_and_host_labels_go_along_with_create(server: ApiServer, run: Run) -> None:
    assert (
        run("create", "hello", "--region", "eu-west", "--host-label", "gpu=true", "--host-label", "tier=").exit_code
        == 0
    )
    spec = server.asked("POST", "/virtual-clusters")[0].body["spec"]
    assert spec == {"region": "eu-west", "host_labels": {"gpu": "true", "tier": ""}}
    refused = run("create", "hello", "--host-label", "gpu")
    assert (refused.exit_code, "--host-label" in refused.stderr) == (2, True)


def test_explain_tells_each_host_with_its_reason_and_creates_nothing(server: ApiServer, run: Run) -> None:
    preview = {
        "message": "harbor-east: most free (14 of 16 CPU).",
        "candidates": [
            {"host": {"id": "h1", "name": "harbor-east"}, "why": "14 of 16 CPU free."},
            {"host": {"id": "h2", "name": "harbor-north"}, "why": "9 of 16 CPU free."},
        ],
        "left_out": [{"host": {"id": "h3", "name": "harbor-west"}, "why": "It is cordoned: it takes nothing new."}],
    }
    server.say_once("POST", "/virtual-clusters/placement-preview", Answer(body=preview))
    result = run("create", "hello", "--explain", "--size", "small", "--region", "eu-west")
    assert result.exit_code == 0, result.output
    assert server.asked("POST", "/virtual-clusters/placement-preview")[0].body == {
        "project": "acme/payments",
        "spec": {"size": "small", "region": "eu-west"},
    }
    lines = result.stdout.splitlines()
    assert lines[0] == "hello would go to harbor-east."
    assert [line.split(maxsplit=2) for line in lines[2:]] == [
        ["harbor-east", "first", "14 of 16 CPU free."],
        ["harbor-north", "yes", "9 of 16 CPU free."],
        ["harbor-west", "no", "It is cordoned: it takes nothing new."],
    ]
    assert not server.clusters
    server.say_once("POST", "/virtual-clusters/placement-preview", Answer(body=preview))
    assert json.loads(run("create", "hello", "--explain", "-o", "json").stdout) == preview


def test_explain_exits_with_1_where_no_host_can_take_it(server: ApiServer, run: Run) -> None:
    said = "No host cluster can take it. No host cluster is offered to this project."
    answer = Answer(body={"message": said, "candidates": [], "left_out": []})
    server.say_once("POST", "/virtual-clusters/placement-preview", answer)
    result = run("create", "hello", "--explain")
    assert (result.exit_code, result.stdout) == (1, "No host can take hello.\n")
    assert said in result.stderr


def test_get_shows_why_its_host_was_chosen_and_what_was_wanted(server: ApiServer, run: Run) -> None:
    placement = {"host": {"id": "h1", "name": "harbor-east"}, "namespace": "n", "why": "harbor-east: most free."}
    server.add_cluster("hello", placement=placement, spec={"region": "eu-west", "host_labels": {"gpu": "true"}})
    shown = run("get", "hello").stdout
    assert "harbor-east: most free." in shown
    assert "region eu-west, hosts with gpu=true" in shown
