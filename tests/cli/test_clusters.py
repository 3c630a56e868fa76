"""Creating, showing and deleting virtual clusters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.api_server import Answer, ApiServer, Request, problem
from tests.cli.conftest import QuickClock, Run


def test_create_sends_only_what_was_given(server: ApiServer, run: Run, home: Path) -> None:
    values = home / "values.yaml"
    values.write_text("sync: {toHost: {ingresses: {enabled: true}}}")
    result = run("create", "hello", "--size", "small", "--values", str(values), "--label", "team=tills", "--protect")
    assert result.exit_code == 0, result.output
    assert server.asked("POST", "/virtual-clusters")[0].body == {
        "name": "hello",
        "project": "acme/payments",
        "spec": {"size": "small", "values": {"sync": {"toHost": {"ingresses": {"enabled": True}}}}},
        "labels": {"team": "tills"},
        "deletion_protection": True,
    }
    assert result.stdout == "hello is being created in acme/payments.\n"
    assert "marina op watch" in result.stderr


def test_create_reads_values_from_standard_input(server: ApiServer, run: Run) -> None:
    assert run("create", "hello", "--values", "-", stdin="a: 1\n").exit_code == 0
    assert server.asked("POST", "/virtual-clusters")[0].body["spec"] == {"values": {"a": 1}}


@pytest.mark.parametrize(
    "arguments",
    [("--values", "absent.yaml"), ("--values", "-"), ("--label", "nothing"), ("--timeout", "soon"), ("--size",)],
)
def test_what_cannot_be_used_is_exit_code_2_and_nothing_is_sent(
    server: ApiServer, run: Run, arguments: tuple[str, ...]
) -> None:
    assert run("create", "hello", *arguments, stdin="[1, 2]").exit_code == 2
    assert not server.asked("POST", "/")


def test_create_wait_prints_one_line_for_each_change_and_then_the_result(server: ApiServer, run: Run) -> None:
    server.polls_needed = 3
    result = run("create", "hello", "--wait")
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[:4] == [
        "Choose a host: done (2.0 s)",
        "Install the release: It takes 1 s so far.",
        "Install the release: done (2.0 s)",
        "Wait for the API server: It takes 2 s so far.",
    ]
    assert result.stdout.startswith("hello is Ready after")


def test_a_number_that_only_goes_up_is_no_new_line(server: ApiServer, run: Run) -> None:
    server.polls_needed = 8
    result = run("create", "hello", "--wait")
    assert result.stderr.count("Wait for the API server: It takes") == 1


def test_create_wait_with_json_prints_the_finished_cluster_and_nothing_else(server: ApiServer, run: Run) -> None:
    result = run("create", "hello", "--wait", "-o", "json")
    assert json.loads(result.stdout)["phase"] == "Ready"


def test_a_failed_provision_says_where_and_why_and_is_exit_code_1(server: ApiServer, run: Run) -> None:
    server.outcome = "Failed"
    result = run("create", "hello", "--wait")
    assert result.exit_code == 1
    assert "provision of hello failed at “Wait for the API server”: exceeded quota: q" in result.stderr
    assert "Choose a smaller size. Try it again with `marina op retry" in result.stderr


def test_waiting_too_long_is_exit_code_7_and_says_that_the_work_goes_on(server: ApiServer, run: Run) -> None:
    server.polls_needed = 10_000
    result = run("create", "hello", "--wait", "--timeout", "30s")
    assert result.exit_code == 7
    assert "the work goes on" in result.stderr
    assert "marina op watch" in result.stderr


def test_a_step_without_anything_to_do_says_why(server: ApiServer, run: Run) -> None:
    operation = server.add_operation("provision", state="Succeeded")
    operation["steps"][0].update(state="done", note="The host was chosen by hand.")
    assert "✓ Choose a host            The host was chosen by hand." in run("op", "get", operation["id"]).stdout


def test_polling_starts_quickly_and_slows_down_to_two_seconds(server: ApiServer, run: Run, clock: QuickClock) -> None:
    server.polls_needed = 30
    run("create", "hello", "--wait")
    assert clock.slept[0] == 0.3
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[-1] == 2.0


def test_a_taken_name_is_exit_code_5_with_the_hint(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    result = run("create", "hello")
    assert result.exit_code == 5
    assert result.stderr == "Error: There is a virtual cluster hello already.\nHint: Choose another name.\n"


def test_a_refusal_names_the_field_and_what_would_be_accepted(server: ApiServer, run: Run) -> None:
    errors = [{"field": "spec.size", "message": "There is no size huge.", "accepted": "small, medium, large"}]
    server.say_once("POST", "/virtual-clusters", problem(400, "The request is not valid.", errors=errors))
    result = run("create", "hello", "--size", "huge")
    assert result.exit_code == 1
    assert "  spec.size: There is no size huge. Accepted: small, medium, large" in result.stderr.splitlines()


def test_a_sentence_is_not_said_twice(server: ApiServer, run: Run) -> None:
    errors = [{"field": "spec.size", "message": "There is no size huge.", "accepted": "small"}]
    server.say_once("POST", "/virtual-clusters", problem(400, "There is no size huge.", errors=errors))
    result = run("create", "hello", "--size", "huge")
    assert result.stderr == "Error: There is no size huge.\n  Field spec.size. Accepted: small\n"


def test_an_inner_error_tells_the_request_id(server: ApiServer, run: Run) -> None:
    answer = problem(500, "Marina failed to answer.", hint="Tell the platform team.", request_id="r-17")
    server.say_once("GET", "/virtual-clusters", answer)
    result = run("list")
    assert result.exit_code == 1
    assert "Hint: Tell the platform team. The request id is r-17." in result.stderr


def test_list_shows_every_page_and_never_follows_a_link_elsewhere(server: ApiServer, run: Run) -> None:
    for index in range(7):
        server.add_cluster(f"c{index}")
    result = run("list")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NAME", "PROJECT", "PHASE", "VERSION", "UPGRADE", "HOST", "OWNER", "AGE"]
    assert lines[1].split() == ["c0", "acme/payments", "Ready", "1.36.3", "-", "harbor-east", "tills", "5", "s"]
    assert len(lines) == 8
    assert "ENDPOINT" in run("list", "-o", "wide").stdout
    assert run("list", "-o", "name").stdout.split() == [f"c{index}" for index in range(7)]
    assert [item["name"] for item in yaml.safe_load(run("list", "-o", "yaml").stdout)][-1] == "c6"
    assert json.loads(run("list", "-o", "json").stdout)[0]["placement"]["namespace"] == "marina-c0-1a2b"


def test_an_empty_list_says_what_to_do_next(run: Run) -> None:
    result = run("list")
    assert result.stdout == ""
    assert "marina create NAME" in result.stderr


def test_what_another_tenant_wrote_cannot_steer_the_terminal(server: ApiServer, run: Run) -> None:
    nasty = "\x1b]0;owned\x07\u202esdrawkcab"
    conditions = [{"type": "Ready", "status": "False", "message": nasty, "last_transition_time": None}]
    server.add_cluster("hello", conditions=conditions, labels={"a": nasty}, phase="Failed")
    for arguments in (("list", "-o", "wide"), ("get", "hello")):
        output = run(*arguments).output
        assert not {"\x1b", "\x07", "\u202e"} & set(output)


def test_the_end_of_a_lifetime_is_told(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello", expires_at="2026-12-24T10:00:00Z")
    assert "lives until 2026-12-24" in " ".join(run("get", "hello").stdout.split())
    assert "LIVES UNTIL" in run("list", "-o", "wide").stdout
    assert "LIVES UNTIL" not in run("list").stdout


def test_get_tells_conditions_in_words_endpoint_and_newest_operation(server: ApiServer, run: Run) -> None:
    operation = server.add_operation("provision", state="Processing", message="The pod hello-0 is starting.")
    operation["steps"][0].update(state="done", started_at="2026-11-23T10:00:00Z", finished_at="2026-11-23T10:00:02Z")
    operation["steps"][1].update(state="current", started_at="2026-11-23T10:00:02Z")
    conditions = [
        {"type": "Ready", "status": "False", "message": "The API server does not answer yet.", "reason": "Starting"}
    ]
    stable = "https://gateway.example.org/v1/clusters/0199"
    server.add_cluster("hello", phase="Provisioning", operation=operation, conditions=conditions, gateway_url=stable)
    output = run("get", "hello").stdout
    assert stable in output
    assert "https://hello.example.org" in output
    assert "harbor-east, namespace marina-hello-1a2b" in output
    assert "The API server does not answer yet." in output
    assert "✓ Choose a host            2.0 s" in output
    assert "◐ Install the release      3 s  The pod hello-0 is starting." in output
    assert "· Wait for the API server" in output


def test_an_unknown_name_is_exit_code_4(run: Run) -> None:
    result = run("get", "nothing")
    assert result.exit_code == 4
    assert "There is no virtual cluster 'nothing' in acme/payments." in result.stderr


def test_a_deleted_cluster_of_the_same_name_is_not_meant(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello", phase="Deleted")
    assert run("get", "hello").exit_code == 4
    alive = server.add_cluster("hello")
    assert json.loads(run("get", "hello", "-o", "json").stdout)["id"] == alive["id"]


def test_a_protected_cluster_is_deleted_only_after_unprotect(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    assert run("protect", "hello").stdout == "hello is protected: it cannot be deleted.\n"
    refused = run("delete", "hello", "--yes")
    assert refused.exit_code == 5
    assert "Unprotect it first." in refused.stderr
    assert run("unprotect", "hello").exit_code == 0
    assert run("delete", "hello", "--yes", "--wait").stdout == "hello is deleted.\n"


def test_operations_are_listed_shown_retried_and_aborted(server: ApiServer, run: Run) -> None:
    error = {"code": "quota", "message": "exceeded quota: q", "hint": ""}
    events = [{"time": "2026-11-23T10:00:01Z", "step": "s1", "level": "error", "text": "FailedCreate: exceeded"}]
    subject = {"id": "c1", "name": "hello"}
    operation = server.add_operation("provision", state="Failed", virtual_cluster=subject, error=error, events=events)
    assert run("op", "list").stdout.splitlines()[1].split()[1:5] == ["provision", "hello", "Failed", "0/3"]
    shown = run("op", "get", operation["id"]).stdout
    assert "exceeded quota: q" in shown
    assert "FailedCreate: exceeded" in shown
    assert run("op", "watch", operation["id"]).exit_code == 1
    assert run("op", "retry", operation["id"], "--wait").stdout == "The operation succeeded.\n"
    assert run("op", "abort", operation["id"]).stdout == "The operation is aborted.\n"
    assert run("op", "watch", "nothing").exit_code == 4
    assert all(request.headers["idempotency-key"] for request in server.asked("POST", "/operations"))


def test_the_newest_operation_of_a_cluster_is_meant_by_its_name(server: ApiServer, run: Run) -> None:
    subject = {"id": server.add_cluster("hello")["id"], "name": "hello"}
    server.add_operation("provision", state="Succeeded", virtual_cluster=subject)
    newest = server.add_operation("configure", state="Failed", virtual_cluster=subject)
    assert "configure" in run("op", "get", "hello").stdout
    assert run("op", "retry", "hello", "--wait").stdout == "The operation succeeded.\n"
    assert run("op", "abort", "hello").stdout == "The operation is aborted.\n"
    assert {request.path.split("/")[-2] for request in server.asked("POST", "/operations")} == {newest["id"]}
    assert run("op", "abort", "nothing").exit_code == 4


def test_op_list_asks_for_the_operations_of_one_cluster(server: ApiServer, run: Run) -> None:
    cluster = server.add_cluster("hello")
    run("op", "list", "--cluster", "hello")
    assert server.requests[-1].query["virtual_cluster"] == cluster["id"]


def test_options_show_versions_and_sizes(run: Run) -> None:
    output = run("options").stdout
    assert "1.36.3 (default), 1.35.4" in output
    assert "2 CPU, 4Gi" in output
    assert "holds 60 min unless asked for 10 min to 24 h" in output


def test_delete_and_wait_prints_the_cluster_as_it_is_afterwards(server: ApiServer, run: Run) -> None:
    server.add_cluster("hello")
    printed = json.loads(run("delete", "hello", "--yes", "--wait", "-o", "json").stdout)
    assert printed["phase"] == "Deleted"
    assert printed["operation"]["state"] == "Succeeded"


def test_create_of_an_unpublished_cluster_says_how_to_go_on(server: ApiServer, run: Run) -> None:
    def unpublished(request: Request) -> Answer | None:
        for item in server.clusters.values():
            item["placement"]["endpoint"] = ""
        return None

    server.scripted.append(unpublished)
    result = run("create", "hello", "--wait")
    assert result.exit_code == 0, result.output
    assert "--merge" not in result.stderr
    assert "hello has no published address: its exposure is None." in result.stderr
    assert "kubectl --context HOST -n marina-hello-1a2b port-forward pod/hello-0 8443" in result.stderr


def test_op_watch_with_a_name_follows_the_newest_operation_of_that_cluster(server: ApiServer, run: Run) -> None:
    cluster = server.add_cluster("hello")
    of = {"id": cluster["id"], "name": "hello"}
    server.add_operation("provision", state="Failed", virtual_cluster=of)
    newest = server.add_operation("update", virtual_cluster=of)
    server.add_operation("provision")
    assert run("op", "watch", "hello", "-o", "name").stdout == f"{newest['id']}\n"


def test_an_empty_list_of_somebody_without_a_project_does_not_tell_to_create(server: ApiServer, run: Run) -> None:
    server.projects.clear()
    result = run("list")
    assert "that you may see" in result.stderr
    assert "marina create" not in result.stderr


def test_help_names_phases_and_exit_codes(run: Run) -> None:
    assert "FallingAsleep" in run("list", "--help").stdout
    assert "130 stopped by Ctrl-C" in " ".join(run("--help").stdout.split())
