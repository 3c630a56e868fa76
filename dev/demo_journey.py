"""The main job of Marina, typed as people would type it: connect hosts, create a cluster, use it, delete it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dev.demo_hosts import DemoHost, connect_command
from dev.demo_people import DemoPeople, Person
from dev.errors import DevError
from dev.leftovers import Gone, leftovers
from dev.stack import Stack
from dev.terminal import Terminal

NAME = "hello"
_FILE = "hello.kubeconfig"
_IMAGE = "registry.k8s.io/pause:3.10"
_KUBECTL = ("kubectl", "--kubeconfig", _FILE)


class Journey:
    """Each part raises DevError where it fails; the command that failed has said why by then."""

    def __init__(
        self,
        stack: Stack,
        people: DemoPeople,
        hosts: Sequence[DemoHost],
        terminal: Terminal,
        kubectl: Path,
    ) -> None:
        self._stack = stack
        self._people = people
        self._hosts = {host.name: host for host in hosts}
        self._terminal = terminal
        self._kubectl = kubectl

    def connect_hosts(self, *, agreed: bool) -> None:
        """As platform staff. Hosts that an earlier run with KEEP=1 connected stay as they are."""
        self._login(self._people.staff, "platform")
        known = self._ask_json("--context", "platform", "host", "list")
        for host in self._hosts.values():
            if host.name not in {each["name"] for each in known}:
                command, environment = connect_command(host, folder=self._terminal.folder, agreed=agreed)
                self._terminal.run(*command, environment=environment)

    def use(self) -> None:
        """As a developer: create it, take a kubeconfig, run something. What an earlier run made stays as it is."""
        self._login(self._people.developer, "demo")
        if NAME not in {each["name"] for each in self._ask_json("list")}:
            self._terminal.run("marina", "create", NAME, "--wait")
        self._terminal.run("marina", "kubeconfig", NAME, "--output", _FILE)
        run = self._terminal.run
        if not self._has("namespace", "shop"):
            run(*_KUBECTL, "create", "namespace", "shop")
        if not self._has("--namespace", "shop", "deployment", "web"):
            run(*_KUBECTL, "--namespace", "shop", "create", "deployment", "web", f"--image={_IMAGE}", "--replicas=2")
        run(*_KUBECTL, "--namespace", "shop", "rollout", "status", "deployment/web", "--timeout=120s")
        run(*_KUBECTL, "--namespace", "shop", "get", "pods", "--output", "wide")

    def remove(self) -> None:
        """Deletes it, then looks on the host itself for anything that stayed."""
        cluster = self._cluster()
        self._terminal.run("marina", "delete", NAME, "--yes", "--wait")
        gone = Gone(id=cluster["id"], namespace=cluster["placement"]["namespace"])
        host = self._host(cluster)
        ask = [str(self._kubectl), "--kubeconfig", str(host.kubeconfig)]
        found = leftovers(gone, lambda *arguments: self._terminal.ask(*ask, *arguments))
        if found:
            raise DevError(f"After the delete the host {host.name} still has: {', '.join(found)}.")

    def _login(self, person: Person, context: str) -> None:
        how = ("--handle", person.handle, "--password-stdin", "--context", context)
        self._terminal.run("marina", "login", self._stack.url, *how, stdin=person.password + "\n")

    def _has(self, *what: str) -> bool:
        """Whether the virtual cluster has it already, from an earlier run with KEEP=1."""
        return bool(self._terminal.ask(*_KUBECTL, "get", *what, "--ignore-not-found", "--output", "name").strip())

    def _cluster(self) -> dict[str, Any]:
        cluster: dict[str, Any] = json.loads(self._terminal.ask("marina", "get", NAME, "--output", "json"))
        return cluster

    def _host(self, cluster: dict[str, Any]) -> DemoHost:
        return self._hosts[cluster["placement"]["host"]["name"]]

    def _ask_json(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._terminal.ask("marina", *arguments, "--output", "json"))
        return found
