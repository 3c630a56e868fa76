"""Which tokens of other issuers let in as a service account."""

from datetime import datetime
from typing import Any, Final

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import InvalidInput, NotAllowed
from accounts.issuers import address_fault
from accounts.models import FederationRule, ServiceAccount
from accounts.public_issuers import whose_missing
from accounts.services.audit import Actor, audit_record
from accounts.services.role_ceiling import account_within_own_require
from accounts.services.rows import row_lock, row_save
from accounts.services.tokens import tokens_revoke

TELL_NOBODY: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
"""Claims that every token of an issuer has, whosever it is."""
CLAIMS_MOST: Final = 20


@transaction.atomic
def federation_rule_create(
    *, actor: Actor, account: ServiceAccount, name: str, issuer: str, audience: str, claims: dict[str, Any]
) -> FederationRule:
    """A new rule. InvalidInput names what cannot be accepted, Conflict where the account has one of this name."""
    _may(actor, account)
    _check(issuer, audience, claims)
    rule = FederationRule(
        service_account=account,
        name=name,
        issuer=issuer,
        audience=audience,
        claims=claims,
        created_by=actor.user,
    )
    row_save(rule, taken=f"{account} has a rule {name} already.")
    _audit(actor, "federation.create", rule, issuer=issuer, audience=audience, claims=claims)
    return rule


@transaction.atomic
def federation_rule_update(
    *,
    actor: Actor,
    rule: FederationRule,
    now: datetime,
    issuer: str | None = None,
    audience: str | None = None,
    claims: dict[str, Any] | None = None,
) -> FederationRule:
    """Changes what is given. Tokens that the rule gave before end: it might not give them any more."""
    _may(actor, rule.service_account)
    row_lock(rule)
    given = (("issuer", issuer), ("audience", audience), ("claims", claims))
    changed = {key: value for key, value in given if value is not None}
    before = {key: getattr(rule, key) for key in changed}
    for key, value in changed.items():
        setattr(rule, key, value)
    _check(rule.issuer, rule.audience, rule.claims)
    row_save(rule, taken="There is such a rule already.")
    _audit(actor, "federation.update", rule, before=before, after=changed)
    _tokens_end(actor, rule, "The federation rule that gave it was changed.", now)
    return rule


@transaction.atomic
def federation_rule_delete(*, actor: Actor, rule: FederationRule, now: datetime) -> None:
    """Takes a rule away, and ends the tokens that it gave."""
    _may(actor, rule.service_account)
    row_lock(rule)  # who is being let in by it at the moment has their token by then, and it is ended
    _audit(actor, "federation.delete", rule, issuer=rule.issuer)
    _tokens_end(actor, rule, "The federation rule that gave it was deleted.", now)
    rule.delete()


def _may(actor: Actor, account: ServiceAccount) -> None:
    actor_require(actor, "serviceaccount.manage", account.project)
    if actor.user is not None and actor.user.limits is not None:
        raise NotAllowed(
            "A token that is limited to some actions or projects cannot let others in.",
            hint="Do it with a token that is not limited: `marina login` gives you one.",
        )
    account_within_own_require(actor, account)


def _tokens_end(actor: Actor, rule: FederationRule, why: str, now: datetime) -> None:
    tokens = rule.tokens.filter(revoked_at=None, expires_at__gt=now).select_related("user")
    tokens_revoke(actor=actor, tokens=list(tokens), why=why, now=now)


def _check(issuer: str, audience: str, claims: dict[str, Any]) -> None:
    if fault := address_fault(issuer):
        raise InvalidInput(
            f"This cannot be an issuer: {fault}.", field="issuer", accepted="https://..., as the tokens name it in iss"
        )
    if not audience.strip():
        raise InvalidInput("The audience is empty.", field="audience", accepted="what the tokens name in aud")
    if len(claims) > CLAIMS_MOST:
        raise InvalidInput("These are too many claims.", field="claims", accepted=f"{CLAIMS_MOST} at most")
    for name, wanted in claims.items():
        _claim_check(str(name), wanted)
    if not any(name not in TELL_NOBODY and _tells(wanted) for name, wanted in claims.items()):
        raise InvalidInput(
            "The rule would let in whoever the issuer gives tokens to.",
            field="claims",
            accepted="at least one claim that tells whose token it is, for example repository or project_path",
        )
    if missing := whose_missing(issuer, claims):
        raise InvalidInput(
            "The rule would let in other people's jobs: everybody has tokens of this issuer, and nothing says whose.",
            field="claims",
            accepted=f"also one of: {missing}",
        )


def _claim_check(name: str, wanted: Any) -> None:
    values = wanted if isinstance(wanted, list) else [wanted]
    plain = all(isinstance(each, int) or (isinstance(each, str) and each and each.isprintable()) for each in values)
    if (
        not name
        or not name.isprintable()
        or not values
        or not plain
        or len(values) > CLAIMS_MOST
        or len(str(wanted)) > 2000
    ):
        raise InvalidInput(
            "A claim cannot be asked for like this.",
            field=f"claims.{name[:60]}",
            accepted=f"text, a whole number, true or false, or a list of 1 to {CLAIMS_MOST} of these",
        )


def _tells(wanted: Any) -> bool:
    """Whether not just anything fits."""
    values = wanted if isinstance(wanted, list) else [wanted]
    return all(str(each).strip("*/") for each in values)


def _audit(actor: Actor, action: str, rule: FederationRule, **details: object) -> None:
    account = rule.service_account
    audit_record(
        actor=actor,
        action=action,
        kind="federation-rule",
        object_id=rule.pk,
        name=f"{account} {rule.name}"[:120],
        organization_id=account.project.organization_id,
        details=details,
    )
