"""The demo's journey where an earlier run with KEEP=1 was there before."""

import json
from pathlib import Path
from typing import cast

import pytest

from dev.demo_journey import Journey
from dev.demo_people import DemoPeople, Person
from dev.stack import Stack
from dev.terminal import Terminal


class FakeTerminal:
    """Answers what is there, and keeps what was typed."""

    def __init__(self, there: set[str]) -> None:
        self.there = there
        self.typed: list[str] = []

    def run(self, *command: str, **_: object) -> None:
        self.typed.append(" ".join(command))

    def ask(self, *command: str) -> str:
        if command[0] == "kubectl":
            return "".join(f"{name}\n" for name in self.there if name == "/".join(command[-5:-3]))
        cluster = {"name": "hello", "placement": {"endpoint": "https://127.0.0.1:1"}}
        return json.dumps([cluster] if command[1] == "list" else cluster)


class FakeStack:
    url = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("there", "made"),
    [
        (set(), ["namespace shop", "deployment web"]),
        ({"namespace/shop"}, ["deployment web"]),
        ({"namespace/shop", "deployment/web"}, []),
    ],
)
def test_what_an_earlier_run_made_is_not_made_again(there: set[str], made: list[str]) -> None:
    terminal = FakeTerminal(there)
    person = Person(handle="dario", role="developer", password="secret")
    people = DemoPeople(project="acme/payments", staff=person, admin=person, developer=person)
    journey = Journey(cast(Stack, FakeStack()), people, [], cast(Terminal, terminal), Path("kubectl"))
    journey.use()
    created = [line.split(" create ")[1] for line in terminal.typed if " create " in line]
    assert [" ".join(line.split()[:2]) for line in created] == made
