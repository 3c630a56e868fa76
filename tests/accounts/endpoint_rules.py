"""Who asks, where the object is, and the rules that say from the role table who may and who sees what."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from accounts.roles import CLUSTER_ROLES, ORGANIZATION_ROLES, PROJECT_ROLES

Place = Literal["own", "other-project", "other-organization"]
PLACES: tuple[Place, ...] = ("own", "other-project", "other-organization")


@dataclass(frozen=True)
class Who:
    """Somebody with one role in the own project or organization, or for one cluster of it alone, or with none."""

    kind: Literal["project", "organization", "cluster", "nobody", "staff", "superuser"]
    role: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.role}".strip()


EVERYBODY = (
    *(Who("project", role) for role in PROJECT_ROLES),
    *(Who("organization", role) for role in ORGANIZATION_ROLES),
    *(Who("cluster", role) for role in CLUSTER_ROLES),
    Who("nobody"),
    Who("staff"),
    Who("superuser"),
)

Rule = Callable[[Who, Place], bool]


def in_project(action: str) -> Rule:
    """By a role in the project, or in its organization."""

    def rule(who: Who, place: Place) -> bool:
        if who.kind == "project":
            return place == "own" and action in PROJECT_ROLES[who.role]
        return in_organization(action)(who, place)

    return rule


def in_organization(action: str) -> Rule:
    """By a role in the organization itself."""

    def rule(who: Who, place: Place) -> bool:
        within = who.kind == "organization" and place != "other-organization"
        return within and action in ORGANIZATION_ROLES[who.role]

    return rule


def on_cluster(action: str) -> Rule:
    """By a role in the project or its organization, or for the one cluster."""

    def rule(who: Who, place: Place) -> bool:
        if who.kind == "cluster":
            return place == "own" and action in CLUSTER_ROLES[who.role]
        return in_project(action)(who, place)

    return rule


def somewhere(action: str) -> Rule:
    """By a role in some organization, wherever the object is."""
    return lambda who, place: in_organization(action)(who, "own")


def either(*rules: Rule) -> Rule:
    """One of them."""
    return lambda who, place: any(rule(who, place) for rule in rules)


def both(*rules: Rule) -> Rule:
    """All of them."""
    return lambda who, place: all(rule(who, place) for rule in rules)


def anyone(who: Who, place: Place) -> bool:
    """Whoever signed in."""
    return True


def no_one(who: Who, place: Place) -> bool:
    """Whatever their role."""
    return False


def staff(who: Who, place: Place) -> bool:
    """Platform staff."""
    return who.kind in ("staff", "superuser")


def works_there(who: Who, place: Place) -> bool:
    """Whoever has a role in a project of the organization."""
    return who.kind == "project" and place != "other-organization"


def joins(who: Who, place: Place) -> bool:
    """Whoever belongs to the organization, and has no role that shows its projects."""
    return in_organization("organization.view")(who, place) and not in_project("project.view")(who, place)


@dataclass(frozen=True)
class Case:
    """One way to ask an endpoint."""

    may: Rule
    sees: Rule = anyone
    of: str = ""
    """The object in the address ({pk}), as the matrix calls it."""
    body: Callable[[Any], dict[str, Any]] | None = None
    unseen: int = 404
    """400 where the object is named in the body."""
    further: tuple[int, ...] = ()
    """More statuses with which what is allowed may be answered: what else it takes is no matter of roles."""
    at: dict[str, str] = field(default_factory=dict)
    """The other objects in the address, each by what stands in its braces."""

    def address(self, path: str, objects: Any) -> str:
        """The path with the ids of these objects."""
        named = {**({"pk": self.of} if self.of else {}), **self.at}
        for parameter, name in named.items():
            found = getattr(objects, name)
            path = path.replace("{" + parameter + "}", str(getattr(found, "pk", found)))
        return path


HOST_SEEN = either(staff, in_organization("host.view"), works_there)
HOST_INSIDE = either(staff, in_organization("host.update"))
OPERATION_SEEN = on_cluster("operation.view")
PROJECT_SEEN, ORGANIZATION_SEEN = in_project("project.view"), in_organization("organization.view")
CLUSTER_SEEN = on_cluster("virtualcluster.view")
NEW = "made-by-the-matrix"
