"""Keeping hosts' credentials alive, and saying in time where Marina cannot."""

from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import OuterRef, Subquery

from accounts.services.audit import Actor
from accounts.services.notifications import notification_send
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
from clusters.services.host_notices import about_host, host_keepers
from clusters.services.operations import operation_start

WARN_BEFORE = timedelta(days=14)
"""Credentials that live for less than twice that are warned of at half of their life."""
EXPIRING = "CredentialExpiring"
PAUSE_MOST = timedelta(hours=1)
PAUSES_A_LIFE = 30
"""Half of them lie in the half in which it is renewed: short-lived tokens get 10 tries and more, others one an hour."""
ACTOR = Actor(user=None, name="marina credential renewal")


def credentials_renew(*, now: datetime) -> int:
    """Starts `renew-credential` for each token past half of its life, and says of each host whether its credential
    ends soon; how many started.

    A renewal that failed is started again after a pause: until the credential ends there is a chance.
    """
    started = 0
    in_use = HostCredential.objects.filter(ciphertext__isnull=False, host__phase=HostPhase.CONNECTED)
    for credential in in_use.annotate(failed_at=_failed_at()).select_related("host").defer("ciphertext"):
        if credential.renewable and _half_over(credential, now) and not _paused(credential, now):
            with transaction.atomic():
                kind = OperationKind.RENEW_CREDENTIAL
                started += operation_start(kind=kind, subject=credential.host, actor=ACTOR, now=now).created
        _note(credential, now)
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


def _note(credential: HostCredential, now: datetime) -> None:
    """Writes the condition where it says something new. Of one that is renewed the renewal tells more, once it ran."""
    said = next((each for each in credential.host.conditions if each["type"] == EXPIRING), None)
    new = _expiring(credential, now)
    if said and (credential.renewable or all(said[key] == value for key, value in asdict(new).items())):
        return
    with transaction.atomic():
        rows = HostCluster.objects.select_for_update(of=("self",)).select_related("organization")
        host = rows.get(pk=credential.host_id)
        before = next((each for each in host.conditions if each["type"] == EXPIRING), None)
        host.conditions = condition_set(host.conditions, new, now=now)
        host.save(update_fields=["conditions"])
        if new.status == "True" and (before is None or before["reason"] != new.reason):
            _tell(host, new, now)


def _tell(host: HostCluster, said: Condition, now: datetime) -> None:
    """Once when it is time, and once when it is too late."""
    notification_send(
        recipients=host_keepers(host),
        kind="credential-expiring",
        about=about_host(host),
        text=f"{host.name}: {said.message}",
        now=now,
        command=f"marina host connect {host.name}",
    )


def _expiring(credential: HostCredential, now: datetime) -> Condition:
    ends = credential.expires_at
    if ends is None:
        return _not_soon("NoEnd", "It has no end that Marina could see.")
    if credential.renewable:
        return _not_soon("Renewable", "Marina renews its token at half of its life.")
    told = f"Its credential ends at {ends:%Y-%m-%d %H:%M} UTC, and Marina cannot renew this kind."
    life = _life(credential)
    if now < ends - (min(WARN_BEFORE, life / 2) if life else WARN_BEFORE):
        return _not_soon("NotSoon", told)
    return Condition(
        type=EXPIRING,
        status="True",
        reason="CannotRenew" if now < ends else "Expired",
        message=f"{told} Give it a new one before that (marina host connect).",
    )


def _not_soon(reason: str, message: str) -> Condition:
    return Condition(type=EXPIRING, status="False", reason=reason, message=message)
