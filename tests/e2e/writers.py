"""Somebody who writes to a cluster without a pause, and what came of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from tests.e2e.beside import beside

NAMESPACE = "written"
NAMES = 40


@dataclass
class Writer:
    """Creates, changes and deletes config maps as fast as it is answered; `held` is what was acknowledged.

    Of a name in `unknown` nobody can tell: the answer never came.
    """

    core: client.CoreV1Api
    prefix: str
    held: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    refused: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    strange: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """Until the block is left."""
        with beside(self._run, self.over):
            yield self

    def _run(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            name = f"{self.prefix}-{number % NAMES:03}"
            if name in self.unknown:
                continue
            try:
                self._write(name, str(number))
                self.accepted.append(time.monotonic())
            except client.ApiException as error:
                self._told(name, error)
            except HTTPError as error:
                self.strange.append(str(error))
                self.unknown.add(name)

    def _told(self, name: str, error: client.ApiException) -> None:
        if error.status == 503:
            self.refused.append(time.monotonic())
            self.said.add(str(error.body))
        else:
            self.strange.append(f"{error.status} {error.body}")
            self.unknown.add(name)
        self.over.wait(0.02)

    def _write(self, name: str, value: str) -> None:
        body: Any = {"metadata": {"name": name}, "data": {"n": value}}
        if name not in self.held:
            self.core.create_namespaced_config_map(NAMESPACE, body)
            self.held[name] = value
        elif int(value) % 3:
            self.core.patch_namespaced_config_map(name, NAMESPACE, {"data": {"n": value}})
            self.held[name] = value
        else:
            self.core.delete_namespaced_config_map(name, NAMESPACE)
            del self.held[name]

    @property
    def frozen_for(self) -> float:
        """Seconds from the first refused to the first accepted write after it."""
        first = self.refused[0]
        return next(moment for moment in self.accepted if moment > first) - first

    def there(self) -> dict[str, str]:
        """What the cluster has of it now."""
        listed: Any = self.core.list_namespaced_config_map(NAMESPACE)
        found = {item.metadata.name: (item.data or {}).get("n", "") for item in listed.items}
        return {
            name: value for name, value in found.items() if name.startswith(self.prefix) and name not in self.unknown
        }
