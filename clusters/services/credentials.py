"""Keeping hosts' credentials alive, and saying in time where Marina cannot."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.services.audit import Actor
from clusters.models import Condition, HostCluster, HostCredential, HostPhase, OperationKind, condition_set
from clusters.services.operations import operation_start

WARN_BEFORE = timedelta(days=14)
ACTOR = Actor(user=None, name="marina credential renewal")


def credentials_renew(*, now: datetime) -> int:
    """Starts `renew-credential` for each token past half of its life, and warns where Marina cannot; how many started.

    A renewal that failed is started again at the next call: until the credential ends there is a chance.
    """
    started = 0
    ending = HostCredential.objects.filter(expires_at__isnull=False, ciphertext__isnull=False)
    for credential in ending.filter(host__phase=HostPhase.CONNECTED).select_related("host").defer("ciphertext"):
        if credential.renewable and _half_over(credential, now):
            with transaction.atomic():
                kind = OperationKind.RENEW_CREDENTIAL
                started += operation_start(kind=kind, subject=credential.host, actor=ACTOR, now=now).created
        elif not credential.renewable:
            _warn(credential, now)
    return started


def _half_over(credential: HostCredential, now: datetime) -> bool:
    if credential.expires_at is None or credential.issued_at is None:
        return False
    return now >= credential.issued_at + (credential.expires_at - credential.issued_at) / 2


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
