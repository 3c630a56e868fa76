"""What in a cluster somebody has to choose about, read again while it is moved: things are made and bound meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from clusters.moving import JOBS_WAIT
from clusters.preflight import Finding, Report, Weight
from provisioning.drivers.kinds import (
    INGRESS,
    JOB,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    SERVICE,
    VALIDATING_ADMISSION_POLICY,
    Json,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.exports.discovery import Served, kinds_served
from provisioning.exports.left_out import rule_for
from provisioning.moving.inside import WHOLE, Custom, Inside, customs_of, outside_why, serves, templates_of
from provisioning.moving.listing import PAGE
from provisioning.moving.not_moving import not_moving
from provisioning.moving.workloads import KINDS, Seen, workloads_in

AT_ONCE: Final = 4
"""Lists that are read side by side: nothing can be written to the cluster meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What nobody chose about, and the Jobs that run although somebody chose to wait for them."""

    unchosen: tuple[Finding, ...]
    jobs: tuple[str, ...]


def chosen_look(kube: KubeClient, *, to: str, choices: dict[str, str]) -> Chosen:
    """As things are now. `to` is the name of the host, `choices` what was chosen. What was known before passes."""
    inside = choices_read(kube)
    findings = tuple(each for each in not_moving(inside, to=to) if each.weight is Weight.CHOICE)
    jobs = [f"{each.key.namespace}/{each.key.name}" for each in inside.workloads if each.kind is JOB]
    return Chosen(
        unchosen=Report(findings=findings).in_the_way(choices),
        jobs=tuple(jobs) if choices.get("jobs") == JOBS_WAIT else (),
    )


def choices_read(kube: KubeClient) -> Inside:
    """Of all that `inside_read` reads what can carry a choice, several kinds at a time."""
    served = kinds_served(kube)
    outside = [kind for kind in served.kinds if outside_why(kind.group)]
    whole = [kind for kind in WHOLE if serves(served, kind)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = pool.map(partial(kube.list, limit=PAGE), KINDS)
        others = pool.map(partial(kube.list, limit=PAGE), whole)
        customs = pool.map(lambda kind: customs_of(kube, kind), outside)
        seen = Seen(found=tuple(each for found in running for each in found))
        found = {kind.kind: _users(listed) for kind, listed in zip(whole, others, strict=True)}
        named = tuple(each for each in customs if each is not None)
    return _inside(served, seen, found, named)


def _users(listed: list[Json]) -> tuple[Json, ...]:
    return tuple(each for each in listed if rule_for(each) is None)


def _inside(served: Served, seen: Seen, found: dict[str, tuple[Json, ...]], customs: tuple[Custom, ...]) -> Inside:
    def of(kind: Kind) -> tuple[Json, ...]:
        return found.get(kind.kind, ())

    workloads = workloads_in(seen)
    return Inside(
        workloads=workloads,
        templates=templates_of(seen, workloads),
        claims=of(PERSISTENT_VOLUME_CLAIM),
        volumes=of(PERSISTENT_VOLUME),
        services=of(SERVICE),
        ingresses=of(INGRESS),
        customs=customs,
        policies=serves(served, VALIDATING_ADMISSION_POLICY),
    )
