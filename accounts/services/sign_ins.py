"""The record of who signed in, how, and whether it was the first time."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from accounts.services.audit import Actor, audit_record
from accounts.services.first_sign_in import first_sign_in


@transaction.atomic
def sign_in_record(*, actor: Actor, user: User, by: str, second_factor: bool = False, now: datetime) -> None:
    """Notes a completed sign-in to the pages. `by` says how: "password", or the issuer's address."""
    sign_in_note(user=user, now=now)
    audit_record(
        actor=actor,
        action="sign-in",
        kind="user",
        object_id=user.pk,
        name=user.handle,
        details={"by": by, "second_factor": second_factor},
    )


def sign_out_record(*, actor: Actor, user: User) -> None:
    """Notes that somebody ended the session they are in."""
    audit_record(actor=actor, action="sign-out", kind="user", object_id=user.pk, name=user.handle)


@transaction.atomic
def sign_in_note(*, user: User, now: datetime) -> None:
    """Moves `last_login` on, and calls `first_sign_in` the first time. Two at the same time count as one first."""
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if locked.last_login is None:
        first_sign_in(user=locked, now=now)
    User.objects.filter(pk=user.pk).update(last_login=now)
    user.last_login = now
