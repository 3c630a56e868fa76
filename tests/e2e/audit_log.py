"""What somebody asked of a local host, from its API server's own audit log."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clusters.host_permissions import Permission
from tests.e2e.api import Json

MARINA = "system:serviceaccount:marina-system:marina"


@dataclass(frozen=True)
class Call:
    """One request that was answered. Empty parts were not in it; `path` is for requests about no resource."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    path: str
    status: int

    @property
    def about_an_object(self) -> bool:
        """False for versions, health and discovery."""
        return bool(self.resource)

    def as_permissions(self) -> Iterable[Permission]:
        """The rights it takes, as a rule would grant them: with and without the object's name.

        Server-side apply of what is not there yet is a patch in the log, and takes the right to create too.
        """
        verbs = (self.verb, "create") if self.verb == "patch" and self.status == 201 else (self.verb,)
        for verb in verbs:
            for name in ("", self.name):
                yield Permission(
                    verb=verb, group=self.group, resource=self.resource, subresource=self.subresource, name=name
                )


def calls_of(user: str, log: Path, *, since: int = 0, refused: bool = False) -> list[Call]:
    """What `user` asked after the log's first `since` bytes; what it was refused only where that is asked for."""
    with log.open() as lines:
        lines.seek(since)
        events = [json.loads(line) for line in lines if user in line]
    mine = [event for event in events if event["user"]["username"] == user and event["stage"] == "ResponseComplete"]
    calls = [_call(event) for event in mine]
    return [call for call in calls if refused or call.status not in (401, 403)]


def _call(event: Json) -> Call:
    about = event.get("objectRef") or {}
    return Call(
        verb=event["verb"],
        group=about.get("apiGroup", ""),
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        path=event["requestURI"],
        status=event.get("responseStatus", {}).get("code", 0),
    )
