"""Keeping hosts' credentials alive, and saying in time where Marina cannot."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import OuterRef, Subquery

from accounts.services.audit import Actor
from clusters.models import (
    Condition,
    HostCluster,
    HostCredential,
    HostPhase,
    Operation,
    OperationKind,
    OperationState,
    condition_set,
)
from clusters.services.operations import operation_start

WARN_BEFORE = timedelta(days=14)
PAUSE_MOST = timedelta(hours=1)
PAUSES_A_LIFE = 30
"""Half of them lie in the half in which it is renewed: short-lived tokens get 10 tries and more, others one an hour."""
ACTOR = Actor(user=None, name="marina credential renewal")


def credentials_renew(*, now: datetime) -> int:
    """Starts `renew-credential` for each token past half of its life, and warns where Marina cannot; how many started.

    A renewal that failed is started again after a pause: until the credential ends there is a chance.
    """
    started = 0
    ending = HostCredential.objects.filter(expires_at__isnull=False, ciphertext__isnull=False).annotate(
        failed_at=_failed_at()
    )
    for credential in ending.filter(host__phase=HostPhase.CONNECTED).select_related("host").defer("ciphertext"):
        if credential.renewable and _half_over(credential, now) and not _paused(credential, now):
            with transaction.atomic():
                kind = OperationKind.RENEW_CREDENTIAL
                started += operation_start(kind=kind, subject=credential.host, actor=ACTOR, now=now).created
        elif not credential.renewable:
            _warn(credential, now)
    return started


def _half_over(credential: HostCredential, now: datetime) -> bool:
    if credential.expires_at is None or credential.issued_at is None:
        return False
    return now >= credential.issued_at + _life(credential) / 2


def _paused(credential: HostCredential, now: datetime) -> bool:
    failed_at: datetime | None = credential.failed_at  # type: ignore[attr-defined]
    return failed_at is not None and now < failed_at + min(PAUSE_MOST, _life(credential) / PAUSES_A_LIFE)


def _life(credential: HostCredential) -> timedelta:
    if credential.expires_at is None or credential.issued_at is None:
        return timedelta(0)
    return credential.expires_at - credential.issued_at


def _failed_at() -> Subquery:
    """When the newest renewal ended that did not succeed."""
    ended = (OperationState.FAILED, OperationState.ABORTED)
    renewals = Operation.objects.filter(
        host=OuterRef("host"), kind=OperationKind.RENEW_CREDENTIAL, state__in=ended, finished_at__isnull=False
    )
    return Subquery(renewals.order_by("-finished_at").values("finished_at")[:1])


@transaction.atomic
def _warn(credential: HostCredential, now: datetime) -> None:
    ends = credential.expires_at
    if ends is None or now < ends - WARN_BEFORE:
        return
    host = HostCluster.objects.select_for_update(of=("self",)).get(pk=credential.host_id)
    condition = Condition(
        type="CredentialExpiring",
        status="True",
        reason="CannotRenew" if now < ends else "Expired",
        message=f"Its credential ends at {ends:%Y-%m-%d %H:%M} UTC, and Marina cannot renew this kind. "
        "Give it a new one before that (marina host connect).",
    )
    host.conditions = condition_set(host.conditions, condition, now=now)
    host.save(update_fields=["conditions"])
