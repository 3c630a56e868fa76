"""Handing out direct kubeconfigs. The token is made by a worker and sealed to a key that only the requester has."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from accounts.access import require
from accounts.errors import Conflict, Gone, InvalidInput, NotFound
from accounts.models import User
from accounts.role_reach import allowed_until
from accounts.services.audit import Actor
from accounts.spans import span_words, spans_accepted
from clusters.access import KUBECONFIG_LEVELS
from clusters.models import Operation, OperationKind, VirtualCluster, VirtualClusterPhase
from clusters.services.ceilings import ceiling_check
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.direct_kubeconfigs import direct_check
from clusters.services.kubeconfig_grants import grant_put
from clusters.services.kubeconfig_levels import holder_of, level_chosen
from clusters.services.operations import operation_start

LEVELS: Final = KUBECONFIG_LEVELS
PUBLIC_KEY_BYTES: Final = 32


@transaction.atomic
def kubeconfig_issue(
    *,
    virtual_cluster: VirtualCluster,
    public_key: str,
    actor: Actor,
    now: datetime,
    level: str = "",
    expires_in: int | None = None,
) -> Operation:
    """Starts the operation whose sealed result is a kubeconfig for the acting user.

    `level`: admin or view; empty gives the highest that the role and the ceilings allow. `expires_in`: seconds, cut
    where the role ends sooner. `public_key`: base64 of a one-time X25519 key. Raises InvalidInput, NotAllowed (also
    where the project gives out no direct ones), or Conflict where the cluster is not Ready.
    """
    user = holder_of(actor)
    chosen = level_chosen(user, virtual_cluster, level)
    direct_check(virtual_cluster)
    seconds = _expiry(settings.KUBECONFIG_DEFAULT_SECONDS if expires_in is None else expires_in)
    seconds = _within_role(user, virtual_cluster, chosen, seconds, now)
    _key_check(public_key)
    if virtual_cluster.phase != VirtualClusterPhase.READY:
        raise Conflict(
            f"{virtual_cluster} is {virtual_cluster.phase}; a kubeconfig can be given out once it is Ready.",
            hint=f"Wake it: marina wake {virtual_cluster.name}."
            if virtual_cluster.phase == VirtualClusterPhase.ASLEEP
            else f"See what it is waiting for: marina get {virtual_cluster.name}.",
        )
    started = operation_start(
        kind=OperationKind.ISSUE_KUBECONFIG,
        subject=virtual_cluster,
        actor=actor,
        now=now,
        params={"level": chosen, "expires_in": seconds, "public_key": public_key},
    )
    grant_put(operation=started.operation, level=chosen, expires_at=now + timedelta(seconds=seconds))
    virtual_cluster_audit(
        actor,
        f"virtualcluster.kubeconfig.{chosen}",
        virtual_cluster,
        details={"expires_in": seconds, "operation": str(started.operation.pk)},
    )
    return started.operation


def _within_role(user: User, cluster: VirtualCluster, level: str, seconds: int, now: datetime) -> int:
    """A kubeconfig ends with the role that gives it, at the latest."""
    end = allowed_until(user, f"virtualcluster.kubeconfig.{level}", cluster)
    left = seconds if end is None else int((end - now).total_seconds())
    if left < settings.KUBECONFIG_MINIMUM_SECONDS:
        raise Conflict(
            f"Your role for {cluster} ends in {span_words(max(left, 0))}, and a kubeconfig holds for "
            f"{span_words(settings.KUBECONFIG_MINIMUM_SECONDS)} at least.",
            hint="Have the role prolonged, then ask again.",
            code="role-ends-soon",
        )
    return min(seconds, left)


def _expiry(seconds: int) -> int:
    least, most = settings.KUBECONFIG_MINIMUM_SECONDS, settings.KUBECONFIG_MAXIMUM_SECONDS
    if not least <= seconds <= most:
        raise InvalidInput(
            f"A kubeconfig cannot be valid for {span_words(seconds)}.",
            field="expires_in",
            accepted=f"{spans_accepted(least, most)}; Kubernetes grants no less",
        )
    return seconds


def _key_check(public_key: str) -> None:
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        raise InvalidInput(
            "This is no X25519 public key.",
            field="public_key",
            accepted="32 bytes in base64, made for this one request",
        )


@transaction.atomic
def sealed_result_take(*, operation: Operation, actor: Actor, now: datetime) -> bytes:
    """Gives the sealed result to the person who asked for it, once, and deletes it.

    Raises NotFound for anybody else or where there never was one (yet), NotAllowed where the role no longer gives what
    was asked for with it, Gone once it was read or its time is over.
    """
    locked = Operation.objects.select_for_update().get(pk=operation.pk)
    if locked.sealed_until is None or actor.user is None or locked.requested_by_id != actor.user.pk:
        raise NotFound("This operation holds nothing for you.")
    if locked.virtual_cluster is not None:
        level = locked.params.get("level", LEVELS[0])
        require(actor.user, f"virtualcluster.kubeconfig.{level}", locked.virtual_cluster)
        ceiling_check(level, locked.virtual_cluster)
        direct_check(locked.virtual_cluster)
    sealed = locked.sealed_result
    if sealed is None or locked.sealed_until <= now:
        raise Gone("This was handed over already, or nobody fetched it in time.", hint="Ask for a new one.")
    locked.sealed_result, locked.sealed_until = None, now
    locked.save(update_fields=["sealed_result", "sealed_until"])
    return bytes(sealed)


def sealed_results_expire(*, now: datetime) -> int:
    """Deletes sealed results that nobody fetched in time; how many."""
    return Operation.objects.filter(sealed_until__lt=now, sealed_result__isnull=False).update(sealed_result=None)
