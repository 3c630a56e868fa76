"""People: made and deactivated by platform staff, never deleted."""

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.access import staff_require
from accounts.errors import Conflict, FieldError, InvalidInput
from accounts.models import AccessToken, DeviceLogin, DeviceLoginState, Organization, RoleBinding, User
from accounts.services.access_lost import access_lost
from accounts.services.audit import Actor, audit_record
from accounts.services.glass_mending import glass_mend
from accounts.services.notifications import About, notification_send
from accounts.services.organizations import organization_lasting_admins
from accounts.services.permissions import organization_lock
from accounts.services.rows import row_lock, row_save


@transaction.atomic
def user_create(
    *,
    actor: Actor,
    handle: str,
    password: str | None = None,
    name: str = "",
    email: str = "",
    is_staff: bool = False,
    is_superuser: bool = False,
) -> User:
    """A new user; without a password, one who cannot sign in by password. Handles are never used again."""
    staff_require(actor, "create users")
    user = User(handle=handle, name=name, email=email, is_staff=is_staff, is_superuser=is_superuser)
    _password_put(user, password)
    row_save(user, taken=f"There is a user {handle} already.", field="handle")
    _audit(actor, "user.create", user, is_staff=is_staff, is_superuser=is_superuser)
    return user


@transaction.atomic
def user_update(*, actor: Actor, user: User, name: str, email: str, is_staff: bool, is_superuser: bool) -> User:
    """Changes what may change of a user: everything but the handle."""
    staff_require(actor, "change users")
    _person_check(user)
    row_lock(user)
    names = ("name", "email", "is_staff", "is_superuser")
    before = dict(User.objects.filter(pk=user.pk).values(*names).get())
    user.name, user.email, user.is_staff, user.is_superuser = name, email, is_staff, is_superuser
    row_save(user, taken="Another user has this handle.", field="handle")
    if before["is_staff"] and not is_staff:
        glass_mend(actor=actor, user=user, now=timezone.now())
    _audit(actor, "user.update", user, before=before, after={key: getattr(user, key) for key in names})
    return user


@transaction.atomic
def user_password_set(*, actor: Actor, user: User, password: str, now: datetime, field: str = "password") -> None:
    """Gives a new password, which ends the user's sessions in the browser. Access tokens stay.

    The person is told where somebody else did it. InvalidInput for a weak one names `field`.
    """
    staff_require(actor, "set passwords")
    _person_check(user)
    _password_put(user, password, field)
    user.save(update_fields=["password"])
    user_password_changed(actor=actor, user=user, now=now)


def user_password_changed(*, actor: Actor, user: User, now: datetime) -> None:
    """Records a change of the password that a form of Django's made, in the same transaction, and tells the person."""
    _audit(actor, "user.password", user)
    if actor.user is None or actor.user == user:
        return
    notification_send(
        recipients=[user],
        kind="password",
        about=About(kind="user", id=user.pk, name=user.handle),
        text=f"{actor.label} of the platform's staff set a new password for your account. If you did not ask for it, "
        "tell your platform team.",
        link=reverse("account"),
        command="marina session list",
        now=now,
    )


@transaction.atomic
def user_deactivate(*, actor: Actor, user: User, now: datetime) -> list[Organization]:
    """Ends a user's access at once, tokens and sessions included. Says which organizations have no admin now.

    It is not refused for those: when somebody has to be locked out, that comes first. Roles stay, in case of return.
    """
    staff_require(actor, "deactivate users")
    row_lock(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    _organizations_lock(user)
    administered = Organization.objects.filter(role_bindings__role="admin", role_bindings__user=user)
    through_team = Organization.objects.filter(role_bindings__role="admin", role_bindings__team__members=user)
    AccessToken.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
    # else they would go on with the day that somebody activates the user again
    for session in UserSession.objects.filter(user=user):
        session.end()
    DeviceLogin.objects.filter(user=user, state=DeviceLoginState.ALLOWED).update(state=DeviceLoginState.DENIED)
    orphaned = [
        each for each in (administered | through_team).distinct() if not organization_lasting_admins(each).exists()
    ]
    access_lost(subject=user, now=now)
    # what they made for service accounts they may have kept: whoever manages these decides whether to make new ones
    made = AccessToken.objects.filter(created_by=user, user__is_service_account=True, revoked_at=None)
    _audit(
        actor,
        "user.deactivate",
        user,
        organizations_without_admin=[each.name for each in orphaned],
        service_account_tokens_made=list(made.filter(expires_at__gt=now).values_list("prefix", flat=True)),
    )
    return orphaned


@transaction.atomic
def user_activate(*, actor: Actor, user: User) -> None:
    """Lets a deactivated user in again, with the roles that were not taken meanwhile.

    Tokens stay revoked, sessions ended.
    """
    staff_require(actor, "activate users")
    _person_check(user)
    user.is_active = True
    user.save(update_fields=["is_active"])
    _audit(actor, "user.activate", user)


def _organizations_lock(user: User) -> None:
    """Of wherever they have a role: whoever hands something over there at this moment, to them too, ends first.

    After the row of the user, which those hold who make somebody an owner.
    """
    bindings = RoleBinding.objects.filter(user=user)
    columns = ("organization", "project__organization", "virtual_cluster__project__organization")
    keys = {key for row in bindings.values_list(*columns) for key in row if key is not None}
    keys |= set(user.teams.values_list("organization", flat=True))
    for organization in Organization.objects.filter(pk__in=keys).order_by("pk"):
        organization_lock(organization)


def _person_check(user: User) -> None:
    """What stands for a service account has no password, no powers of its own, and ends with its account."""
    if user.is_service_account:
        raise Conflict(f"{user.handle} stands for a service account.", hint="Change or delete the service account.")


def _password_put(user: User, password: str | None, field: str = "password") -> None:
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise InvalidInput.of(FieldError(field=field, message=text) for text in error.messages) from None
    user.set_password(password)


def _audit(actor: Actor, action: str, user: User, **details: object) -> None:
    audit_record(actor=actor, action=action, kind="user", object_id=user.pk, name=user.handle, details=details)
