"""A cluster that is moved by writing rows: two virtual clusters, whose placements change their roles.

What the move itself does about objects is done here in the plainest way: config maps of one namespace are copied.
"""

import time
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from kubernetes import client

from clusters.freezing import GATEWAYS_KNOW_SECONDS, MIGRATING_KNOWN_SECONDS
from tests.e2e.api import Json

NAMESPACE = "moved"
FROZEN = "acme/payments/moved is being moved to west; try again in a minute."
MARGIN = 50


@dataclass(frozen=True)
class Place:
    """One of the two: its placement, and its API by a way that does not lead through the gateway."""

    placement: str
    core: client.CoreV1Api

    def names(self) -> set[str]:
        listed: Any = self.core.list_namespaced_config_map(NAMESPACE)
        return {item.metadata.name for item in listed.items if item.metadata.name != "kube-root-ca.crt"}

    def data(self) -> dict[str, Any]:
        """Each config map's data."""
        listed: Any = self.core.list_namespaced_config_map(NAMESPACE)
        return {item.metadata.name: item.data for item in listed.items}

    def held(self) -> dict[str, str]:
        """Each config map's data, as one text."""
        listed: Any = self.core.list_namespaced_config_map(NAMESPACE)
        return {item.metadata.name: str(item.data) for item in listed.items}

    def revision(self) -> int:
        listed: Any = self.core.list_namespace(limit=1)
        return int(listed.metadata.resource_version)

    def advance(self, revision: int) -> None:
        """Writes until the API has given out this version."""
        name = "advancing"
        try:
            self.core.create_namespaced_config_map("default", config_map(name))
        except client.ApiException as error:
            if error.status != 409:
                raise
        while self.revision() < revision:
            for number in range(25):
                self.core.patch_namespaced_config_map(name, "default", {"data": {"at": f"{time.time()} {number}"}})


def config_map(name: str, data: dict[str, str] | None = None) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


@dataclass(frozen=True)
class Move:
    """Of `cluster`, between two placements."""

    database: psycopg.Connection
    cluster: Json

    def begin(self) -> None:
        self._say("UPDATE clusters_virtualcluster SET phase = 'Migrating' WHERE id = %s", self.cluster["id"])
        time.sleep(MIGRATING_KNOWN_SECONDS)

    def freeze(self) -> None:
        """Returns when no gateway acknowledges a write any more."""
        self._say(
            "UPDATE clusters_virtualcluster SET frozen_at = now(), frozen_why = %s WHERE id = %s",
            FROZEN,
            self.cluster["id"],
        )
        time.sleep(GATEWAYS_KNOW_SECONDS)

    def copy(self, old: Place, new: Place) -> None:
        """What is there now, and nothing else."""
        listed: Any = old.core.list_namespaced_config_map(NAMESPACE)
        there, wanted = new.held(), {item.metadata.name: item.data for item in listed.items}
        for name in there.keys() - wanted.keys():
            new.core.delete_namespaced_config_map(name, NAMESPACE)
        for name, data in wanted.items():
            if name not in there:
                new.core.create_namespaced_config_map(NAMESPACE, config_map(name, data))
            elif there[name] != str(data):
                new.core.replace_namespaced_config_map(name, NAMESPACE, config_map(name, data))

    def switch(self, old: Place, new: Place, *, advance: bool) -> tuple[int, int]:
        """The old API's newest version, and the first that the new one gives out. `advance`: which is newer."""
        foreign = old.revision() + MARGIN
        if advance:
            new.advance(foreign + 1)
        first = new.revision()
        role: LiteralString = "UPDATE clusters_placement SET role = 'retained', role_since = now() WHERE id = %s"
        here: LiteralString = """UPDATE clusters_placement SET role = 'active', role_since = now(),
            foreign_revision = %s, first_revision = %s, virtual_cluster_id = %s WHERE id = %s"""
        thaw: LiteralString = "UPDATE clusters_virtualcluster SET frozen_at = NULL, frozen_why = '' WHERE id = %s"
        with self.database.transaction():
            self._say(role, old.placement)
            self._say(here, foreign, first, self.cluster["id"], new.placement)
            self._say(thaw, self.cluster["id"])
        return foreign, first

    def came(self, place: Place, *, foreign: int, first: int) -> None:
        """As if it had come there just now, from an API that had given out other versions."""
        came: LiteralString = """UPDATE clusters_placement SET role_since = now(), foreign_revision = %s,
            first_revision = %s WHERE id = %s"""
        self._say(came, foreign, first, place.placement)

    def end(self) -> None:
        over: LiteralString = "UPDATE clusters_virtualcluster SET phase = 'Ready', frozen_at = NULL WHERE id = %s"
        self._say(over, self.cluster["id"])

    def _say(self, statement: LiteralString, *values: object) -> None:
        self.database.execute(statement, values)
