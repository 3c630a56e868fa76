"""Tokens of every kind that the gateway takes, as rows and texts."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts.models import AccessToken, Project, User
from accounts.services.tokens import TokenMade, token_write
from clusters.gateway_tokens import SignedToken, StaticTokenText
from clusters.models import GatewayToken, VirtualCluster
from tests.canaries import canary

KINDS = ("mar", "mgt", "mgt without a source", "mgs")


def access_token(user: User, *, actions: tuple[str, ...] = (), projects: tuple[Project, ...] = ()) -> TokenMade:
    """An access token, limited as asked."""
    end = timezone.now() + timedelta(days=1)
    made = token_write(holder=user, name="t", expires_at=end, actions=actions, projects=projects)
    canary(made.text, f"a token of {user.handle}")
    return made


def signed(user: User, cluster: VirtualCluster, *, source: AccessToken | None = None, **fields: Any) -> str:
    """A short-lived token, as the API gives one."""
    now = timezone.now()
    given = {"id": uuid4().hex, "level": "admin", "issued_at": now, "expires_at": now + timedelta(minutes=10)}
    ids = {"user_id": user.pk, "cluster_id": cluster.pk, "access_token_id": source.pk if source else None}
    return canary(SignedToken(**{**given, **ids, **fields}).written(), f"a gateway token of {user.handle}")


def static(user: User, cluster: VirtualCluster, **fields: Any) -> tuple[GatewayToken, str]:
    """A static token's row and its text."""
    text = StaticTokenText.new()
    given = {"level": "admin", "name": "t", "expires_at": timezone.now() + timedelta(days=1)}
    row = GatewayToken.objects.create(
        user=user, virtual_cluster=cluster, prefix=text.prefix, digest=text.digest, **{**given, **fields}
    )
    return row, canary(text.text, f"a static token of {user.handle}")


def token_of_kind(kind: str, user: User, cluster: VirtualCluster) -> str:
    """One of KINDS: nothing limits it but what its user may."""
    match kind:
        case "mar":
            return access_token(user).text
        case "mgt":
            return signed(user, cluster, source=access_token(user).token)
        case "mgt without a source":
            return signed(user, cluster)
    return static(user, cluster)[1]
