"""CI without secrets: a token of another issuer (OIDC) is exchanged for a short one of a service account."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import jwt
import structlog
from django.db import IntegrityError, transaction

from accounts.errors import InvalidInput, NotAllowed
from accounts.issuers import ALGORITHMS, IssuerKeys, issuer_keys
from accounts.models import FederationRule, ServiceAccount, SpentAssertion
from accounts.public_issuers import whose_missing
from accounts.selectors import service_account_written
from accounts.services.audit import Actor, audit_record
from accounts.services.tokens import TokenMade, token_write

log = structlog.get_logger(__name__)

LEEWAY: Final = timedelta(seconds=60)
"""So far the clocks of Marina and an issuer may be apart."""
TOKEN_MOST: Final = timedelta(hours=1)
ASSERTION_CHARACTERS: Final = 16 * 1024


class FederationRefused(NotAllowed):
    """The token lets nobody in here; the sentence says why and quotes nothing of it."""

    code = "federation-refused"
    account: ServiceAccount | None = None
    """Whom it asked to be, where a rule of that account lets in somebody by tokens of this issuer."""
    told: Mapping[str, str] = MappingProxyType({})
    """What the audit log may have of the token: its issuer, and its subject once the issuer's signature was seen."""


@dataclass(frozen=True)
class Assertion:
    """Another issuer's token. Its repr does not show it; `claims` are worth nothing before `assertion_verify`."""

    text: str = field(repr=False)
    algorithm: str
    kid: str | None
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def issuer(self) -> str:
        """Who it says it is from."""
        return str(self.claims.get("iss", ""))


def federated_token_exchange(
    *,
    assertion: str,
    service_account: str,
    now: datetime,
    address: str | None = None,
    request_id: str = "",
    keys: IssuerKeys = issuer_keys,
) -> TokenMade:
    """A token of the service account (an id, or organization/project/name), where one of its rules lets this one in.

    It holds as long as the other still does, an hour at most, and only in the account's project. Raises
    FederationRefused with what did not fit, and IssuerUnreachable where the issuer's keys cannot be had.
    """
    read = assertion_read(assertion)
    account, rules = _rules(service_account, read.issuer)
    told = {"issuer": read.issuer}
    try:
        assertion_verify(read, keys=keys, now=now)
        told["subject"] = _plain(read.claims.get("sub"))
        rule = rule_choose(rules, read.claims)
        return _give(read, account, rule, Actor(user=account.user, address=address, request_id=request_id), now)
    except FederationRefused as refused:
        refused.account, refused.told = account, told
        log.info("federated token refused", service_account=str(account), issuer=read.issuer, why=refused.message)
        raise


def assertion_read(text: str) -> Assertion:
    """What is written there, before anything of it is believed. FederationRefused where it is no such token."""
    if len(text) > ASSERTION_CHARACTERS:
        raise InvalidInput("This token is too long.", field="token", accepted="an OIDC token (JWT) of the issuer")
    try:
        header = jwt.get_unverified_header(text)
        claims = jwt.decode(text, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidInput(
            "This is no token that could be read.", field="token", accepted="an OIDC token (JWT) of the issuer"
        ) from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or "crit" in header:
        raise FederationRefused(
            "The token is not signed in a way that Marina takes.", hint=f"It takes {', '.join(sorted(ALGORITHMS))}."
        )
    return Assertion(text, str(algorithm), kid if isinstance(kid, str) else None, claims)


def _rules(named: str, issuer: str) -> tuple[ServiceAccount, list[FederationRule]]:
    # only names and ids that PostgreSQL would compare
    storable = named.isascii() and named.isprintable()
    among = ServiceAccount.objects.filter(deleted_at=None, user__is_active=True)
    among = among.select_related("project__organization", "user")
    account = service_account_written(named, among=among) if storable else None
    rules = [rule for rule in account.federation_rules.all() if rule.issuer == issuer] if account else []
    if account is None or not rules:
        raise FederationRefused(
            "There is no such service account, or it lets in nobody by tokens of this issuer.",
            hint="Its name is organization/project/name. An admin of its project sees its federation rules.",
        )
    return account, rules


def assertion_verify(assertion: Assertion, *, keys: IssuerKeys, now: datetime) -> None:
    """That the issuer signed it and that it holds now, give or take the leeway. Raises FederationRefused."""
    key = keys.key(assertion.issuer, kid=assertion.kid, algorithm=assertion.algorithm)
    if key is None:
        raise FederationRefused("The issuer has no such key as the token is signed with.")
    # times are compared below, with the time that was passed in; the audience belongs to the rules
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    try:
        jwt.decode(
            assertion.text,
            key,
            algorithms=[assertion.algorithm],
            issuer=assertion.issuer,
            options={**options, "require": ["iss", "aud", "exp", "iat"]},  # type: ignore[arg-type]
        )
    except jwt.MissingRequiredClaimError as error:
        raise FederationRefused(f"The token lacks the claim {error.claim}.") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise FederationRefused("The token's signature is not the issuer's.") from None
    if _time(assertion, "exp") + LEEWAY <= now:
        raise FederationRefused("The token has expired (exp).", hint="Ask the issuer for a new one in each job.")
    for claim in ("nbf", "iat"):
        if claim in assertion.claims and _time(assertion, claim) - LEEWAY > now:
            raise FederationRefused(f"The token is not valid yet ({claim}).")


def _time(assertion: Assertion, claim: str) -> datetime:
    value = assertion.claims[claim]
    try:
        if isinstance(value, bool):
            raise ValueError
        return datetime.fromtimestamp(float(value), tz=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise FederationRefused(f"The token's claim {claim} is no time.") from None


def rule_choose(rules: list[FederationRule], claims: Mapping[str, Any]) -> FederationRule:
    """The first rule that the claims fit. FederationRefused says of each which claims do not, and not what they are."""
    told = []
    for rule in rules:
        if whose_missing(rule.issuer, rule.claims):  # one that was made before such were refused
            told.append(f"{rule.name}, which does not say whose tokens it is for")
            continue
        unfit = [] if _audience_fits(rule.audience, claims.get("aud")) else ["aud"]
        unfit += [name for name, wanted in rule.claims.items() if not claim_fits(wanted, claims.get(name))]
        if not unfit:
            return rule
        told.append(f"{rule.name} by {', '.join(unfit)}")
    raise FederationRefused(
        f"No rule of the service account fits the token. What does not fit: {'; '.join(told)}.",
        hint="An admin of its project sees what the rules want; the issuer's job log shows what the token says.",
    )


def _audience_fits(wanted: str, found: Any) -> bool:
    return wanted in found if isinstance(found, list) else wanted == found


def claim_fits(wanted: Any, found: Any) -> bool:
    """Whether a claim is what a rule wants: text with `*` for any part, a number or truth value, or one of a list.

    Of a claim that is a list itself one entry must fit.
    """
    if isinstance(wanted, list):
        return any(claim_fits(each, found) for each in wanted)
    if isinstance(found, list):
        return any(claim_fits(wanted, each) for each in found if not isinstance(each, list))
    if isinstance(wanted, str) and isinstance(found, str):
        pattern = ".*".join(re.escape(part) for part in wanted.split("*"))
        return re.fullmatch(pattern, found, re.DOTALL) is not None
    return type(wanted) is type(found) and bool(wanted == found)


@transaction.atomic
def _give(
    assertion: Assertion, account: ServiceAccount, rule: FederationRule, actor: Actor, now: datetime
) -> TokenMade:
    rule = _rule_now(rule, assertion)
    ends = _time(assertion, "exp") + LEEWAY
    _spend(assertion, ends)
    made = token_write(
        holder=account.user,
        name=f"federated: {rule.name}",
        expires_at=min(ends, now + TOKEN_MOST),
        projects=[account.project],
        rule=rule,
    )
    audit_record(
        actor=Actor(
            user=account.user, token_prefix=made.token.prefix, address=actor.address, request_id=actor.request_id
        ),
        action="token.federate",
        kind="access-token",
        object_id=made.token.pk,
        name=made.token.name,
        organization_id=account.project.organization_id,
        details={
            "service_account": str(account),
            "rule": rule.name,
            "issuer": rule.issuer,
            "subject": _plain(assertion.claims.get("sub")),
            "prefix": made.token.prefix,
            "projects": made.token.projects,
            "expires_at": made.token.expires_at.isoformat(),
        },
    )
    return made


def _rule_now(rule: FederationRule, assertion: Assertion) -> FederationRule:
    """The rule after the issuer was asked, which may have taken seconds; it still has to fit.

    Who changes it waits for the token that it gives here, and then ends that.
    """
    found = FederationRule.objects.select_for_update(of=("self",), no_key=True).filter(pk=rule.pk).first()
    if found is None or found.issuer != assertion.issuer:
        raise FederationRefused(
            "The rule that let this token in was taken away just now.",
            hint="An admin of the service account's project sees its federation rules.",
        )
    return rule_choose([found], assertion.claims)


def _spend(assertion: Assertion, ends: datetime) -> None:
    """A token that has an id is taken once, also where two try it at the same time."""
    if assertion.claims.get("jti") is None:
        return
    name = f"{assertion.issuer}\n{assertion.claims['jti']}"
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()
    try:
        with transaction.atomic():
            SpentAssertion.objects.create(digest=digest, expires_at=ends)
    except IntegrityError:
        raise FederationRefused(
            "The token was used already (jti).", hint="Ask the issuer for a new one for each login."
        ) from None


def spent_assertions_forget(*, now: datetime) -> int:
    """Removes those that their own expiry refuses by now; says how many. Run by a schedule."""
    removed, _ = SpentAssertion.objects.filter(expires_at__lt=now - LEEWAY).delete()
    return removed


def _plain(value: Any) -> str:
    """Somebody else's text, as an audit row can hold it."""
    text = str(value if value is not None else "")[:300]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
