"""Whose account an issuer's person has: found, linked by a trusted e-mail address, or made."""

import hashlib
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from accounts.errors import Conflict
from accounts.handles import handle_from, handles_alike
from accounts.models import User
from accounts.oidc.claims import Claims
from accounts.oidc.issuers import OidcIssuer, issuers
from accounts.services.audit import Actor, audit_record
from accounts.services.users import user_create


def identity_uid(claims: Claims) -> str:
    """Names the person over all issuers, so that another issuer under the same id opens nobody's account."""
    return hashlib.sha256(f"{claims.issuer}\n{claims.subject}".encode()).hexdigest()


def identity_extra(claims: Claims) -> dict[str, Any]:
    """What is kept of the claims: whom they name, and the groups, which are applied when the sign-in is complete."""
    return {"iss": claims.issuer, "sub": claims.subject, "groups": sorted(claims.groups)}


def identities_of(user: User) -> list[SocialAccount]:
    """The issuers' people that may sign in as this user."""
    return list(SocialAccount.objects.filter(user=user).order_by("date_joined"))


@transaction.atomic
def identity_user(*, actor: Actor, claims: Claims, issuer: OidcIssuer) -> User:
    """The user of somebody who is not known yet: linked where the issuer is trusted with that, else new."""
    user = _by_email(claims) if issuer.trust_email and claims.email_verified else None
    if user is None:
        user = _made(claims, issuer)
    _identity_add(actor, user, claims, issuer)
    return user


@transaction.atomic
def identity_connect(*, actor: Actor, user: User, claims: Claims, issuer: OidcIssuer) -> None:
    """Lets this person of the issuer sign in as `user`, who asked for it. Raises Conflict for another's identity."""
    known = SocialAccount.objects.filter(provider=issuer.id, uid=identity_uid(claims)).select_related("user").first()
    if known is None:
        _identity_add(actor, user, claims, issuer)
    elif known.user != user:
        raise Conflict(
            f"That account of {issuer.name} signs in as somebody else here.",
            hint="Sign out there, and connect with your own account.",
        )


@transaction.atomic
def identity_disconnect(*, actor: Actor, user: User, key: int) -> None:
    """Takes one of the user's ways to sign in away. Raises Conflict where it is the last."""
    rows = SocialAccount.objects.select_for_update().filter(user=user)
    found = next((row for row in rows if row.pk == key), None)
    if found is None:
        return
    if len(rows) == 1 and not user.has_usable_password():
        raise Conflict("This is your only way to sign in.", hint="Ask the platform team for a password first.")
    _audit(actor, "user.identity.disconnect", user, found.extra_data.get("iss", ""), found.extra_data.get("sub", ""))
    found.delete()


def _by_email(claims: Claims) -> User | None:
    """The one active user with this address. Platform staff connect by themselves: an issuer makes nobody staff so.

    Whoever came by an issuer that is not trusted with addresses is not meant: its word could have put the address there
    so that its owner, who comes later, shares an account with somebody else.
    """
    if not claims.email:
        return None
    trusted = [each.id for each in issuers() if each.trust_email]
    doubtful = SocialAccount.objects.exclude(provider__in=trusted).values("user")
    found = User.objects.filter(email__iexact=claims.email, is_active=True).exclude(pk__in=doubtful)[:2]
    return found[0] if len(found) == 1 and not found[0].is_staff and not found[0].is_superuser else None


def _made(claims: Claims, issuer: OidcIssuer) -> User:
    # an address that nobody verified may be another person's, who would get this one's mails and invitations; and what
    # the e-mail field would refuse is left out, too: neither is a reason to keep somebody out
    fits = claims.email_verified and "@" in claims.email and " " not in claims.email
    email = claims.email if fits else ""
    for handle in handles_alike(handle_from(claims.handle, claims.email, claims.name)):
        if User.objects.filter(handle=handle).exists():
            continue
        try:
            return user_create(
                actor=Actor(user=None, name=f"OpenID Connect ({issuer.id})"),
                handle=handle,
                name=claims.name,
                email=email,
            )
        except Conflict:  # taken this moment
            continue
    raise AssertionError("there is always a next handle")


def _identity_add(actor: Actor, user: User, claims: Claims, issuer: OidcIssuer) -> None:
    SocialAccount.objects.create(
        user=user, provider=issuer.id, uid=identity_uid(claims), extra_data=identity_extra(claims)
    )
    _audit(actor, "user.identity.connect", user, claims.issuer, claims.subject)


def _audit(actor: Actor, action: str, user: User, issuer: str, subject: str) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="user",
        object_id=user.pk,
        name=user.handle,
        details={"issuer": issuer, "subject": subject},
    )
