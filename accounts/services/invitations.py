"""Invitations by link: made and revoked by who may give the role, accepted by whoever has the link."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from accounts.access import actor_require
from accounts.actions_held import actions_held
from accounts.errors import Conflict, Gone, InvalidInput, NotAllowed, NotFound
from accounts.invitation_text import invitation_digest, invitation_digests, invitation_link, invitation_secret_new
from accounts.models import Invitation, Organization, Project, RoleBinding, User
from accounts.services.audit import Actor, audit_record
from accounts.services.first_sign_in import first_sign_in
from accounts.services.invitation_mails import invitation_mail_drop, invitation_mail_queue
from accounts.services.notification_channels import mail_configured
from accounts.services.notifications import About, notification_send
from accounts.services.permissions import binding_column, organization_lock, organization_of
from accounts.services.role_bindings import members_action, outsider_check
from accounts.services.role_ceiling import own_time_require, within_own_require
from accounts.services.role_giving import role_put
from accounts.services.roles_named import NamedRole, role_named
from accounts.services.rows import row_validate
from accounts.sign_in import INVITATION_MAILS, invitation_mail_count
from accounts.spans import span_words, spans_accepted
from accounts.token_scope import unlimited_require

DEFAULT_SECONDS: Final = 7 * 86400
MINIMUM_SECONDS: Final = 60
MAXIMUM_SECONDS: Final = 30 * 86400


@dataclass(frozen=True)
class InvitationMade:
    """A new invitation's row, and the only copy of its link's secret."""

    invitation: Invitation
    secret: str = field(repr=False)

    @property
    def link(self) -> str:
        """To be handed to the person who is invited."""
        return invitation_link(self.secret)


@transaction.atomic
def invitation_create(
    *,
    actor: Actor,
    scope: Organization | Project,
    role: str,
    email: str = "",
    expires_in: int | None = None,
    now: datetime,
) -> InvitationMade:
    """A link that gives `role` in `scope` to the first person who accepts it, within `expires_in` seconds (7 days).

    With `email` only somebody with that address may, and it is mailed there where the installation sends mail. Its link
    is never to be had again.
    """
    actor_require(actor, members_action(scope), scope)
    organization_lock(scope)  # no role is deleted meanwhile
    within_own_require(actor, role=role, actions=role_named(role, scope).actions, scope=scope)
    inviter = _inviter(actor, email)
    secret = invitation_secret_new()
    invitation = Invitation(
        organization=organization_of(scope),
        project=scope if isinstance(scope, Project) else None,
        role=role,
        email=email,
        digest=invitation_digest(secret),
        expires_at=_open_until(expires_in, now),
        created_by=inviter,
    )
    row_validate(invitation)
    invitation.save(force_insert=True)
    mail = invitation_mail_queue(invitation=invitation, secret=secret, now=now)
    _audit(actor, "invitation.create", invitation, expires_at=invitation.expires_at.isoformat(), mail=mail)
    return InvitationMade(invitation, secret)


@transaction.atomic
def invitation_resend(
    *, actor: Actor, invitation: Invitation, expires_in: int | None = None, now: datetime
) -> InvitationMade:
    """A new link for the same invitation, good for `expires_in` seconds (7 days) from now; mailed as the first was.

    The link before is worth nothing from now on. Whoever asks is the inviter now, so that the link gives what they may
    give. Raises Conflict where the invitation was accepted or revoked.
    """
    actor_require(actor, members_action(invitation.scope), invitation.scope)
    inviter = _inviter(actor, invitation.email)
    organization_lock(invitation.scope)
    locked = Invitation.objects.select_related("organization", "project__organization").get(pk=invitation.pk)
    state = locked.state(now=now)
    if state not in ("open", "expired"):
        raise Conflict(f"This invitation is {state}.", hint="Make a new one where one is needed.")
    scope = locked.scope
    within_own_require(actor, role=locked.role, actions=role_named(locked.role, scope).actions, scope=scope)
    before = {"invited_by": invitation.created_by.handle, "expires_at": locked.expires_at.isoformat()}
    secret = invitation_secret_new()
    locked.digest, locked.created_by = invitation_digest(secret), inviter
    locked.expires_at = _open_until(expires_in, now)
    locked.save(update_fields=["digest", "created_by", "expires_at"])
    mail = invitation_mail_queue(invitation=locked, secret=secret, now=now)
    after = {"invited_by": inviter.handle, "expires_at": locked.expires_at.isoformat()}
    _audit(actor, "invitation.resend", locked, before=before, after=after, mail=mail)
    return InvitationMade(locked, secret)


def _open_until(expires_in: int | None, now: datetime) -> datetime:
    seconds = DEFAULT_SECONDS if expires_in is None else expires_in
    if not MINIMUM_SECONDS <= seconds <= MAXIMUM_SECONDS:
        raise InvalidInput(
            f"An invitation cannot be open for {span_words(seconds)}.",
            field="expires_in",
            accepted=spans_accepted(MINIMUM_SECONDS, MAXIMUM_SECONDS),
        )
    return now + timedelta(seconds=seconds)


def _inviter(actor: Actor, email: str) -> User:
    if actor.user is None or actor.user.is_service_account:
        raise NotAllowed("Only a person can invite somebody.")
    if email and mail_configured() and (wait := invitation_mail_count(person=actor.user.pk)):
        raise Conflict(
            f"You had {INVITATION_MAILS.tries} invitations mailed within an hour.",
            hint=f"Go on in {span_words(wait)}, or make them without an address and hand the links over yourself.",
        )
    return actor.user


def invitation_find(*, secret: str, now: datetime) -> Invitation:
    """The open invitation of this link. Raises NotFound where there never was one, Gone where it is over."""
    rows = Invitation.objects.select_related("organization", "project__organization", "created_by", "used_by")
    invitation = rows.filter(digest__in=invitation_digests(secret)).first()
    if invitation is None:
        raise NotFound("There is no such invitation.", hint="Was the whole link copied? Else ask for a new one.")
    state = invitation.state(now=now)
    if state != "open":
        raise Gone(f"This invitation is {state}.", hint=f"Ask {invitation.created_by.handle} for a new one.")
    return invitation


@transaction.atomic
def invitation_accept(*, actor: Actor, secret: str, now: datetime) -> Invitation:
    """Gives the acting person the role, once. The inviter must still be one who may give it.

    Raises NotFound, Gone, or NotAllowed where it was meant for another address or from outside.
    """
    user = actor.user
    if user is None or user.is_service_account or not user.is_active:
        raise NotAllowed("Only a person can accept an invitation.")
    unlimited_require(user, "accept an invitation")
    organization_lock(invitation_find(secret=secret, now=now).scope)
    invitation = invitation_find(secret=secret, now=now)  # as it is now that nobody else can use it
    _meant_for_check(invitation, user)
    named = _inviter_check(invitation, user)
    scope = invitation.scope
    if user == invitation.created_by:
        own_time_require(actor, actions=named.actions, scope=scope, expires_at=None, field="token")
    held = RoleBinding.objects.filter(**{binding_column(scope): scope}, user=user, role=invitation.role)
    if not held.filter(expires_at=None).exists():
        held.delete()  # the same role until some time; this one is lasting
        role_put(actor=actor, subject=user, role=invitation.role, custom_role=named.custom, scope=scope, now=now)
    invitation.used_by, invitation.used_at = user, now
    invitation.save(update_fields=["used_by", "used_at"])
    invitation_mail_drop(invitation=invitation, why="The invitation was accepted before.")
    _audit(actor, "invitation.accept", invitation, invited_by=invitation.created_by.handle)
    if isinstance(scope, Organization):
        first_sign_in(user=user, now=now)
    notification_send(
        recipients=[invitation.created_by],
        kind="invitation-accepted",
        about=About(
            kind=binding_column(scope), id=scope.pk, name=str(scope), organization_id=invitation.organization_id
        ),
        text=f"{user.handle} accepted your invitation and is {invitation.role} of {scope} now.",
        now=now,
    )
    return invitation


@transaction.atomic
def invitation_revoke(*, actor: Actor, invitation: Invitation, now: datetime) -> None:
    """Ends an open invitation at once; revoking it again changes nothing. Conflict where it was used."""
    actor_require(actor, members_action(invitation.scope), invitation.scope)
    organization_lock(invitation.scope)
    locked = Invitation.objects.select_related("organization", "project__organization").get(pk=invitation.pk)
    if locked.used_at is not None:
        raise Conflict("This invitation was accepted already.", hint="Take the role away instead.")
    if locked.revoked_at is None:
        locked.revoked_at = now
        locked.save(update_fields=["revoked_at"])
        invitation_mail_drop(invitation=locked, why="The invitation was revoked before.")
        _audit(actor, "invitation.revoke", locked)


def _meant_for_check(invitation: Invitation, user: User) -> None:
    if invitation.email and invitation.email.casefold() != user.email.casefold():
        raise NotAllowed(
            "This invitation was made for another email address than yours.",
            hint=f"Sign in as who it was made for, or ask {invitation.created_by.handle} for a new one.",
        )


def _inviter_check(invitation: Invitation, user: User) -> NamedRole:
    """What it gives, if who made it may still give that."""
    inviter, scope = invitation.created_by, invitation.scope
    named = role_named(invitation.role, scope)
    if not named.actions | {members_action(scope)} <= actions_held(inviter, scope).keys():
        raise Gone(
            f"{inviter.handle}, who made this invitation, may no longer give the role {invitation.role} of {scope}.",
            hint=f"Ask an admin of {scope} for a new one.",
        )
    outsider_check(Actor(user=inviter), user, scope, invitation.organization)
    return named


def _audit(actor: Actor, action: str, invitation: Invitation, **details: object) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="invitation",
        object_id=invitation.pk,
        name=str(invitation)[:120],
        organization_id=invitation.organization_id,
        details={"role": invitation.role, "email": invitation.email, **details},
    )
