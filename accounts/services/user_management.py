"""People as platform staff keep them by the API: never themselves, and superusers only by superusers."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.access import staff_require
from accounts.errors import Conflict, NotAllowed
from accounts.models import Organization, User
from accounts.services.audit import Actor
from accounts.services.rows import row_lock
from accounts.services.users import user_activate, user_create, user_deactivate, user_password_set, user_update


@transaction.atomic
def managed_user_create(
    *, actor: Actor, handle: str, password: str | None = None, name: str = "", email: str = "", is_staff: bool = False
) -> User:
    """As user_create; that only superusers make platform staff is asked here."""
    staff_require(actor, "create users")
    if is_staff:
        _superuser_require(actor, "make platform staff")
    return user_create(actor=actor, handle=handle, password=password, name=name, email=email, is_staff=is_staff)


@dataclass(frozen=True)
class ManagedChange:
    """The person as they are now, and which organizations have no admin without them."""

    user: User
    without_admin: tuple[Organization, ...] = ()


@transaction.atomic
def managed_user_update(
    *,
    actor: Actor,
    user: User,
    now: datetime,
    name: str | None = None,
    email: str | None = None,
    is_staff: bool | None = None,
    is_active: bool | None = None,
) -> ManagedChange:
    """Changes what was given (None: it stays). Raises Conflict for oneself, NotAllowed where it takes a superuser."""
    _managed_check(actor, user, "change")
    if is_staff is not None and is_staff != user.is_staff:
        _superuser_require(actor, "make or unmake platform staff")
    wanted = (
        user.name if name is None else name,
        user.email if email is None else email,
        user.is_staff if is_staff is None else is_staff,
    )
    if wanted != (user.name, user.email, user.is_staff):
        new_name, new_email, staff = wanted
        user_update(
            actor=actor, user=user, name=new_name, email=new_email, is_staff=staff, is_superuser=user.is_superuser
        )
    return ManagedChange(user, _activity_set(actor, user, is_active, now))


def _activity_set(actor: Actor, user: User, is_active: bool | None, now: datetime) -> tuple[Organization, ...]:
    if is_active is None or is_active == user.is_active:
        return ()
    if not is_active:
        return tuple(user_deactivate(actor=actor, user=user, now=now))
    user_activate(actor=actor, user=user)
    return ()


@transaction.atomic
def managed_password_set(*, actor: Actor, user: User, password: str, now: datetime, field: str = "password") -> None:
    """As user_password_set, with the same rules as managed_user_update."""
    _managed_check(actor, user, "set the password of")
    user_password_set(actor=actor, user=user, password=password, now=now, field=field)


def _managed_check(actor: Actor, user: User, what: str) -> None:
    staff_require(actor, f"{what} other users")
    row_lock(user)  # who was made a superuser meanwhile is one
    if actor.user == user:
        raise Conflict("You cannot do this to yourself.", hint="Ask others of your platform team.")
    if user.is_superuser:
        _superuser_require(actor, f"{what} a superuser")


def _superuser_require(actor: Actor, what: str) -> None:
    if actor.user is not None and not actor.user.is_superuser:
        raise NotAllowed(f"Only superusers may {what}.", hint="Ask one of them.")
