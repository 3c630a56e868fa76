"""What organizations, projects and clusters say of upgrades that Marina does by itself."""

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from accounts.errors import InvalidInput
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_lock, row_save
from clusters.lifecycle.times import CRON_ACCEPTED, cron_check, zone_check
from clusters.models import UpgradeChannel, UpgradePolicy
from clusters.services.lifecycle_policies import Scope, organization_of, scope_column, scope_require

ACTION: Final = "virtualcluster.upgrade"
FIELDS: Final = ("channel", "window_cron", "window_seconds", "time_zone")
SHORTEST, LONGEST = 600, 7 * 86400
"""Seconds of a window."""


@transaction.atomic
def upgrade_policy_create(*, scope: Scope, actor: Actor, says: Mapping[str, Any]) -> UpgradePolicy:
    """`says`: some of the policy's fields. InvalidInput names the field. Conflict where the scope has one."""
    scope_require(actor, scope, on_cluster=ACTION)
    policy = UpgradePolicy(**scope_column(scope))
    _say(policy, says)
    row_save(policy, taken=f"{scope} has a policy already; change that one.", field=next(iter(scope_column(scope))))
    _audit(actor, "upgrade-policy.create", policy, after=_told(policy))
    return policy


@transaction.atomic
def upgrade_policy_update(*, policy: UpgradePolicy, actor: Actor, says: Mapping[str, Any]) -> UpgradePolicy:
    """Changes the fields that are given; what is not given stays."""
    scope_require(actor, policy.scope, on_cluster=ACTION)
    row_lock(policy)
    before = _told(policy)
    _say(policy, says)
    policy.save()
    _audit(actor, "upgrade-policy.update", policy, before=before, after=_told(policy))
    return policy


@transaction.atomic
def upgrade_policy_delete(*, policy: UpgradePolicy, actor: Actor) -> None:
    """From then on the wider scope counts."""
    scope_require(actor, policy.scope, on_cluster=ACTION)
    _audit(actor, "upgrade-policy.delete", policy, before=_told(policy))
    policy.delete()


def _say(policy: UpgradePolicy, says: Mapping[str, Any]) -> None:
    """Sets what is said, then checks the whole: a window is a time and a length."""
    for name, value in says.items():
        setattr(policy, name, " ".join(value.split()) if name == "window_cron" else value)
    if policy.channel and policy.channel not in UpgradeChannel.values:
        raise InvalidInput(
            f"There is no channel {policy.channel}.", field="channel", accepted=", ".join(UpgradeChannel.values)
        )
    zone_check(policy.time_zone)
    if policy.window_cron:
        cron_check(policy.window_cron, field="window_cron", time_zone=policy.time_zone)
    _window_check(policy)
    if not policy.channel and not policy.window_cron:
        raise InvalidInput("The policy says nothing.", field="channel", accepted="a channel, a window, or both")


def _window_check(policy: UpgradePolicy) -> None:
    if bool(policy.window_cron) == (policy.window_seconds is not None):
        if policy.window_seconds is not None and not SHORTEST <= policy.window_seconds <= LONGEST:
            raise InvalidInput(
                f"A window of {policy.window_seconds} s is not possible.",
                field="window_seconds",
                accepted=f"{SHORTEST} to {LONGEST} seconds",
            )
        return
    missing = "window_seconds" if policy.window_cron else "window_cron"
    raise InvalidInput(
        "A window is a time at which it begins, and how long it lasts.",
        field=missing,
        accepted=CRON_ACCEPTED if missing == "window_cron" else f"{SHORTEST} to {LONGEST} seconds",
    )


def _told(policy: UpgradePolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in FIELDS}


def _audit(
    actor: Actor,
    action: str,
    policy: UpgradePolicy,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="upgrade-policy",
        object_id=policy.pk,
        name=str(policy)[:120],
        organization_id=organization_of(policy.scope).pk,
        before=before,
        after=after,
    )
