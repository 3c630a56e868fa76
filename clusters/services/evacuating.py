"""Emptying a host that works: nothing new is placed there, and all that is on it moves away, as a rollout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction

from accounts.access import platform_staff
from accounts.errors import Conflict
from accounts.services.audit import Actor, audit_record
from clusters.access import host_require
from clusters.models import HostCluster, Placement, PlacementRole, Rollout, RolloutAction
from clusters.names import NAME_MAX
from clusters.services.hosts import host_update
from clusters.services.rollouts import RolloutOrder, rollout_create

ALL_AT_ONCE: Final = ("100%",)
ALL_MAY_FAIL: Final = "100%"
"""One that cannot go keeps no other back."""
AT_ONCE: Final = 5


@dataclass(frozen=True, kw_only=True)
class Evacuation:
    """`choices`: for all of them, by the name of what a preflight asks. `to` None: Marina chooses for each."""

    to: HostCluster | None = None
    max_parallel: int = AT_ONCE
    choices: Mapping[str, str] = field(default_factory=dict)


@transaction.atomic
def host_evacuate(*, host: HostCluster, actor: Actor, now: datetime, wish: Evacuation) -> Rollout | None:
    """Cordons it, and begins a rollout of moves of all that is on it; None where nothing is.

    For who may change the host and roll out where its clusters are; of an organization's host its admins move what is
    the organization's. What needs a choice that was not given, or can go nowhere, is a failed member that says why,
    and stays. Conflict where the host is lost, or is being emptied already.
    """
    if actor.user is not None and not actor.platform:
        host_require(actor.user, "host.update", host)
    if host.lost_at is not None:
        raise Conflict(
            f"{host.name} is lost: nothing can be carried from there.",
            hint=f"What was on it is made again from its exports: marina host lost {host.name}.",
        )
    if not host.cordoned:
        host_update(host=host, actor=actor, cordoned=True)
    on_it = Placement.objects.filter(host=host, role=PlacementRole.ACTIVE)
    rollout = rollout_create(order=_order(host, actor, wish), actor=actor, now=now) if on_it.exists() else None
    audit_record(
        actor=actor,
        action="host.evacuate",
        kind="host-cluster",
        object_id=host.pk,
        name=host.name,
        organization_id=host.organization_id,
        details={"rollout": str(rollout.pk) if rollout else "", "to": wish.to.name if wish.to else ""},
    )
    return rollout


def _order(host: HostCluster, actor: Actor, wish: Evacuation) -> RolloutOrder:
    everybody = actor.user is None or actor.platform or platform_staff(actor.user)
    return RolloutOrder(
        name=evacuation_name(host),
        action=RolloutAction.MIGRATE,
        organization=None if everybody else host.organization,
        on_host=host,
        to=wish.to,
        choices=wish.choices,
        waves=ALL_AT_ONCE,
        failure_budget=ALL_MAY_FAIL,
        max_parallel=wish.max_parallel,
    )


def evacuation_name(host: HostCluster) -> str:
    """What its rollout is called."""
    return f"evacuate-{host.name}"[:NAME_MAX].rstrip("-")
