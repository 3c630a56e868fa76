"""People who create, change and delete virtual clusters over the API, each in a lane of its own, until time is up."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from dev.demo_people import Person

Json = dict[str, Any]
PATIENCE_SECONDS = 240.0
"""An operation that has not ended by then is stuck; it usually takes seconds."""
_POLL_SECONDS = 0.4
_ENDED = ("Succeeded", "Failed", "Aborted")
ABORTS, OVERTAKES = 0.08, 0.05
"""How many clusters have their creation aborted; are deleted while they are still made."""
CHANGES = {"configure": 0.15, "sleep": 0.12, "upgrade": 0.12, "move": 0.15}
"""What becomes of how many of the others before they are deleted."""
CHANGES_ABORTED = 0.25
OLD, NEW = "1.35.4", "1.36.3"
"""Versions that local hosts can run."""


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

    def all_ended(self, cluster: str) -> None:
        """Waits for all operations of a cluster: what moves left on hosts goes by some of their own."""
        for operation in self.ask("GET", f"/operations?virtual_cluster={cluster}")["results"]:
            self.ended(operation)


class Traffic:
    """All lanes. `pairs` counts clusters that were provisioned and deleted, `trouble` says what nobody expected.

    Clusters are `mover`'s to move: developers do not choose hosts.
    """

    def __init__(
        self,
        developer: Callable[[], Developer],
        mover: Callable[[], Developer],
        *,
        project: str,
        hosts: Sequence[str],
        seed: int,
    ) -> None:
        self._developer = developer
        self._mover = mover
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
        draw, lane, count = Random(f"{self._seed}-{number}"), _Lane(self._developer(), self._mover()), 0  # noqa: S311 (no secret)
        while not self._over.is_set():
            count += 1
            self._count(+1)
            try:
                self._pair(lane, f"soak-{number}-{count}", draw)
            except Exception as error:  # the other lanes go on; the end tells
                with self._lock:
                    self.trouble.append(f"soak-{number}-{count}: {type(error).__name__}: {_said(error)}")
            finally:
                self._count(-1)

    def _pair(self, lane: "_Lane", name: str, draw: Random) -> None:
        developer, host = lane.developer, draw.choice(self._hosts)
        change = _drawn(draw)
        spec = {"kubernetes_version": OLD if change == "upgrade" else NEW}
        body = {"name": name, "project": self._project, "host": host, "spec": spec}
        made = developer.ask("POST", "/virtual-clusters", body)
        path, fate = f"/virtual-clusters/{made['virtual_cluster']['id']}", draw.random()
        if fate < ABORTS:
            self._over.wait(draw.uniform(0.2, 4))
            _abort(developer, made["operation"])
        elif fate < ABORTS + OVERTAKES:
            self._over.wait(draw.uniform(0.2, 4))
        else:
            developer.ended(made["operation"])
            self._change(lane, change, path, host, draw)
        developer.ended(developer.ask("DELETE", path)["operation"])
        provisioned = developer.ask("GET", f"/operations/{made['operation']['id']}")["state"] == "Succeeded"
        gone = developer.ask("GET", path)["phase"] == "Deleted"
        developer.all_ended(made["virtual_cluster"]["id"])
        with self._lock:
            self.pairs += provisioned and gone

    def _change(self, lane: "_Lane", change: str, path: str, host: str, draw: Random) -> None:
        """One of CHANGES, or none. Some are aborted half way; what was aborted is Ready as before, or comes to be."""
        developer = lane.developer
        match change:
            case "configure":
                work = developer.ask("PATCH", path, {"spec": {"size": draw.choice(("medium", "large"))}})
            case "sleep":
                developer.ended(developer.ask("POST", f"{path}/sleep")["operation"])
                work = developer.ask("POST", f"{path}/wake")
            case "upgrade":
                work = developer.ask("POST", f"{path}/upgrade", {"kubernetes_version": NEW})
            case "move":
                other = draw.choice([each for each in self._hosts if each != host])
                work = lane.mover.ask("POST", f"{path}/migrate", {"to": other})
            case _:
                return
        if change != "sleep" and draw.random() < CHANGES_ABORTED:
            self._over.wait(draw.uniform(0.1, 8 if change == "move" else 2))
            _abort(lane.mover, work["operation"])
        developer.ended(work["operation"])

    def _count(self, by: int) -> None:
        with self._lock:
            self.alive += by
            self.most_alive = max(self.alive, self.most_alive)


def _said(error: Exception) -> str:
    return error.response.text if isinstance(error, httpx.HTTPStatusError) else str(error)


@dataclass(frozen=True)
class _Lane:
    """As whom a lane asks."""

    developer: Developer
    mover: Developer


def _drawn(draw: Random) -> str:
    """One of CHANGES by its share; "" for none."""
    at = draw.random()
    for change, share in CHANGES.items():
        at -= share
        if at < 0:
            return change
    return ""


def _abort(developer: Developer, operation: Json) -> None:
    try:
        developer.ask("POST", f"/operations/{operation['id']}/abort")
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 409:  # it had ended, or cannot be put back any more
            raise
    developer.ended(operation)
