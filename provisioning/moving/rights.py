"""Which accounts inside a virtual cluster may change what is in it. Pure: from Kubernetes JSON to sentences."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from provisioning.drivers.kinds import Json

WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection", "impersonate", "*"})
HARMLESS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"events"}),
    "events.k8s.io": frozenset({"events"}),
    "coordination.k8s.io": frozenset({"leases", "leasecandidates"}),
    # asking a question is a `create`, and writes nothing
    "authorization.k8s.io": frozenset(
        {"localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"}
    ),
    "authentication.k8s.io": frozenset({"selfsubjectreviews", "tokenreviews"}),
}
"""What who takes part in an election, tells of itself or asks who may do what has to write, and that alone."""

_EVERY_ACCOUNT: Final = "system:serviceaccounts"


@dataclass(frozen=True)
class Account:
    """A ServiceAccount of the virtual cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def user(self) -> str:
        """Its name as a user."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> frozenset[str]:
        """The groups that it is in by itself."""
        return frozenset({_EVERY_ACCOUNT, f"{_EVERY_ACCOUNT}:{self.namespace}", "system:authenticated"})


class Writers:
    """Those who may write something, by the roles that are bound to them. `why` asks for one account."""

    def __init__(self, *, roles: Iterable[Json], bindings: Iterable[Json]) -> None:
        writes = {_role_key(role): what for role in roles if (what := _written(role.get("rules") or []))}
        self._by_subject: dict[tuple[str, str], str] = {}
        for binding in bindings:
            if _bound(binding) in writes:
                self._note(binding, f"may write {writes[_bound(binding)]}, by the {binding['kind']} {_name(binding)}")

    def _note(self, binding: Json, sentence: str) -> None:
        for subject in binding.get("subjects") or []:
            self._by_subject.setdefault(_subject_key(subject, binding), sentence)

    def why(self, account: Account) -> str:
        """By what it may write, as the end of a sentence; "" where it may not."""
        keys = [("User", account.user), *(("Group", group) for group in sorted(account.groups))]
        return next((self._by_subject[key] for key in keys if key in self._by_subject), "")


def _name(found: Json) -> str:
    meta = found["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def _role_key(role: Json) -> tuple[str, str, str]:
    meta = role["metadata"]
    return str(role["kind"]), str(meta.get("namespace") or ""), str(meta["name"])


def _bound(binding: Json) -> tuple[str, str, str]:
    role = binding.get("roleRef") or {}
    kind = str(role.get("kind"))
    namespace = str(binding["metadata"].get("namespace") or "") if kind == "Role" else ""
    return kind, namespace, str(role.get("name"))


def _subject_key(subject: Json, binding: Json) -> tuple[str, str]:
    """A ServiceAccount as the user that it is."""
    name = str(subject.get("name"))
    if subject.get("kind") != "ServiceAccount":
        return str(subject.get("kind")), name
    namespace = str(subject.get("namespace") or binding["metadata"].get("namespace") or "")
    return "User", Account(namespace, name).user


def _written(rules: Iterable[Json]) -> str:
    """The first that they let somebody write, beyond what is harmless; "" for none."""
    return next((what for rule in rules for what in _of_rule(rule)), "")


def _of_rule(rule: Json) -> Iterator[str]:
    if not WRITES & set(rule.get("verbs") or []):
        return
    for group in rule.get("apiGroups") or []:
        for resource in rule.get("resources") or []:
            if str(resource).split("/")[0] not in HARMLESS.get(str(group), ()):
                yield _told(str(group), str(resource))


def _told(group: str, resource: str) -> str:
    if resource == "*":
        return "everything" if group in ("", "*") else f"everything of {group}"
    return f"{resource}.{group}" if group not in ("", "*") else resource
