"""Marina's API as a program uses it: JSON in and out, a token, and operations followed to their end."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from dev.errors import DevError
from dev.waiting import wait_until
from tests.canaries import canary

Json = dict[str, Any]
_ENDED = ("Succeeded", "Failed", "Aborted")


class Api:
    """The API as one person."""

    def __init__(self, *, server: str, handle: str, password: str) -> None:
        self._http = httpx.Client(base_url=f"{server}/api/v1", timeout=30, trust_env=False)
        self.handle = handle
        token = self._http.post("/access-tokens", json={"name": "e2e"}, auth=(handle, password))
        assert token.status_code == 201, token.text
        self.token: str = canary(token.json()["token"], f"a token of {handle}")
        canary(password, f"the password of {handle}")
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    def __call__(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        status: int = 200,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON. Fails the test, with the answer, on another status."""
        answer = self._http.request(method, path, json=body, params=query)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str, **query: str) -> Any:
        return self("GET", path, query=query)

    def list(self, path: str, **query: str) -> "list[Json]":
        """The first page."""
        found: list[Json] = self.get(path, **query)["results"]
        return found

    def host(self, name: str) -> Json:
        """A host by its name."""
        (found,) = self.list("/host-clusters", name=name)
        return found

    def cluster(self, name: str) -> Json:
        """A virtual cluster that is not deleted, by its name."""
        (found,) = self.list("/virtual-clusters", name=name)
        return found

    def refused(self, method: str, path: str, body: Json | None, field: str) -> Json:
        """What a 400 says of `field`: its message, and what would be accepted."""
        problem = self(method, path, body, status=400)
        assert problem["code"] == "invalid", problem
        told: Json = next((each for each in problem["errors"] if each["field"] == field), {})
        assert told, f"nothing is said of {field}: {problem['errors']}"
        assert told["accepted"], f"not said what would be accepted: {told}"
        return told

    def create(self, name: str, *, project: str, host: str, **rest: Any) -> Json:
        """Starts a virtual cluster; its operation."""
        body = {"name": name, "project": project, "host": host, **rest}
        return self._started("POST", "/virtual-clusters", body)

    def delete(self, name: str) -> Json:
        """Starts its deletion; the operation."""
        return self._started("DELETE", f"/virtual-clusters/{self.cluster(name)['id']}", None)

    def connect(self, name: str, kubeconfig: str, **settings: Any) -> Json:
        """Starts to connect a host; the operation."""
        return self._started("POST", "/host-clusters", {"name": name, "kubeconfig": kubeconfig, **settings})

    def replace(self, name: str, kubeconfig: str) -> Json:
        """Starts to give a host another credential; the operation."""
        path = f"/host-clusters/{self.host(name)['id']}/credential"
        return self._started("PUT", path, {"kubeconfig": kubeconfig})

    def _started(self, method: str, path: str, body: Json | None) -> Json:
        operation: Json = self(method, path, body, status=202)["operation"]
        return operation

    def operation(self, operation: Json) -> Json:
        """As it is now, with its events."""
        found: Json = self.get(f"/operations/{operation['id']}")
        return found

    def until_told(self, operation: Json, words: str, *, seconds: float = 60) -> Json:
        """The operation when its message says so."""
        seen = [operation]

        def told() -> bool:
            seen.append(self.operation(operation))
            return words in seen[-1]["message"]

        with suppress(DevError):
            wait_until(told, seconds=seconds, what=f"{operation['kind']} does not say {words!r}")
        assert words in seen[-1]["message"], seen[-1]
        return seen[-1]

    def ended(self, operation: Json, *, as_: str = "Succeeded", seconds: float = 60) -> Json:
        """The operation when it has ended; fails the test where it ended in another way, or not in time."""
        seen = [operation]

        def over() -> bool:
            seen.append(self.operation(operation))
            return seen[-1]["state"] in _ENDED

        with suppress(DevError):
            wait_until(over, seconds=seconds, what=f"{operation['kind']} did not end")
        assert seen[-1]["state"] == as_, seen[-1]
        return seen[-1]
