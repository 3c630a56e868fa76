"""Access tokens: made, used, revoked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from accounts.access import actor_require, platform_staff, projects_where, staff_require
from accounts.errors import FieldError, InvalidInput, NotAllowed, NotFound
from accounts.limits import PLATFORM, TOKEN_ACTIONS
from accounts.models import AccessToken, FederationRule, Project, ServiceAccount, User
from accounts.services.audit import Actor, audit_record
from accounts.services.role_ceiling import account_within_own_require
from accounts.services.rows import row_validate
from accounts.services.token_maximum import token_seconds
from accounts.tokens import TokenText

_USE_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class TokenMade:
    """A new token's row, and the only copy of its text."""

    token: AccessToken
    text: str = field(repr=False)


@transaction.atomic
def token_create(
    *,
    actor: Actor,
    user: User,
    name: str,
    expires_in: int | None,
    now: datetime,
    actions: Sequence[str] = (),
    projects: Sequence[Project] = (),
) -> TokenMade:
    """A token of `user` that ends after `expires_in` seconds (None: the default). Its text is never to be had again.

    `actions` and `projects` limit it; empty means all that its holder may. People make tokens for themselves, and for
    service accounts whoever manages these. NotAllowed for others and for who came with a limited token; InvalidInput
    names what cannot be accepted.
    """
    _making_check(actor, user)
    _limits_check(user, actions, projects)
    seconds = token_seconds(holder=user, projects=projects, wanted=expires_in, now=now)
    made = token_write(
        holder=user,
        name=name,
        expires_at=now + timedelta(seconds=seconds),
        actions=actions,
        projects=projects,
        created_by=actor.user,
    )
    _audit(actor, "token.create", made.token, **_told(made.token))
    return made


def token_write(
    *,
    holder: User,
    name: str,
    expires_at: datetime,
    actions: Iterable[str] = (),
    projects: Iterable[Project] = (),
    created_by: User | None = None,
    rule: FederationRule | None = None,
) -> TokenMade:
    """The row of a new token, in the caller's transaction. The caller has asked who may have it, and records it."""
    text = TokenText.new()
    token = AccessToken(
        user=holder,
        name=name,
        prefix=text.prefix,
        digest=text.digest,
        actions=sorted(set(actions)),
        projects=sorted({str(each.pk) for each in projects}),
        created_by=created_by,
        federation_rule=rule,
        expires_at=expires_at,
    )
    row_validate(token)
    token.save(force_insert=True)
    return TokenMade(token, text.text)


def _making_check(actor: Actor, user: User) -> None:
    if actor.user is None:
        return
    if actor.user.limits is not None:
        raise NotAllowed(
            "A token that is limited to some actions or projects makes no other token.",
            hint="Make it with a token that is not limited: `marina login` gives you one.",
        )
    if user.is_service_account:
        actor_require(actor, "serviceaccount.manage", user.service_account.project)
        account_within_own_require(actor, user.service_account)
    elif actor.user != user:
        raise NotAllowed("You can make tokens only for yourself.")


def _limits_check(user: User, actions: Sequence[str], projects: Sequence[Project]) -> None:
    known = TOKEN_ACTIONS if platform_staff(user) else tuple(each for each in TOKEN_ACTIONS if each != PLATFORM)
    errors = [
        FieldError(
            field=f"actions[{index}]",
            message=f"There is no action {action[:60]!r} for you.",
            accepted=_near(action, known),
        )
        for index, action in enumerate(actions)
        if action not in known
    ]
    seen = set(projects_where(user, "project.view").filter(pk__in=[each.pk for each in projects]).values_list("pk"))
    errors += [
        FieldError(
            field=f"projects[{index}]",
            message=f"{user.label} has no role in {project}.",
            accepted="projects that the token's holder sees",
        )
        for index, project in enumerate(projects)
        if (project.pk,) not in seen
    ]
    if errors:
        raise InvalidInput.of(errors)


def _near(action: str, known: Sequence[str]) -> str:
    """The actions of the same noun, else all of them."""
    noun = action.partition(".")[0]
    alike = [each for each in known if each.partition(".")[0] == noun]
    return f"one of: {', '.join(alike or known)}"


@transaction.atomic
def token_revoke(*, actor: Actor, token: AccessToken, now: datetime) -> None:
    """Ends the token at once: for its holder, for who manages the service account whose it is, and platform staff.

    Revoking it again changes nothing.
    """
    _revoking_check(actor, token)
    if AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        _audit(actor, "token.revoke", token)


def _revoking_check(actor: Actor, token: AccessToken) -> None:
    if actor.user is None or platform_staff(actor.user):
        return
    if actor.user == token.user:
        if actor.user.limits is not None and actor.user.limits.token != token.pk:
            raise NotAllowed("A limited token can revoke no token but itself.")
        return
    account = ServiceAccount.objects.filter(user=token.user_id).first()
    if account is None:
        staff_require(actor, "revoke the tokens of others")
    else:
        actor_require(actor, "serviceaccount.manage", account.project)


@transaction.atomic
def token_revoke_by_prefix(*, actor: Actor, prefix: str, now: datetime) -> AccessToken:
    """Ends whosever token has this prefix (`mar_PREFIX_`, as logs and audit rows have it). For platform staff."""
    staff_require(actor, "revoke tokens by their prefix")
    token = AccessToken.objects.select_related("user").filter(prefix=prefix).first()
    if token is None:
        raise NotFound("There is no token with this prefix.")
    token_revoke(actor=actor, token=token, now=now)
    return token


def tokens_revoke(*, actor: Actor, tokens: Iterable[AccessToken], why: str, now: datetime) -> int:
    """Ends these at once, in the caller's transaction, each with a row in the audit log; says how many."""
    ended = 0
    for token in tokens:
        if AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            _audit(actor, "token.revoke", token, why=why)
            ended += 1
    return ended


def token_use_note(*, token: AccessToken, now: datetime) -> None:
    """Notes that the token was used: at most once a minute, so that reading does not mean writing."""
    if token.last_used_at is not None and now - token.last_used_at < _USE_NOTED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
    AccessToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _told(token: AccessToken) -> dict[str, Any]:
    """Until when and for what, where it is limited."""
    limits = {"actions": token.actions, "projects": token.projects}
    return {"expires_at": token.expires_at.isoformat(), **{name: value for name, value in limits.items() if value}}


def _audit(actor: Actor, action: str, token: AccessToken, **details: Any) -> None:
    account = ServiceAccount.objects.select_related("project__organization").filter(user=token.user_id).first()
    audit_record(
        actor=actor,
        action=action,
        kind="access-token",
        object_id=token.pk,
        name=token.name,
        organization_id=account.project.organization_id if account else None,
        details={
            "of": token.user.handle,
            "prefix": token.prefix,
            **({"service_account": str(account)} if account else {}),
            **details,
        },
    )
