"""Sharing, giving away, joining, inviting and breaking the glass from the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from marina_cli.durations import minute

from tests.cli.api_server import Answer, ApiServer, problem
from tests.cli.conftest import Run

ANA = {"user": {"id": "u2", "handle": "ana"}, "team": None, "service_account": None}
CI = {"user": None, "team": None, "service_account": {"id": "s1", "name": "ci"}}


def page(*items: dict[str, Any]) -> Answer:
    return Answer(body={"next": None, "previous": None, "results": list(items)})


def shares_path(server: ApiServer) -> str:
    return f"/virtual-clusters/{server.add_cluster('hello')['id']}/shares"


def test_share_sends_who_which_role_and_for_how_long(server: ApiServer, run: Run) -> None:
    path = shares_path(server)
    server.say_once(
        "POST", path, Answer(201, {"id": "b1", **ANA, "role": "viewer", "expires_at": "2026-12-03T10:00:05.123456Z"})
    )
    result = run("share", "hello", "--with", "ana", "--role", "viewer", "--for", "7d")
    assert result.exit_code == 0, result.output
    assert server.asked("POST", path)[0].body == {"user": "ana", "role": "viewer", "expires_in": 604800}
    assert result.stdout == f"ana is viewer of hello until {minute('2026-12-03T10:00:05Z')}.\n"


@pytest.mark.parametrize(
    ("who", "sent"), [("team:tills", {"team": "tills"}), ("service-account:ci", {"service_account": "ci"})]
)
def test_share_takes_teams_and_service_accounts(server: ApiServer, run: Run, who: str, sent: dict[str, str]) -> None:
    path = shares_path(server)
    server.say_once("POST", path, Answer(201, {"id": "b1", "role": "developer"}))
    assert run("share", "hello", "--with", who, "--role", "developer").exit_code == 0
    assert server.asked("POST", path)[0].body == {**sent, "role": "developer"}
    assert run("share", "hello", "--with", "king:x").exit_code == 2


def test_shares_lists_and_unshare_takes_away_what_somebody_has(server: ApiServer, run: Run) -> None:
    path = shares_path(server)
    listed = page({"id": "b1", **ANA, "role": "viewer"}, {"id": "b2", **CI, "role": "developer"})
    server.say_once("GET", path, listed)
    shown = run("shares", "hello").stdout
    assert "ana" in shown
    assert "service-account:ci" in shown
    server.say_once("GET", path, listed)
    server.say_once("DELETE", f"{path}/b2", Answer(204))
    result = run("unshare", "hello", "--with", "service-account:ci")
    assert result.stdout == "service-account:ci is no longer developer of hello.\n"
    server.say_once("GET", path, page())
    assert run("unshare", "hello", "--with", "nobody").exit_code == 4


def test_who_is_in_no_project_finds_what_was_shared_with_them_by_its_name(server: ApiServer, run: Run) -> None:
    item = server.add_cluster("hello")
    project = server.projects.pop()
    assert json.loads(run("get", "hello", "-o", "json").stdout)["id"] == item["id"]
    missing = run("get", "other")
    assert missing.exit_code == 4
    assert "marina project list --joinable" in missing.stderr
    server.projects.append(project)
    server.add_cluster("hello")
    server.projects.clear()
    assert run("get", "hello").exit_code == 2


def test_transfer_says_to_whom_and_where_it_goes(server: ApiServer, run: Run) -> None:
    item = server.add_cluster("hello")
    path = f"/virtual-clusters/{item['id']}/transfer"
    last = server.add_operation("provision")
    given = {**item, "owner": {"kind": "user", "id": "u2", "name": "ana"}, "operation": last}
    server.say_once("POST", path, Answer(200, given))
    result = run("transfer", "hello", "--owner", "ana")
    assert result.stdout == "hello of acme/payments belongs to ana.\n"
    assert "op watch" not in result.stderr, "nothing was started: its last operation is another one's"
    assert server.asked("POST", path)[0].body == {"owner": "ana"}
    operation = server.add_operation("configure")
    server.say_once("POST", path, Answer(202, {"operation": operation, "virtual_cluster": item}))
    moved = run("transfer", "hello", "--to-project", "acme/search")
    assert server.asked("POST", path)[1].body == {"project": "acme/search"}
    assert "marina op watch" in moved.stderr
    assert run("transfer", "hello").exit_code == 2


def test_create_names_an_owner_and_a_lifetime(server: ApiServer, run: Run) -> None:
    assert run("create", "hello", "--owner", "team:tills", "--lifetime", "2d").exit_code == 0
    body = server.asked("POST", "/virtual-clusters")[0].body
    assert (body["owner"], body["lifetime"]) == ("team:tills", 172800)


def test_ceiling_is_sent_and_get_shows_it_with_who_broke_the_glass(server: ApiServer, run: Run) -> None:
    grant = {"id": "g1", "who": {"id": "u9", "handle": "op"}, "role": "viewer", "until": "12:00", "reason": "OPS-17"}
    item = server.add_cluster("hello", break_glass=[grant])
    assert run("ceiling", "hello", "view").stdout == "The ceiling of hello is view.\n"
    assert server.clusters[item["id"]]["kubeconfig_ceiling"] == "view"
    shown = run("get", "hello").stdout
    assert "op of the platform staff is viewer until 12:00: OPS-17" in shown
    assert "ceiling" in shown


def test_break_glass_needs_an_id_and_a_reason(server: ApiServer, run: Run) -> None:
    item = server.add_cluster("hello")
    path = f"/virtual-clusters/{item['id']}/break-glass"
    assert run("break-glass", "hello", "--reason", "OPS-17: stuck").exit_code == 2
    assert run("break-glass", item["id"]).exit_code == 2
    server.say_once("POST", path, Answer(201, {"id": "g1", "role": "viewer", "until": "12:00"}))
    result = run("break-glass", item["id"], "--reason", "OPS-17: stuck", "--for", "45m")
    assert result.stdout == "You are viewer of the cluster until 12:00.\n"
    assert server.asked("POST", path)[0].body == {"reason": "OPS-17: stuck", "minutes": 45, "role": "viewer"}


def test_break_glass_is_ended_early(server: ApiServer, run: Run) -> None:
    item = server.add_cluster("hello")
    path = f"/virtual-clusters/{item['id']}/break-glass"
    server.say_once("GET", path, page({"id": "g1", "who": {"id": "u9", "handle": "op"}}))
    server.say_once("DELETE", f"{path}/g1", Answer(204))
    assert run("break-glass", item["id"], "--end").stdout == "op is out of the cluster.\n"
    server.say_once("GET", path, page())
    assert run("break-glass", item["id"], "--end").exit_code == 4


def test_project_join_asks_and_accept_takes_in(server: ApiServer, run: Run) -> None:
    project = {"id": "p2", "name": "search", "organization": {"id": "o1", "name": "acme"}}
    server.say_once("GET", "/projects/joinable", page(project))
    server.say_once("POST", "/projects/p2/join-requests", Answer(201, {"id": "j1", "project": project}))
    asked = run("project", "join", "acme/search", "-m", "please")
    assert asked.stdout == "The admins of acme/search were told that you ask to join.\n"
    assert server.asked("POST", "/projects/p2")[0].body == {"message": "please"}
    request = {"id": "j1", "user": {"id": "u2", "handle": "ana"}, "project": project, "state": "open"}
    server.say_once("GET", "/join-requests", page(request))
    assert "ana" in run("project", "requests").stdout
    server.say_once("POST", "/join-requests/j1/accept", Answer(200, request))
    assert run("project", "accept", "j1").stdout == "ana is developer of acme/search.\n"
    server.say_once("POST", "/join-requests/j1/decline", Answer(200, request))
    assert run("project", "decline", "j1").stdout == "The request of ana to join acme/search was declined.\n"
    server.say_once("GET", "/projects/joinable", page())
    assert run("project", "join", "acme/nil").exit_code == 4


def test_project_create_and_set_send_what_was_given(server: ApiServer, run: Run) -> None:
    project = {"id": "p2", "name": "search", "organization": {"id": "o1", "name": "acme"}}
    server.say_once("POST", "/projects", Answer(201, project))
    assert run("project", "create", "acme/search").stdout == "acme/search is there.\n"
    assert server.asked("POST", "/projects")[0].body == {"organization": "acme", "name": "search"}
    server.say_once("GET", "/projects", page(project))
    server.say_once("PATCH", "/projects/p2", Answer(200, project))
    assert run("project", "set", "acme/search", "--clusters", "none", "--kubeconfig-ceiling", "view").exit_code == 0
    assert server.asked("PATCH", "/projects/p2")[0].body == {"kubeconfig_ceiling": "view", "cluster_limit": None}
    server.requests.clear()
    server.say_once("GET", "/projects", page(project))
    server.say_once("PATCH", "/projects/p2", Answer(200, project))
    assert run("project", "set", "acme/search", "--direct-kubeconfigs", "off").exit_code == 0
    assert server.asked("PATCH", "/projects/p2")[0].body == {"direct_kubeconfigs": False}
    assert run("project", "set", "acme/search").exit_code == 2
    assert run("project", "set", "acme/search", "--clusters", "many").exit_code == 2


def test_invite_prints_the_link_alone_on_standard_output(server: ApiServer, run: Run) -> None:
    link = "https://marina.example.org/invitations/secret"
    project = {"id": "p1", "name": "payments", "organization": {"id": "o1", "name": "acme"}}
    server.say_once("POST", "/invitations", Answer(201, {"id": "i1", "project": project, "link": link}))
    result = run("invite", "--project", "acme/payments", "--role", "developer", "--for", "7d")
    assert result.stdout == f"{link}\n"
    assert server.asked("POST", "/invitations")[0].body == {
        "project": "acme/payments",
        "role": "developer",
        "expires_in": 604800,
    }
    assert run("invite", "--role", "developer").exit_code == 2


def test_invite_and_resend_say_whether_a_mail_goes_out(server: ApiServer, run: Run) -> None:
    link = "https://marina.example.org/invitations/secret"
    item = {"id": "i1", "organization": {"name": "acme"}, "email": "ana@example.org", "link": link}
    server.say_once("POST", "/invitations", Answer(201, {**item, "mail": {"state": "pending", "error": ""}}))
    sent = run("invite", "--organization", "acme", "--role", "member", "--email", "ana@example.org")
    assert sent.stdout == f"{link}\n"
    assert "being mailed to ana@example.org" in sent.stderr
    off = {"state": "skipped", "error": "This installation sends no mail: hand the link over yourself."}
    server.say_once("POST", "/invitations/i1/resend", Answer(200, {**item, "mail": off}))
    again = run("invitation", "resend", "i1", "--for", "1d")
    assert again.stdout == f"{link}\n"
    assert "was not mailed. This installation sends no mail" in again.stderr
    assert server.asked("POST", "/invitations/i1/resend")[0].body == {"expires_in": 86400}
    failed = {"state": "failed", "error": "The mail server refused the recipient (550)."}
    server.say_once("GET", "/invitations/i1", Answer(200, {**item, "mail": failed}))
    assert "refused the recipient" in run("invitation", "get", "i1").stdout


def test_an_invitation_is_listed_revoked_and_accepted(server: ApiServer, run: Run) -> None:
    item = {"id": "i1", "organization": {"id": "o1", "name": "acme"}, "project": None, "role": "member"}
    server.say_once("GET", "/invitations", page(item))
    assert "member" in run("invitation", "list").stdout
    server.say_once("DELETE", "/invitations/i1", Answer(204))
    assert run("invitation", "revoke", "i1").exit_code == 0
    server.say_once("POST", "/invitations/accept", Answer(200, item))
    accepted = run("invitation", "accept", "-", stdin="https://marina.example.org/invitations/secret\n")
    assert accepted.stdout == "You are member of acme.\n"
    assert server.asked("POST", "/invitations/accept")[0].body == {"token": "secret"}
    server.say_once("POST", "/invitations/accept", problem(410, "This invitation is used."))
    assert "This invitation is used." in run("invitation", "accept", "secret").stderr


def test_organization_set_sends_what_was_given(server: ApiServer, run: Run) -> None:
    server.say_once("GET", "/organizations", page({"id": "o1", "name": "acme"}))
    server.say_once("PATCH", "/organizations/o1", Answer(200, {"id": "o1", "name": "acme", "member_projects": 5}))
    result = run("organization", "set", "acme", "--no-personal-projects", "--member-projects", "5")
    assert result.exit_code == 0, result.output
    assert server.asked("PATCH", "/organizations/o1")[0].body == {"personal_projects": False, "member_projects": 5}
    assert run("organization", "set", "acme").exit_code == 2
