"""Whether the quotas that a host's administrators put on a given namespace leave a cluster room there. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from clusters.preflight import Finding, Weight
from clusters.sizes import COREDNS_MEMORY_LIMIT, Requests, Size
from provisioning.drivers.kinds import Json
from provisioning.drivers.quantities import millicores, units
from provisioning.moving.not_moving import note
from provisioning.moving.telling import size_told
from provisioning.steps.names import MANAGED_BY, MARINA

_MIB: Final = 1024**2
_CPU: Final = ("requests.cpu", "limits.cpu")
_ALIKE: Final = {"cpu": "requests.cpu", "memory": "requests.memory"}
"""Other names of the same."""
_COUNTED: Final = ("pods", "services", "secrets", "configmaps", "persistentvolumeclaims")
"""Kinds whose objects a quota counts by two names, as in `count/pods`."""
_COMPUTED: Final = (*_CPU, "requests.memory", "limits.memory")
_UNLIMITED: Final = "limits.cpu"
"""Containers of Marina's have no such limit. With a quota on it each needs one, which a LimitRange may give."""


@dataclass(frozen=True, kw_only=True)
class GivenSeen:
    """`quotas`: those in the given namespace that a cluster would get; None where Marina may not look."""

    host: str
    namespace: str
    quotas: tuple[Json, ...] | None


@dataclass(frozen=True, kw_only=True)
class Needed:
    """`now`: what is asked for as soon as it runs there, by a quota's names; `full`: what its size lets it ask for."""

    now: Mapping[str, int]
    full: Mapping[str, int]


def needed(size: Size, *, replicas: int, running: Requests | None, kept: bool = False) -> Needed:
    """CPU in millicores, memory in bytes. `running`: what all of its pods ask for where it is, where that is known.

    `kept`: its objects and volumes are in the namespace already, and counted there.
    """
    own = size.own_requests(replicas=replicas)
    run = running or own
    limits = COREDNS_MEMORY_LIMIT + max(replicas, 1) * size.control_plane.memory_limit
    limits += max(run.memory - own.memory, 0)  # no limit is below its request
    full = {name: _amount(name, value) for name, value in size.quota_hard(replicas=replicas).items()}
    return Needed(
        now={
            "requests.cpu": max(own.cpu, run.cpu),
            "requests.memory": max(own.memory, run.memory) * _MIB,
            "limits.memory": limits * _MIB,
            "pods": max(own.pods, run.pods),
        },
        full={name: amount for name, amount in full.items() if not kept or name in _COMPUTED},
    )


def quotas_fit(given: GivenSeen, needs: Needed) -> Iterator[Finding]:
    """In the way is what is certain: a quota on all pods that leaves less than is asked for at once."""
    if given.quotas is None:
        told = f"Marina may not look at the quotas of the namespace {given.namespace} on {given.host}."
        yield note("quotas-unknown", given.host, told, "It takes `list` of resourcequotas in that namespace.")
        return
    for quota in given.quotas:
        if (quota["metadata"].get("labels") or {}).get(MANAGED_BY) != MARINA:
            yield from _of_quota(given, quota, needs)


def _of_quota(given: GivenSeen, quota: Json, needs: Needed) -> Iterator[Finding]:
    spec, name = quota.get("spec") or {}, f"{given.namespace}/{quota['metadata']['name']}"
    left = _left(quota)
    of = f"The quota {name} on {given.host}"
    if spec.get("scopes") or spec.get("scopeSelector"):
        told = f"{of} counts some pods only ({_scopes(spec)}); whether it leaves room is not known."
        yield note("host-quota-scoped", given.host, told)
        return
    short = [_short(key, left[key], needs.now[key]) for key in left if needs.now.get(key, 0) > left[key]]
    if short:
        yield Finding(
            weight=Weight.BLOCKS,
            code="host-quota",
            about=given.host,
            message=f"{of} leaves no room for what runs in it: {'; '.join(short)}.",
            hint="Have its administrators raise it, or move it elsewhere.",
        )
        return
    tight = [_short(key, left[key], needs.full[key]) for key in left if needs.full.get(key, 0) > left[key]]
    if _UNLIMITED in left:
        told = f"{of} wants a limit of CPU for each container, which the control plane has only by a LimitRange there."
        yield note("host-quota-limits", given.host, told)
    if tight:
        told = f"{of} leaves less than its size lets it ask for: {'; '.join(tight)}."
        yield note("host-quota-tight", given.host, told, "Beyond that the host refuses what is made in it.")


def _left(quota: Json) -> dict[str, int]:
    """By name, in the units of `Needed`. What was not counted yet counts as free."""
    status, spec = quota.get("status") or {}, quota.get("spec") or {}
    hard, used = {**(spec.get("hard") or {}), **(status.get("hard") or {})}, status.get("used") or {}
    left: dict[str, int] = {}
    for key, value in hard.items():
        name = _name_of(key)
        free = _amount(name, value) - _amount(name, used.get(key))
        left[name] = min(free, left.get(name, free))
    return left


def _name_of(key: str) -> str:
    counted = key.removeprefix("count/")
    return counted if counted in _COUNTED else _ALIKE.get(key, key)


def _scopes(spec: Json) -> str:
    selected = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return ", ".join([*(spec.get("scopes") or []), *(each["scopeName"] for each in selected)])


def _amount(name: str, value: object) -> int:
    return millicores(value) if name in _CPU else units(value)


def _short(name: str, left: int, needs: int) -> str:
    return f"{name}: {_told(name, left)} left, {_told(name, needs)} needed"


def _told(name: str, amount: int) -> str:
    if name in _CPU:
        return f"{amount / 1000:g} CPU"
    return size_told(amount) if "memory" in name or "storage" in name else str(amount)
