"""The inbox and webhooks on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Run
from tests.cli.notice_server import NoticeServer


@pytest.fixture
def server() -> Iterator[NoticeServer]:
    with NoticeServer() as running:
        yield running


# --- inbox ------------------------------------------------------------------------------------------------------------


def test_the_inbox_shows_what_is_new_and_with_all_what_was_read(server: NoticeServer, run: Run) -> None:
    server.add_notice("The quota is too small.")
    server.add_notice("An old story.", read=True)
    shown = run("inbox").stdout
    assert "The quota is too small." in shown
    assert "hello" in shown
    assert "An old story." not in shown
    texts = [each["text"] for each in json.loads(run("inbox", "--all", "-o", "json").stdout)]
    assert texts == ["The quota is too small.", "An old story."]


def test_an_empty_inbox_is_a_sentence(server: NoticeServer, run: Run) -> None:
    assert "There is nothing new." in run("inbox").stderr
    assert "Your inbox is empty." in run("inbox", "--all").stderr


def test_one_is_read_with_its_next_step_and_all_are_marked_at_once(server: NoticeServer, run: Run) -> None:
    one = server.add_notice("It failed.", command="marina op retry 1")
    server.add_notice("It failed again.")
    result = run("inbox", "get", one["id"])
    assert result.stdout == "It failed.\n"
    assert "Next: marina op retry 1" in result.stderr
    assert one["read"] is True
    assert run("inbox", "read").stdout == "1 marked as read.\n"
    assert run("inbox", "read").stdout == "There was nothing new.\n"
    assert run("inbox", "read", one["id"]).stdout == "1 marked as read.\n"
    assert run("inbox", "read", "nothing").exit_code == 4


def test_channels_are_switched_by_kind(server: NoticeServer, run: Run) -> None:
    assert "operation-failed" in run("inbox", "preferences").stdout
    result = run("inbox", "prefer", "operation-failed", "mail", "off")
    assert result.stdout == "operation-failed: inbox on, mail off.\n"
    assert server.preferences["operation-failed"] == {"inbox": True, "mail": False}
    assert run("inbox", "prefer", "weather", "mail", "off").exit_code == 4
    assert run("inbox", "prefer", "operation-failed", "pigeon", "off").exit_code == 2
    assert run("inbox", "prefer", "../me", "mail", "off").exit_code == 2


# --- webhooks ---------------------------------------------------------------------------------------------------------


def test_making_one_prints_the_secret_alone_on_stdout(server: NoticeServer, run: Run) -> None:
    result = run("webhook", "create", "https://hooks.example.org/x", "--organization", "acme", "--event", "role.*")
    assert result.stdout == "whsec_new\n"
    assert "shown this once" in result.stderr
    (asked,) = server.asked("POST", "/webhooks")
    assert asked.body == {
        "url": "https://hooks.example.org/x",
        "events": ["role.*"],
        "description": "",
        "organization": "acme",
    }
    assert "idempotency-key" not in asked.headers, "an answer with a secret is kept nowhere"


def test_making_one_takes_an_organization_or_a_project(server: NoticeServer, run: Run) -> None:
    for more in ((), ("--organization", "acme", "--project", "acme/payments")):
        assert run("webhook", "create", "https://hooks.example.org/x", *more).exit_code == 2
    assert run("webhook", "create", "https://hooks.example.org/x", "-p", "acme/payments").exit_code == 0
    assert server.asked("POST", "/webhooks")[0].body["project"] == "acme/payments"


def test_a_lost_answer_makes_no_second_webhook(server: NoticeServer, run: Run) -> None:
    server.lose_answer("POST", "/webhooks")
    assert run("webhook", "create", "https://hooks.example.org/x", "--organization", "acme").exit_code == 6
    assert len(server.asked("POST", "/webhooks")) == 1


def test_they_are_listed_shown_changed_and_deleted(server: NoticeServer, run: Run) -> None:
    assert "There is no webhook" in run("webhook", "list").stderr
    item = server.add_webhook(description="Chat", failing_since="2026-11-23T09:00:00Z")
    listed = run("webhook", "list").stdout
    assert "failing" in listed
    assert "hooks.example.org" not in listed, "addresses of webhooks often are secrets: with wide only"
    assert "https://hooks.example.org/x" in run("webhook", "get", item["id"]).stdout
    assert run("webhook", "update", item["id"], "--event", "role.given").stdout.endswith("is changed.\n")
    assert item["events"] == ["role.given"]
    assert run("webhook", "disable", item["id"]).stdout.endswith("is off.\n")
    assert item["enabled"] is False
    assert run("webhook", "enable", item["id"]).exit_code == 0
    assert item["enabled"] is True
    assert run("webhook", "delete", item["id"]).exit_code == 0
    assert run("webhook", "get", item["id"]).exit_code == 4


def test_a_ping_waits_for_what_comes_of_it(server: NoticeServer, run: Run) -> None:
    item = server.add_webhook()
    server.outcomes = [{}, {}, {"state": "Delivered", "status": 204, "attempts": 1}]
    assert run("webhook", "ping", item["id"]).stdout == "Delivered (204).\n"


def test_a_ping_that_fails_says_why_and_exits_with_1(server: NoticeServer, run: Run) -> None:
    item = server.add_webhook()
    server.outcomes = [{"attempts": 1, "error": "The receiver answered 500.", "answer": "boom\x1b[31m"}]
    result = run("webhook", "ping", item["id"])
    assert result.exit_code == 1
    assert result.stdout == "Not delivered: The receiver answered 500.\n"
    assert "boom" in result.stderr
    assert "\x1b" not in result.stderr


def test_a_ping_that_nobody_sends_ends_with_7(server: NoticeServer, run: Run) -> None:
    item = server.add_webhook()
    server.outcomes = []
    assert run("webhook", "ping", item["id"], "--timeout", "3s").exit_code == 7


def test_deliveries_are_listed_and_sent_once_more(server: NoticeServer, run: Run) -> None:
    item = server.add_webhook()
    assert "told nothing" in run("webhook", "deliveries", item["id"]).stderr
    row = server.add_delivery(state="Failed", attempts=12, error="The receiver answered 500.", type="role.given")
    shown = run("webhook", "deliveries", item["id"], "--state", "Failed").stdout
    assert "role.given" in shown
    assert "The receiver answered 500." in shown
    assert run("webhook", "redeliver", item["id"], row["id"]).stdout == "Delivered (204).\n"


def test_a_new_secret_is_printed_alone(server: NoticeServer, run: Run) -> None:
    item = server.add_webhook()
    result = run("webhook", "rotate-secret", item["id"])
    assert result.stdout == "whsec_second\n"
    assert "The old one signs as well until" in result.stderr
