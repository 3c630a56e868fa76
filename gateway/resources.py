"""What a request does, in Kubernetes' words: verb, resource, namespace, name. As its own audit log tells it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
_CONNECTING: Final = frozenset(("exec", "attach", "portforward", "proxy"))
_ASKING: Final = frozenset(("authorization.k8s.io", "authentication.k8s.io"))
"""Groups whose objects are questions (`kubectl auth can-i`, `whoami`): creating one changes nothing."""
READING: Final = frozenset(("get", "list", "watch", "options"))
_WATCH: Final = re.compile(
    "(?:^|&)" + "".join(f"(?:{each}|%{ord(each):x})" for each in "watch") + "(?:=([^&]*))?(?=&|$)"
)
"""However it is encoded."""


@dataclass(frozen=True)
class Doing:
    """One request. What is no resource (/version, /readyz ...) has only a verb and its path."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing. What connects to a pod may change anything there."""
        if self.group in _ASKING and self.verb == "create":
            return True
        return self.verb in READING and self.subresource not in _CONNECTING

    @property
    def writes(self) -> bool:
        """Whether it may change what the API server itself keeps, or hand out something that holds only there."""
        return not self.reads and self.subresource not in _CONNECTING


def doing(method: str, path: str, query: str) -> Doing:
    """What is asked for. `path` is the one inside the cluster."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    verb = _VERBS.get(method, method.lower())
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Doing(verb, path)
    watching = rest[0] == "watch" and len(rest) > 1
    if watching:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):
            rest = rest[2:]
    resource, name = rest[0], rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    return Doing(_verb(verb, name, query, watching), path, group, version, resource, subresource, namespace, name)


def _verb(verb: str, name: str, query: str, watching: bool) -> str:
    if watching:
        return "watch"
    if verb == "get" and not name:
        return "watch" if _watched(query) else "list"
    return "deletecollection" if verb == "delete" and not name else verb


def _watched(query: str) -> bool:
    """Whether the first `watch` of a query is on, as Kubernetes reads it: everything but 0 and false.

    By one look, because a client may fill its query with thousands of names, each of which would be decoded.
    """
    found = _WATCH.search(query)
    return found is not None and unquote(found[1] or "").lower() not in ("0", "false")
