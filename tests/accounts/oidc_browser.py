"""A provider in its own process, and somebody's browser between it and Marina."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
from django.test import Client

from dev.environment import of_the_machine
from dev.processes import Process, Processes, Program
from dev.settings_names import ROOT
from dev.waiting import wait_until
from localkube.ports import answers, free_ports
from tests.oidc_provider.__main__ import CLIENT_ID, CLIENT_SECRET

HERE = "192.0.2.7"


@dataclass(frozen=True)
class Provider:
    """Where it is, and what tests tell it."""

    address: str
    process: Process

    @property
    def issuer(self) -> str:
        """As it calls itself."""
        return f"{self.address}/o"

    def person(self, name: str, /, **claims: Any) -> str:
        """Makes or changes somebody there; the answer is their `sub`. The password is their name."""
        told = {"name": name, "password": name, "claims": claims}
        return str(httpx.post(f"{self.address}/people", json=told).raise_for_status().json()["sub"])

    def behaviour(self, **what: Any) -> None:
        """What is wrong with it from now on; nothing without any."""
        httpx.post(f"{self.address}/behaviour", json=what).raise_for_status()

    def settings(self) -> dict[str, Any]:
        """Marina's settings for it."""
        client = {"OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}
        return {"OIDC_ISSUER": self.issuer, "PUBLIC_URL": "http://testserver", **client}


def provider_start(processes: Processes, folder: Path) -> Provider:
    """Starts one on a free port of loopback and waits until it answers."""
    [port] = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [sys.executable, "-m", "tests.oidc_provider", str(port), folder]
    process = processes.start(Program("oidc-provider", command, of_the_machine(), ROOT))
    wait_until(
        lambda: answers(port), seconds=30, what="The OpenID provider did not answer", alive=process.require_running
    )
    return Provider(f"http://127.0.0.1:{port}", process)


@dataclass
class Browser:
    """One browser: what it has of Marina (Django's test client) and of the provider (httpx)."""

    marina: Client = field(default_factory=lambda: Client(REMOTE_ADDR=HERE))
    provider: httpx.Client = field(default_factory=httpx.Client)

    def begin(self, issuer: str = "sso", **fields: str) -> Any:
        """Presses the button on the sign-in page."""
        return self.marina.post(f"/sign-in/oidc/{issuer}", fields)

    def at_provider(self, address: str, name: str) -> str:
        """Follows to the provider, signs in there, and comes back with the callback's address."""
        answer = self.provider.get(address)
        if answer.status_code == 302 and "/login" in answer.headers["location"]:
            login = str(httpx.URL(address).join(answer.headers["location"]))
            signed_in = self.provider.post(login, data={"name": name, "password": name})
            assert signed_in.status_code == 302, signed_in.text
            answer = self.provider.get(str(httpx.URL(address).join(signed_in.headers["location"])))
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    def back(self, callback: str) -> Any:
        """Arrives at Marina again."""
        parts = urlsplit(callback)
        return self.marina.get(f"{parts.path}?{parts.query}")

    def sign_in(self, name: str, issuer: str = "sso", **fields: str) -> Any:
        """The whole way; Marina's last answer."""
        begun = self.begin(issuer, **fields)
        assert begun.status_code == 302, begun.content
        return self.back(self.at_provider(begun["Location"], name))

    @property
    def signed_in(self) -> bool:
        """Whether Marina knows who this is."""
        return bool(self.marina.get("/account").status_code == 200)


def changed(address: str, **parameters: str) -> str:
    """The address with other parameters."""
    parts = urlsplit(address)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    return parts._replace(query=urlencode(query)).geturl()


def parameter(address: str, name: str) -> str:
    """One parameter of the address."""
    return parse_qs(urlsplit(address).query)[name][0]
