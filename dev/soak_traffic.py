"""People who create, change and delete virtual clusters over the API, each in a lane of its own, until time is up."""

import threading
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import httpx

from dev.demo_people import Person

Json = dict[str, Any]
PATIENCE_SECONDS = 240.0
"""An operation that has not ended by then is stuck; it usually takes seconds."""
_POLL_SECONDS = 0.4
_ENDED = ("Succeeded", "Failed", "Aborted")
CONFIGURES, ABORTS, OVERTAKES = 0.2, 0.08, 0.05
"""How many clusters are changed; have their creation aborted; are deleted while they are still made."""


class Developer:
    """The API as one person. Asks again while the server or its database is away."""

    def __init__(self, server: str, person: Person) -> None:
        self._http = httpx.Client(base_url=f"{server}/api/v1", timeout=30, trust_env=False)
        token = self._http.post("/access-tokens", json={"name": "soak"}, auth=(person.handle, person.password))
        self._http.headers["Authorization"] = f"Bearer {token.raise_for_status().json()['token']}"

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """The answer's JSON. Raises httpx.HTTPStatusError for a refusal."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.request(method, path, json=body)
                if answer.status_code < 500 or time.monotonic() > deadline:
                    asked: Json = answer.raise_for_status().json()
                    return asked
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def ended(self, operation: Json) -> Json:
        """The operation when it has ended. TimeoutError where it does not."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            now = self.ask("GET", f"/operations/{operation['id']}")
            if now["state"] in _ENDED:
                return now
            if time.monotonic() > deadline:
                raise TimeoutError(f"{now['kind']} {now['id']} is {now['state']}: {now['message']}")
            time.sleep(_POLL_SECONDS)


class Traffic:
    """All lanes. `pairs` counts clusters that were provisioned and deleted, `trouble` says what nobody expected."""

    def __init__(self, developer: Callable[[], Developer], *, project: str, hosts: Sequence[str], seed: int) -> None:
        self._developer = developer
        self._project = project
        self._hosts = hosts
        self._seed = seed
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._lanes: list[threading.Thread] = []
        self.pairs = 0
        self.alive = 0
        self.most_alive = 0
        self.trouble: list[str] = []

    def start(self, lanes: int) -> None:
        for number in range(lanes):
            lane = threading.Thread(target=self._lane, args=(number,), name=f"lane-{number}", daemon=True)
            self._lanes.append(lane)
            lane.start()

    def stop(self) -> None:
        """No lane begins anew."""
        self._over.set()

    @property
    def running(self) -> bool:
        return any(lane.is_alive() for lane in self._lanes)

    def _lane(self, number: int) -> None:
        draw, developer, count = Random(f"{self._seed}-{number}"), self._developer(), 0  # noqa: S311 (no secret)
        while not self._over.is_set():
            count += 1
            self._count(+1)
            try:
                self._pair(developer, f"soak-{number}-{count}", draw)
            except Exception as error:  # the other lanes go on; the end tells
                with self._lock:
                    self.trouble.append(f"soak-{number}-{count}: {type(error).__name__}: {_said(error)}")
            finally:
                self._count(-1)

    def _pair(self, developer: Developer, name: str, draw: Random) -> None:
        body = {"name": name, "project": self._project, "host": draw.choice(self._hosts)}
        made = developer.ask("POST", "/virtual-clusters", body)
        path, fate = f"/virtual-clusters/{made['virtual_cluster']['id']}", draw.random()
        if fate < ABORTS:
            self._over.wait(draw.uniform(0.2, 4))
            self._abort(developer, made["operation"])
        elif fate < ABORTS + OVERTAKES:
            self._over.wait(draw.uniform(0.2, 4))
        else:
            developer.ended(made["operation"])
            if draw.random() < CONFIGURES:
                self._configure(developer, path, draw)
        developer.ended(developer.ask("DELETE", path)["operation"])
        provisioned = developer.ask("GET", f"/operations/{made['operation']['id']}")["state"] == "Succeeded"
        gone = developer.ask("GET", path)["phase"] == "Deleted"
        with self._lock:
            self.pairs += provisioned and gone

    @staticmethod
    def _abort(developer: Developer, operation: Json) -> None:
        try:
            developer.ask("POST", f"/operations/{operation['id']}/abort")
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 409:  # it had ended
                raise
        developer.ended(operation)

    def _configure(self, developer: Developer, path: str, draw: Random) -> None:
        size = draw.choice(("medium", "large"))
        work = developer.ask("PATCH", path, {"spec": {"size": size}})
        if draw.random() < 0.25:
            self._over.wait(draw.uniform(0.1, 2))
            self._abort(developer, work["operation"])
        developer.ended(work["operation"])

    def _count(self, by: int) -> None:
        with self._lock:
            self.alive += by
            self.most_alive = max(self.alive, self.most_alive)


def _said(error: Exception) -> str:
    return error.response.text if isinstance(error, httpx.HTTPStatusError) else str(error)
