"""What organizations, projects and clusters say of sleep and cleanup."""

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import InvalidInput
from accounts.models import Organization, Project
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_lock, row_save
from clusters.lifecycle.policy import FIELDS
from clusters.lifecycle.spans import span_text
from clusters.models import LifecyclePolicy, VirtualCluster

Scope = Organization | Project | VirtualCluster
ACTION: Final = "virtualcluster.lifecycle"

_YEARS: Final = 10 * 365 * 86400
_SPANS: Final[Mapping[str, tuple[int, int]]] = {
    "sleep_after": (900, _YEARS),
    "delete_after": (86400, _YEARS),
    "extension_maximum": (0, _YEARS),
}
_WARNINGS: Final = (3600, 90 * 86400)


@transaction.atomic
def lifecycle_policy_create(*, scope: Scope, actor: Actor, says: Mapping[str, Any]) -> LifecyclePolicy:
    """`says`: some of the policy's fields; None says nothing. Raises Conflict where the scope has one already."""
    scope_require(actor, scope, on_cluster=ACTION)
    policy = LifecyclePolicy(**scope_column(scope))
    lifecycle_policy_check(policy, says)
    row_save(policy, taken=f"{scope} has a policy already; change that one.", field=next(iter(scope_column(scope))))
    _audit(actor, "lifecycle-policy.create", policy, after=_told(policy))
    return policy


@transaction.atomic
def lifecycle_policy_update(*, policy: LifecyclePolicy, actor: Actor, says: Mapping[str, Any]) -> LifecyclePolicy:
    """Changes the fields that are given; what is not given stays."""
    scope_require(actor, policy.scope, on_cluster=ACTION)
    row_lock(policy)
    before = _told(policy)
    lifecycle_policy_check(policy, says)
    policy.save()
    _audit(actor, "lifecycle-policy.update", policy, before=before, after=_told(policy))
    return policy


@transaction.atomic
def lifecycle_policy_delete(*, policy: LifecyclePolicy, actor: Actor) -> None:
    """From then on the wider scope counts."""
    scope_require(actor, policy.scope, on_cluster=ACTION)
    _audit(actor, "lifecycle-policy.delete", policy, before=_told(policy))
    policy.delete()


def scope_column(scope: Scope) -> dict[str, Scope]:
    """The column in which a scope stands."""
    if isinstance(scope, Organization):
        return {"organization": scope}
    return {"project": scope} if isinstance(scope, Project) else {"virtual_cluster": scope}


def scope_require(actor: Actor, scope: Scope, *, on_cluster: str) -> None:
    """Whether the actor may say what counts in a scope; `on_cluster` is the action that it takes for a single one."""
    if isinstance(scope, Organization):
        actor_require(actor, "organization.update", scope)
    elif isinstance(scope, Project):
        actor_require(actor, "project.update", scope)
    else:
        actor_require(actor, on_cluster, scope)


def lifecycle_policy_check(policy: LifecyclePolicy, says: Mapping[str, Any]) -> None:
    """Sets what is said, after it was checked. InvalidInput names the field."""
    for name, value in says.items():
        if value is not None:
            _value_check(policy, name, value)
        setattr(policy, name, value)
    if all(getattr(policy, name) is None for name in FIELDS):
        raise InvalidInput("The policy says nothing.", field=FIELDS[0], accepted=f"one of {', '.join(FIELDS)}")
    for span, never in (("sleep_after", "never_sleep"), ("delete_after", "never_delete")):
        if getattr(policy, never) and getattr(policy, span) is not None:
            raise InvalidInput(
                f"{never} and {span} cannot both be said.",
                field=span,
                accepted="one of the two",
                hint=f"Take the other back: null over the API, --clear {span.replace('_', '-')} on the command line.",
            )


def _value_check(policy: LifecyclePolicy, name: str, value: Any) -> None:
    if name == "warn_before":
        _warnings_check(value)
    elif name in _SPANS and not _SPANS[name][0] <= value <= _SPANS[name][1]:
        raise InvalidInput(f"{span_text(value)} is not possible here.", field=name, accepted=_between(*_SPANS[name]))
    if name == "extension_maximum" and policy.virtual_cluster_id is not None:
        raise InvalidInput(
            "How far an extension reaches is not for a cluster itself to say.",
            field=name,
            accepted="leave it out; a project's or an organization's policy says it",
        )


def _between(least: int, most: int) -> str:
    return f"{least} to {most} seconds ({span_text(least)} to {span_text(most)})"


def _warnings_check(spans: list[int]) -> None:
    least, most = _WARNINGS
    if len(set(spans)) < 2 or not all(least <= each <= most for each in spans):
        raise InvalidInput(
            "An owner is warned at least twice before a deletion.",
            field="warn_before",
            accepted=f"two or more different spans of {_between(least, most)}",
        )


def _told(policy: LifecyclePolicy) -> dict[str, Any]:
    return {name: value for name in FIELDS if (value := getattr(policy, name)) is not None}


def _audit(
    actor: Actor,
    action: str,
    policy: LifecyclePolicy,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    scope = policy.scope
    audit_record(
        actor=actor,
        action=action,
        kind="lifecycle-policy",
        object_id=policy.pk,
        name=str(policy)[:120],
        organization_id=organization_of(scope).pk,
        before=before,
        after=after,
    )


def organization_of(scope: Scope) -> Organization:
    """The organization that a scope is or lies in."""
    if isinstance(scope, Organization):
        return scope
    return scope.organization if isinstance(scope, Project) else scope.project.organization
