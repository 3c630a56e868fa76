"""`kubectl --as`: the person asks to be seen as somebody else, and the virtual API decides whether they may."""

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from clusters.services.gateway_access import Caller
from gateway.answers import Refused
from gateway.claimed import EXTRA, GROUP, UID, USER, claims_fit, claims_of, extra_key
from gateway.exchange import Headers
from gateway.heads import Head
from gateway.identity import EXTRA_HANDLE, EXTRA_NAME, NEVER_GROUPS, NEVER_USERS, groups, username
from gateway.upstream import Upstream

_REVIEW: Final = b"/apis/authorization.k8s.io/v1/subjectaccessreviews"
_ONE: Final = (USER, UID)
_WHO: Final = (*_ONE, GROUP)
REVIEW_SECONDS: Final = 10.0
_LONGEST_REVIEW: Final = 64 * 1024


async def acting_as(head: Head, caller: Caller, upstream: Upstream) -> Headers:
    """The fields of the identity that was asked for. Refused where the person may not take it, or nobody may."""
    fields = claims_of(head)
    claims_fit(head)
    for name, value in fields:
        _never(name, value)
    _unmistakable(fields)
    try:
        async with asyncio.timeout(REVIEW_SECONDS):
            for name, value in fields:
                await _ask(name, value, caller, upstream)
    except (TimeoutError, ValueError):
        told = f"The API server of {caller.cluster_name} did not say whether you may act as somebody else."
        raise Refused(503, told, why="impersonation", retry_after=5) from None
    return fields


def _unmistakable(fields: Headers) -> None:
    """An API server passes over empty claims, and would take the request for Marina's own; of two it sees the first."""
    names = [name for name, _ in fields]
    if _ONE[0] not in names:
        raise Refused(400, "To act in a group or with a uid takes a user to act as (--as).", why="impersonation")
    if any(names.count(name) > 1 for name in _ONE) or any(name in _WHO and not value for name, value in fields):
        told = "To act as somebody else takes exactly one user, at most one uid, and no empty name."
        raise Refused(400, told, why="impersonation")


def _never(name: bytes, value: bytes) -> None:
    forbidden = (name == USER and value in NEVER_USERS) or (name == GROUP and value in NEVER_GROUPS)
    if forbidden:
        raise Refused(
            403,
            f"Nobody acts as {value.decode('latin-1')} through Marina: it stands above every rule in the cluster.",
            why="impersonation",
        )


async def _ask(name: bytes, value: bytes, caller: Caller, upstream: Upstream) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": username(caller),
            "groups": [*groups(caller), "system:authenticated"],
            "extra": {EXTRA_HANDLE: [caller.handle], EXTRA_NAME: [caller.name]},
            "resourceAttributes": {"verb": "impersonate", **_attributes(name, value)},
        },
    }
    if not await _allowed(review, upstream):
        shown = value.decode("utf-8", "replace")
        raise Refused(403, f"You may not act as {shown} in {caller.cluster_name}.", why="impersonation")


def _attributes(name: bytes, value: bytes) -> dict[str, str]:
    said = value.decode("utf-8", "replace")
    if name == USER:
        return _user_attributes(said)
    if name == GROUP:
        return {"resource": "groups", "name": said}
    if name == UID:
        return {"group": "authentication.k8s.io", "resource": "uids", "name": said}
    if name.startswith(EXTRA):
        key = extra_key(name)
        return {"group": "authentication.k8s.io", "resource": "userextras", "subresource": key, "name": said}
    raise Refused(403, f"There is no header {name.decode('latin-1')}.", why="impersonation")


def _user_attributes(user: str) -> dict[str, str]:
    """A ServiceAccount is asked for as such, as the API server itself does it."""
    parts = user.split(":")
    if len(parts) == 4 and parts[:2] == ["system", "serviceaccount"]:
        return {"resource": "serviceaccounts", "namespace": parts[2], "name": parts[3]}
    return {"resource": "users", "name": user}


async def _allowed(review: Mapping[str, object], upstream: Upstream) -> bool:
    headers = ((b"content-type", b"application/json"), (b"accept", b"application/json"))
    exchange = await upstream.request(b"POST", _REVIEW, headers, has_body=True)
    try:
        await exchange.send(json.dumps(review).encode())
        await exchange.end()
        status, _ = await exchange.head()
        body = bytearray()
        while part := await exchange.read():
            body += part
            if len(body) > _LONGEST_REVIEW:
                raise ValueError("The answer is no review.")
    finally:
        exchange.cancel()
    return status == 201 and _says_yes(json.loads(body))


def _says_yes(review: object) -> bool:
    status = review.get("status") if isinstance(review, dict) else None
    return isinstance(status, dict) and status.get("allowed") is True
