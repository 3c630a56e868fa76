"""The single rights behind Marina's roles, and what of them is missing on a host."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from clusters.host_rules import HOST_RULES, RENEWAL_RULES, TENANT_RULES, Rule, namespace_rules

Mode = Literal["cluster", "namespaces"]


@dataclass(frozen=True, kw_only=True, order=True)
class Permission:
    """One right, as a SelfSubjectAccessReview asks for it. "" leaves a part open."""

    verb: str
    group: str = ""
    resource: str
    subresource: str = ""
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        group = f".{self.group}" if self.group else ""
        return f"{self.verb} {resource}{group}" + (f" named {self.name}" if self.name else "")


@dataclass(frozen=True, kw_only=True)
class PermissionsNeeded:
    """What Marina needs on a host, by where it is needed."""

    host: tuple[Permission, ...]
    """In the whole host cluster (no namespace in the question). Empty in mode `namespaces`."""
    namespace: tuple[Permission, ...]
    """In each namespace of a virtual cluster. In mode `cluster` Marina holds them only after it bound marina-tenant."""
    renewal: tuple[Permission, ...]
    """In marina-system. Without them the host works, but its token is not renewed."""


def permissions_needed(mode: Mode, *, namespace: str = "") -> PermissionsNeeded:
    """The rights behind the roles. In mode `namespaces`, `namespace` is the one that is asked about."""
    own = namespace_rules(namespace) if mode == "namespaces" else ()
    return PermissionsNeeded(
        host=permissions_of(HOST_RULES) if mode == "cluster" else (),
        namespace=permissions_of((*own, *TENANT_RULES)),
        renewal=permissions_of(RENEWAL_RULES),
    )


def permissions_of(rules: Iterable[Rule]) -> tuple[Permission, ...]:
    """Every single right that the rules grant, each once."""
    return tuple(dict.fromkeys(permission for rule in rules for permission in _permissions(rule)))


def _permissions(rule: Rule) -> Iterable[Permission]:
    for group, resource, verb, name in product(
        rule.api_groups, rule.resources, rule.verbs, rule.resource_names or ("",)
    ):
        kind, _, subresource = resource.partition("/")
        yield Permission(verb=verb, group=group, resource=kind, subresource=subresource, name=name)


def permissions_missing(needed: Iterable[Permission], *, rules: Iterable[Mapping[str, Any]]) -> tuple[Permission, ...]:
    """Those of `needed` that none of a Role's `rules` (as the API gives them) grants.

    For marina-tenant in mode `cluster`: before the first namespace exists nothing can be asked of the API server, but
    the role can be read. Wildcards of a role that somebody wrote by hand count as what they are.
    """
    granted = list(rules)
    return tuple(permission for permission in needed if not any(_grants(rule, permission) for rule in granted))


def _grants(rule: Mapping[str, Any], wanted: Permission) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _among([wanted.verb], rule.get("verbs"))
        and _among([wanted.group], rule.get("apiGroups"))
        and _among(_ways_to_write(wanted), rule.get("resources"))
        and (not names or wanted.name in names)
    )


def _ways_to_write(wanted: Permission) -> tuple[str, ...]:
    """How a rule may name the resource, besides `*`."""
    if not wanted.subresource:
        return (wanted.resource,)
    return f"{wanted.resource}/{wanted.subresource}", f"*/{wanted.subresource}"


def _among(values: Sequence[str], listed: Sequence[str] | None) -> bool:
    return any(each == "*" or each in values for each in listed or ())
