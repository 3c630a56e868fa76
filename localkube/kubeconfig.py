"""Kubeconfigs as text, with everything embedded: no path, no `exec`, no skipped verification."""

import base64
from collections.abc import Mapping

import yaml

from localkube.pki import Identity


def with_token(*, name: str, server: str, authority: bytes, token: str) -> str:
    return _render(server, authority, cluster=name, user="admin", context=name, credential={"token": token})


def with_certificate(
    *, server: str, authority: bytes, identity: Identity, cluster: str, user: str, context: str
) -> str:
    credential = {"client-certificate-data": _b64(identity.certificate), "client-key-data": _b64(identity.key)}
    return _render(server, authority, cluster=cluster, user=user, context=context, credential=credential)


def _render(
    server: str, authority: bytes, *, cluster: str, user: str, context: str, credential: Mapping[str, str]
) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": _b64(authority)}}],
        "users": [{"name": user, "user": dict(credential)}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()
