"""Who somebody is and what they may do: tokens, client certificates and RBAC, as far as Marina leans on them.

Nobody is kept from giving away more rights than he has (a real server does that).
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from provisioning.drivers.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Json,
    Kind,
)
from tests.fakes.answers import Refusal, resource, unauthorized
from tests.fakes.store import Store

MASTERS = "system:masters"
ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class User:
    """Whom the server takes somebody for."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wish:
    """What somebody wants to do. `resource` may name a subresource, as in pods/portforward."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Access:
    """Knows tokens and bindings of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = secrets.token_bytes(32)
        self.admin_token = secrets.token_hex(24)

    def who(self, token: str) -> User:
        """Refusal for a token that is none, or over, or whose account is gone."""
        if token == self.admin_token:
            return User("admin", (MASTERS, "system:authenticated"))
        claims = self._claims(token)
        namespace, name = claims["sub"].removeprefix(ACCOUNT).split(":")
        account = self._store.find(SERVICE_ACCOUNT, name, namespace)
        if claims["exp"] < time.time() or account is None or account.meta["uid"] != claims["uid"]:
            raise unauthorized()
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(claims["sub"], groups)

    def token_for(self, namespace: str, name: str, seconds: int) -> tuple[str, float]:
        """A bound token and when it ends, in seconds since 1970."""
        account = self._store.get(SERVICE_ACCOUNT, name, namespace)
        issued = int(time.time())
        claims = {"sub": f"{ACCOUNT}{namespace}:{name}", "uid": account.meta["uid"], "iat": issued}
        claims |= {"exp": issued + seconds, "jti": secrets.token_hex(8)}
        head, body = _part({"alg": "HS256"}), _part(claims)
        return f"{head}.{body}.{self._signature(f'{head}.{body}')}", claims["exp"]

    def _claims(self, token: str) -> dict[str, Any]:
        signed, _, signature = token.rpartition(".")
        if not signed or not hmac.compare_digest(signature, self._signature(signed)):
            raise unauthorized()
        body = signed.partition(".")[2]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims

    def _signature(self, signed: str) -> str:
        return _urlsafe(hmac.digest(self._key, signed.encode(), hashlib.sha256))

    def require(self, user: User, wish: Wish, kind: Kind) -> None:
        """Refusal in the words of RBAC."""
        if self.allows(user, wish):
            return
        named = f' "{wish.name}"' if wish.name else ""
        where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
        message = (
            f'{resource(kind)}{named} is forbidden: User "{user.name}" cannot {wish.verb} resource '
            f'"{wish.resource}" in API group "{wish.group}" {where}'
        )
        raise Refusal(403, "Forbidden", message)

    def allows(self, user: User, wish: Wish) -> bool:
        """By the roles bound to the user in the wish's namespace and in the whole cluster."""
        return MASTERS in user.groups or any(_grants(rule, wish) for rule in self._rules(user, wish.namespace))

    def _rules(self, user: User, namespace: str) -> Iterator[Json]:
        bindings = [*self._store.each(CLUSTER_ROLE_BINDING)]
        bindings += [*self._store.each(ROLE_BINDING, namespace)] if namespace else []
        for binding in bindings:
            if any(_is(user, subject) for subject in binding.value.get("subjects") or []):
                reference = binding.value["roleRef"]
                kind, home = (ROLE, namespace) if reference["kind"] == "Role" else (CLUSTER_ROLE, "")
                role = self._store.find(kind, reference["name"], home)
                yield from (role.value.get("rules") or []) if role else []


def _is(user: User, subject: Json) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"{ACCOUNT}{subject['namespace']}:{subject['name']}"
    return subject["name"] in (user.groups if subject["kind"] == "Group" else (user.name,))


def _grants(rule: Json, wish: Wish) -> bool:
    def has(key: str, value: str) -> bool:
        return value in rule.get(key, []) or "*" in rule.get(key, [])

    names = rule.get("resourceNames") or []
    return (
        has("verbs", wish.verb)
        and has("apiGroups", wish.group)
        and has("resources", wish.resource)
        and (not names or wish.name in names)
    )


def _part(value: Any) -> str:
    return _urlsafe(json.dumps(value).encode())


def _urlsafe(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
