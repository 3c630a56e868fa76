"""A whole Marina tells a receiver: a ping that was asked for, and a role that was given, by its own schedules."""

from collections.abc import Callable

import pytest

from dev.demo_people import DemoPeople
from dev.stack import Stack
from dev.waiting import wait_until
from tests.accounts.receiver import Receiver
from tests.canaries import canary
from tests.commands import Marina
from tests.e2e.api import Api

pytestmark = pytest.mark.localkube


@pytest.fixture
def admin(marina_of: Callable[[str], Marina], people: DemoPeople) -> Marina:
    """The `marina` command of the organization's admin."""
    marina = marina_of("admin")
    marina.login(people.admin.handle, people.admin.password)
    return marina


def test_a_receiver_is_told_of_a_ping_and_of_what_happens(admin: Marina, people: DemoPeople, stack: Stack) -> None:
    api = Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)
    with Receiver() as receiver:
        options = ("--organization", "acme", "--event", "role.*", "-o", "json")
        made = admin("webhook", "create", receiver.url, *options).json
        canary(made["secret"], "the secret of a webhook")
        try:
            assert admin("webhook", "ping", made["id"]).stdout == "Delivered (204).\n"
            assert receiver.received[0].verified(made["secret"])["type"] == "webhook.ping"
            given = {"user": people.developer.handle, "role": "auditor", "organization": "acme"}
            binding = api("POST", "/role-bindings", given, status=201)
            api("DELETE", f"/role-bindings/{binding['id']}", status=204)

            def told() -> list[str]:
                # who belongs to an organization for the first time gets a personal project, and a role there
                events = [each.verified(made["secret"]) for each in receiver.received[1:]]
                return [event["type"] for event in events if event["data"]["object"]["id"] == binding["id"]]

            wait_until(lambda: len(told()) == 2, seconds=30, what="The events of the role did not come")
            assert told() == ["role.given", "role.taken"]
        finally:
            admin("webhook", "delete", made["id"], "--yes")
