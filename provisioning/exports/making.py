"""Making the objects of an export again in a cluster, one at a time; each may be made again after any crash."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from provisioning.drivers.errors import ForbiddenError, NotFound
from provisioning.drivers.kinds import CUSTOM_RESOURCE_DEFINITION, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from provisioning.exports.digests import sendable
from provisioning.exports.identity import ObjectId, owner_id
from provisioning.exports.merging import merge_patch
from provisioning.exports.ordering import found_in
from provisioning.exports.refusing import refusal_told
from provisioning.exports.restoring import (
    Planned,
    RestorePlan,
    counts_the_same,
    references_rewritten,
    status_sent,
    uids_of,
)
from provisioning.exports.served import Served, ServedKind

_SERVERS_TROUBLE: Final = ("unreachable", "timeout", "too-many-requests")
"""See `troubled`."""


class Outcome(StrEnum):
    """What became of one object. What is not CREATED, SAME, OVERWRITTEN or REMADE is listed."""

    CREATED = "created"
    SAME = "same"
    OVERWRITTEN = "overwritten"
    REMADE = "remade"
    """Whoever owns it, an operator for instance, made it before us."""
    CONFLICT = "conflict"
    REFUSED = "refused"


@dataclass(frozen=True)
class Made:
    """`note` says what is worth knowing: why it was refused, or what it lost."""

    outcome: Outcome
    note: str = ""


class NotYet(Exception):
    """Worth another try a little later. `alone`: the others need not wait for it. `why` is a sentence.

    `otherwise` is what is to be noted once nobody waits any longer.
    """

    def __init__(self, why: str, *, alone: bool, otherwise: Made | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.alone = alone
        self.otherwise = otherwise or Made(Outcome.REFUSED, why)


@dataclass(frozen=True)
class Way:
    """How to restore. `mark`: of this operation; what it writes is known by it, also to the next worker."""

    mark: str
    overwrite: bool
    verb: str = "restore"

    @property
    def created_by(self) -> str:
        """The field manager of what did not exist before."""
        return f"marina-{self.verb}-{self.mark}"

    @property
    def overwritten_by(self) -> str:
        """The field manager of what was there and was changed."""
        return f"marina-overwrite-{self.mark}"


def troubled(virtual: KubeClient, error: StepError) -> bool:
    """Whether an error concerns the whole server, so that no other object would fare better."""
    return error.code in _SERVERS_TROUBLE or not virtual.readyz()


class Maker:
    """Makes what a plan wants in one cluster."""

    def __init__(self, virtual: KubeClient, plan: RestorePlan, way: Way) -> None:
        self._virtual = virtual
        self._plan = plan
        self._way = way
        self._served = Served(virtual)
        self._exported = {each.key: each for each in plan.wanted}
        self._had = uids_of(each.exported for each in plan.wanted)
        self._uids: dict[ObjectId, str | None] = {}
        self._created: set[str] = set()
        self._established: set[tuple[str, str]] = set()

    def make(self, planned: Planned) -> Made:
        """Raises NotYet where it has to wait, and what concerns the whole server."""
        try:
            served = self._served_as(planned)
            return self._made(planned, served) if served else self._not_served(planned.key)
        except NotFound as error:
            raise NotYet(refusal_told(error.message), alone=True) from error
        except ForbiddenError as error:
            if error.verb:
                return Made(Outcome.REFUSED, refusal_told(error.message))
            # a webhook, a quota, an account that is on its way
            raise NotYet(refusal_told(error.message), alone=True) from error
        except PermanentError as error:
            if error.code == "invalid":
                return Made(Outcome.REFUSED, refusal_told(error.message))
            raise
        except TemporaryError as error:
            if troubled(self._virtual, error):
                raise
            raise NotYet(refusal_told(error.message), alone=True) from error

    def tried(self, planned: Planned) -> Made | NotYet:
        """The same, with what it has to wait for as the answer: for several that are made side by side."""
        try:
            return self.make(planned)
        except NotYet as later:
            return later

    # Kinds

    def _not_served(self, key: ObjectId) -> Made:
        """For good, unless a server inside serves it, which is registered later and runs when its pods do."""
        refused = Made(
            Outcome.REFUSED,
            f"This cluster serves no {key.kind} of {key.group or 'the core API'}, in any version.",
        )
        if key.group not in self._plan.served_inside:
            return refused
        self._served.forget(key.group)
        raise NotYet(f"Waiting for the server of {key.group}.", alone=True, otherwise=refused)

    def _served_as(self, planned: Planned) -> ServedKind | None:
        definition = self._plan.definitions.get((planned.key.group, planned.key.kind))
        if definition is not None:
            self._established_check(planned.key, definition)
        served = self._served.kind_of(planned.exported)
        if served is None and definition is not None:
            self._served.forget(planned.key.group)
            raise NotYet(f"Waiting for the cluster to serve {planned.key.kind}.", alone=False)
        return served

    def _established_check(self, key: ObjectId, definition: Json) -> None:
        if (key.group, key.kind) in self._established:
            return
        name = definition["metadata"]["name"]
        found = self._virtual.get(CUSTOM_RESOURCE_DEFINITION, name)
        conditions = {each["type"]: each for each in ((found or {}).get("status") or {}).get("conditions") or []}
        if conditions.get("Established", {}).get("status") != "True":
            said = conditions.get("NamesAccepted", {}).get("message") or ""
            raise NotYet(f"Waiting for the definition {name} to be established. {said}".strip(), alone=False)
        self._established.add((key.group, key.kind))

    # Objects

    def _made(self, planned: Planned, served: ServedKind) -> Made:
        manifest, lost = self._manifest(planned, served.kind)
        note = f"Its owner is not there: {', '.join(map(str, lost))}." if lost else ""
        made = self._sent(planned, served, manifest, note)
        if any(owner in self._exported for owner in lost):  # of a ring one is made before its owner
            raise NotYet(note, alone=True, otherwise=made)
        return made

    def _sent(self, planned: Planned, served: ServedKind, manifest: Json, note: str) -> Made:
        try:
            made = self._virtual.create_as(served.kind, manifest, manager=self._way.created_by)
        except StepError as error:
            # a webhook may refuse what is there before the server sees that it is
            if error.code in _SERVERS_TROUBLE or (found := self._found(served.kind, planned.key)) is None:
                raise
            return self._there(planned, served, found, manifest, note)
        self._note(planned.key, made)
        self._carry_status(planned, served, made)
        return Made(Outcome.CREATED, note)

    def _there(self, planned: Planned, served: ServedKind, found: Json, manifest: Json, note: str) -> Made:
        if found["metadata"].get("deletionTimestamp"):
            raise NotYet(f"{planned.key} is being deleted.", alone=True)
        self._note(planned.key, found)
        managers = managers_of(found)
        if self._way.created_by in managers or self._way.overwritten_by in managers:
            return self._ours(planned, served, found, manifest, note)
        if counts_the_same({**planned.exported, "apiVersion": served.kind.api_version}, found):
            return Made(Outcome.SAME, note)
        if _controllers(manifest) & _controllers(found) & self._created:
            return Made(Outcome.REMADE, note)
        if not self._way.overwrite:
            return Made(Outcome.CONFLICT, note)
        return self._overwritten(planned, served, found, manifest, note)

    def _ours(self, planned: Planned, served: ServedKind, found: Json, manifest: Json, note: str) -> Made:
        """An earlier worker made it, or we did and an owner came later: what it did not get to is done."""
        wanted, has = (each["metadata"].get("ownerReferences") or [] for each in (manifest, found))
        if len(wanted) > len(has):
            patch = {"metadata": {"ownerReferences": wanted}}
            found = self._virtual.patch_as(served.kind, found, patch, manager=self._way.created_by)
        if not found.get("status"):
            self._carry_status(planned, served, found)
        changed = self._way.overwritten_by in managers_of(found)
        return Made(Outcome.OVERWRITTEN if changed else Outcome.CREATED, note)

    def _overwritten(self, planned: Planned, served: ServedKind, found: Json, manifest: Json, note: str) -> Made:
        patch = merge_patch(sendable(found), manifest)
        changed = self._virtual.patch_as(served.kind, found, patch, manager=self._way.overwritten_by)
        self._carry_status(planned, served, changed)
        return Made(Outcome.OVERWRITTEN, note)

    def _carry_status(self, planned: Planned, served: ServedKind, made: Json) -> None:
        status = status_sent(planned, made)
        if status is None or not served.has_status or made.get("status") == status:
            return
        # where its controller was faster this is a conflict, and what the controller wrote stays
        manager = self._way.created_by
        self._virtual.patch_as(served.kind, made, {"status": status}, manager=manager, subresource="status")

    def _found(self, kind: Kind, key: ObjectId) -> Json | None:
        return self._virtual.get(kind, key.name, key.namespace or None)

    # References

    def _manifest(self, planned: Planned, kind: Kind) -> tuple[Json, list[ObjectId]]:
        """What is sent, and the owners that it lost."""
        manifest = {**planned.manifest, "apiVersion": kind.api_version}
        references = manifest["metadata"].get("ownerReferences") or []
        manifest["metadata"] = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
        manifest = references_rewritten(manifest, self._renewed)
        owners = [(each, self._owner_of(each, planned.key.namespace)) for each in references]
        known = [{**reference, "uid": uid} for reference, owner in owners if (uid := self._uids.get(owner))]
        if known:
            manifest["metadata"]["ownerReferences"] = known
        return manifest, [owner for _, owner in owners if not self._uids.get(owner)]

    def _owner_of(self, reference: Json, namespace: str) -> ObjectId:
        """Whom a reference means; its uid is known from then on where it is there."""
        owner = owner_id(reference, namespace=namespace)
        key = found_in(self._exported, owner)
        if key is not None:
            self._uid_of(key)
            return key
        # none of the export's: it may be there all the same
        served = self._served.kind_of({"apiVersion": reference["apiVersion"], "kind": reference["kind"]})
        key = owner if served is None or served.kind.namespaced else owner._replace(namespace="")
        if served is not None:
            self._looked_up(key, served.kind)
        return key

    def _renewed(self, uid: str) -> str | None:
        """The uid that the object has now which had this one when it was exported."""
        key = self._had.get(uid)
        return self._uid_of(key) if key else None

    def _uid_of(self, key: ObjectId) -> str | None:
        """Of one of the export's objects as it is here."""
        if self._uids.get(key):
            return self._uids[key]
        served = self._served.kind_of(self._exported[key].exported)
        return self._looked_up(key, served.kind) if served else None

    def _looked_up(self, key: ObjectId, kind: Kind) -> str | None:
        if not self._uids.get(key):
            self._note(key, self._found(kind, key))
        return self._uids[key]

    def _note(self, key: ObjectId, found: Json | None) -> None:
        """Its uid, and whether it is this restore that made it."""
        uid = found["metadata"]["uid"] if found else None
        self._uids[key] = uid
        if found and uid and self._way.created_by in managers_of(found):
            self._created.add(uid)


def managers_of(obj: Json) -> set[str]:
    """Who wrote to it, by the names under which they did."""
    return {str(each.get("manager")) for each in obj["metadata"].get("managedFields") or []}


def _controllers(obj: Json) -> set[str]:
    references = obj["metadata"].get("ownerReferences") or []
    return {each["uid"] for each in references if each.get("controller")}
