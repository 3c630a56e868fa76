"""The objects of one fake API server: what is there, who owns what, and what goes with what."""

import base64
import copy
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from provisioning.drivers.kinds import NAMESPACE, Json, Kind
from tests.fakes import answers
from tests.fakes.ownership import Managers, applied, as_managed_fields, patched, updated

Key = tuple[Kind, str, str]
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_FREE_NAMES = "rbac.authorization.k8s.io"
"""Roles and bindings may bear colons and other letters."""
_OF_THE_SERVER = ("uid", "creationTimestamp", "generation", "managedFields", "deletionTimestamp")


@dataclass
class Stored:
    """One object. `value` is never given out itself."""

    kind: Kind
    value: Json
    managers: Managers = field(default_factory=dict)
    times: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def meta(self) -> Json:
        meta: Json = self.value["metadata"]
        return meta

    @property
    def key(self) -> Key:
        return self.kind, self.meta.get("namespace", ""), self.meta["name"]

    @property
    def going(self) -> bool:
        """Deleted, but held by a finalizer or by what a namespace still contains."""
        return "deletionTimestamp" in self.meta

    def shown(self) -> Json:
        """As a client gets it."""
        value = copy.deepcopy(self.value)
        value["metadata"]["managedFields"] = as_managed_fields(self.managers, self.kind.api_version, self.times)
        return value


Watcher = Callable[[str, Stored], None]
"""Told ADDED, MODIFIED or DELETED, at once."""


class Store:
    """Not safe for threads by itself: the cluster's lock is held around every call."""

    def __init__(self) -> None:
        self.objects: dict[Key, Stored] = {}
        self.revision = 0
        self.watchers: list[Watcher] = []

    def find(self, kind: Kind, name: str, namespace: str = "") -> Stored | None:
        return self.objects.get((kind, namespace, name))

    def get(self, kind: Kind, name: str, namespace: str = "") -> Stored:
        """Refusal where it is not there."""
        found = self.find(kind, name, namespace)
        if found is None:
            raise answers.not_found(kind, name)
        return found

    def each(self, kind: Kind | None = None, namespace: str = "") -> Iterator[Stored]:
        """By name; of all namespaces where none is named."""
        wanted = [
            stored
            for (its_kind, its_namespace, _), stored in self.objects.items()
            if (kind is None or its_kind == kind) and (not namespace or its_namespace == namespace)
        ]
        return iter(sorted(wanted, key=lambda stored: (stored.kind.plural, *map(str, stored.key[1:]))))

    def create(self, kind: Kind, manifest: Json, *, manager: str, operation: str = "Update") -> Stored:
        value = copy.deepcopy(manifest)
        meta = value.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        name, namespace = str(meta.get("name", "")), meta.get("namespace", "")
        self._name_check(kind, name)
        self._namespace_check(kind, name, namespace)
        if (kind, namespace, name) in self.objects:
            raise answers.already_exists(kind, name)
        for key in _OF_THE_SERVER:
            meta.pop(key, None)
        meta.update(uid=str(uuid.uuid4()), creationTimestamp=now_text(), generation=1)
        stored = Stored(kind, {"apiVersion": kind.api_version, "kind": kind.kind, **_decoded(value)})
        if operation == "Apply":
            applied({}, manifest, manager, stored.managers, force=True)
        else:
            updated({}, manifest, manager, stored.managers)
        stored.times[manager, operation] = now_text()
        self.objects[stored.key] = stored
        self._changed("ADDED", stored)
        return stored

    def _name_check(self, kind: Kind, name: str) -> None:
        if not name or ("/" in name if kind.group == _FREE_NAMES else not _LABEL.fullmatch(name)):
            why = (
                f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case '
                "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
            )
            raise answers.invalid(kind.kind, name, why)

    def _namespace_check(self, kind: Kind, name: str, namespace: str) -> None:
        if not kind.namespaced:
            return
        home = self.get(NAMESPACE, namespace)
        if home.going:
            raise answers.terminating(kind, name, namespace)

    def apply(self, kind: Kind, manifest: Json, *, manager: str, force: bool) -> Stored:
        """Server-side apply; makes the object where it is not there."""
        meta = manifest["metadata"]
        found = self.find(kind, meta["name"], meta.get("namespace", ""))
        if found is None:
            return self.create(kind, manifest, manager=manager, operation="Apply")
        try:
            value = applied(found.value, _decoded(manifest), manager, found.managers, force=force)
        except ValueError as fields:
            why = f"Apply failed with conflicts: conflicts with other managers: {fields}"
            raise answers.Refusal(409, "Conflict", why) from None
        return self.write(found, value, by=(manager, "Apply"))

    def patch(self, stored: Stored, change: Json, *, manager: str) -> Stored:
        """JSON merge patch."""
        meta = change.get("metadata") or {}
        for named in ("resourceVersion", "uid"):
            if meta.get(named) and meta[named] != stored.meta[named]:
                why = "the object has been modified; please apply your changes to the latest version and try again"
                raise answers.conflict(stored.kind, stored.meta["name"], why)
        value = patched(stored.value, _decoded(change), manager, stored.managers)
        return self.write(stored, value, by=(manager, "Update"))

    def write(self, stored: Stored, value: Json, *, by: tuple[str, str] | None = None) -> Stored:
        """Keeps what only the server may set; nothing happens where nothing changes."""
        for key in ("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp"):
            value["metadata"].pop(key, None)
            if key in stored.meta:
                value["metadata"][key] = stored.meta[key]
        if value == stored.value:
            return stored
        if by is not None:
            stored.times[by] = now_text()
        if value.get("spec") != stored.value.get("spec"):
            value["metadata"]["generation"] += 1
        stored.value = value
        if stored.going and not stored.meta.get("finalizers"):
            self.remove(stored)
        else:
            self._changed("MODIFIED", stored)
        return stored

    def delete(self, stored: Stored, *, uid: str = "", dependents: bool = True) -> Stored:
        """Marks it; it goes at once unless a finalizer or, for a namespace, its content holds it."""
        if uid and uid != stored.meta["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.meta['uid']}"
            raise answers.conflict(stored.kind, stored.meta["name"], why)
        held = stored.meta.get("finalizers") or stored.kind == NAMESPACE
        if not held:
            self.remove(stored, dependents=dependents)
        elif not stored.going:
            stored.meta["deletionTimestamp"] = now_text()
            self._changed("MODIFIED", stored)
        return stored

    def remove(self, stored: Stored, *, dependents: bool = True) -> None:
        """It is gone, and with it what it owned alone; else that is owned by it no longer."""
        if self.objects.get(stored.key) is not stored:
            return
        del self.objects[stored.key]
        self._changed("DELETED", stored)
        if dependents:
            for other in list(self.objects.values()):
                owners = [owner["uid"] for owner in other.meta.get("ownerReferences") or []]
                if stored.meta["uid"] in owners and not self._any_there(owners):
                    self.delete(other)
        else:
            self._orphan(stored.meta["uid"])

    def _orphan(self, uid: str) -> None:
        for other in list(self.objects.values()):
            owners = other.meta.get("ownerReferences") or []
            left = [owner for owner in owners if owner["uid"] != uid]
            if len(left) != len(owners):
                other.meta["ownerReferences"] = left
                if not left:
                    del other.meta["ownerReferences"]
                self._changed("MODIFIED", other)

    def _any_there(self, uids: list[str]) -> bool:
        return any(stored.meta["uid"] in uids for stored in self.objects.values())

    def _changed(self, what: str, stored: Stored) -> None:
        self.revision += 1
        stored.meta["resourceVersion"] = str(self.revision)
        for watcher in self.watchers:
            watcher(what, stored)


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _decoded(manifest: Json) -> Json:
    """A Secret's stringData is for writing only."""
    if "stringData" not in manifest:
        return manifest
    texts: dict[str, Any] = manifest["stringData"]
    data = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
    rest = {key: value for key, value in manifest.items() if key != "stringData"}
    return {**rest, "data": {**(manifest.get("data") or {}), **data}}
