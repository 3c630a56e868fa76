"""Logs tell which operation, step, host and organization a line is about, and never a credential."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from localkube import LocalHost
from tests.faults.conftest import LEDGER_HOST, LEDGER_TOKEN
from tests.faults.system import System
from tests.faults.waiting import until

Line = dict[str, Any]


def lines_of(*logs: Path) -> Iterator[Line]:
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def test_the_lines_of_an_operation_say_what_they_are_about(drills: System) -> None:
    operation = drills.create("told-in-the-log", LEDGER_HOST)
    (row,) = drills.ended([operation])
    mine: list[Line] = []

    def told() -> bool:
        mine[:] = [line for line in lines_of(*drills.logs) if line.get("operation") == operation]
        return any(line["event"] == "operation ended" for line in mine)

    until(told, "its end is not in the log")
    (end,) = [line for line in mine if line["event"] == "operation ended"]
    assert (end["kind"], end["step"], end["host"]) == ("provision", "third", LEDGER_HOST)
    assert end["organization"] == str(row["organization_id"])
    assert end["state"] == "Succeeded"


def secrets_of(system: System) -> dict[str, str]:
    """Every credential of a system, by what it is."""
    environment = system.stack.environment
    return {
        **{f"person {index}": secret for index, secret in enumerate(system.credentials)},
        "Django's secret key": environment["DJANGO_SECRET_KEY"],
        "encryption key": environment["MARINA_ENCRYPTION_KEYS"],
        "password of the broker": environment["BROKER_URL"].partition("@")[0].rpartition(":")[2],
    }


def test_no_log_of_any_process_holds_a_credential(drills: System) -> None:
    drills.servers.valkey_stop()  # its address has a password in it
    operation = drills.create("while-it-is-away", LEDGER_HOST)
    drills.servers.valkey_start()
    drills.ended([operation])
    secrets = {**secrets_of(drills), "token of the host": LEDGER_TOKEN}
    found = [(what, log.name) for what, secret in secrets.items() for log in drills.logs if secret in log.read_text()]
    assert found == []


@pytest.mark.localkube
def test_no_log_of_work_on_real_hosts_holds_a_credential(
    harbor: System, local_hosts: Mapping[str, LocalHost], run_folder: Path
) -> None:
    """After whatever other tests did with that system; helm and kubectl leave their words too."""
    document = yaml.safe_load(local_hosts["harbor-east"].kubeconfig.read_text())
    harbor.staff.ended(harbor.staff.connect("logged", yaml.safe_dump(document), exposure="Local"))
    harbor.developer.ended(harbor.developer.create("logged", project=harbor.project, host="logged"), seconds=90)
    harbor.developer.ended(harbor.developer.delete("logged"), seconds=90)
    tokens = {f"token of {name}": _token(host) for name, host in local_hosts.items()}
    secrets = {**secrets_of(harbor), **tokens}
    state = [path for path in (harbor.made.folder / "state").rglob("*") if path.is_file()]
    places = [*harbor.logs, *state]
    found = [(what, place.name) for what, secret in secrets.items() for place in places if _holds(place, secret)]
    assert found == []
    assert run_folder in harbor.logs[0].parents


def _token(host: LocalHost) -> str:
    return str(yaml.safe_load(host.kubeconfig.read_text())["users"][0]["user"]["token"])


def _holds(place: Path, secret: str) -> bool:
    return secret.encode() in place.read_bytes()
