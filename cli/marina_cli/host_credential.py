"""Making the credential that Marina gets for a host: server, CA and a token of its own ServiceAccount."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from marina_cli.errors import CliError
from marina_cli.kubectl import ClusterAddress

TOKEN_SECRET_TYPE = "kubernetes.io/service-account-token"
ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"


@dataclass(frozen=True)
class ManifestAccount:
    """Who Marina will be on the host, as the server's manifest says."""

    name: str
    namespace: str
    token_secret: str = ""


def manifest_account(manifest: str) -> ManifestAccount:
    """The ServiceAccount in the manifest, and its token Secret if it has one; CliError where there is not just one."""
    try:
        objects = [item for item in yaml.safe_load_all(manifest) if isinstance(item, dict)]
    except yaml.YAMLError:
        raise CliError("The server's manifest is no YAML; nothing was applied.") from None
    accounts = [item for item in objects if item.get("kind") == "ServiceAccount"]
    if len(accounts) != 1:
        raise CliError(
            f"The server's manifest has {len(accounts)} ServiceAccounts instead of one; nothing was applied."
        )
    account = accounts[0]["metadata"]
    secrets = [item["metadata"] for item in objects if item.get("type") == TOKEN_SECRET_TYPE]
    return ManifestAccount(
        name=str(account["name"]),
        namespace=str(account["namespace"]),
        token_secret=next((str(item["name"]) for item in secrets if _belongs(item, account)), ""),
    )


def _belongs(secret: dict[str, Any], account: dict[str, Any]) -> bool:
    owner = (secret.get("annotations") or {}).get(ACCOUNT_ANNOTATION)
    return bool(owner == account["name"] and secret.get("namespace") == account["namespace"])


def credential_render(address: ClusterAddress, token: str) -> str:
    """A kubeconfig with what Marina needs and nothing else; the user's own credential has no way into it."""
    cluster = {
        "server": address.server,
        "certificate-authority-data": address.ca_data,
        "tls-server-name": address.tls_server_name,
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "marina", "cluster": {key: value for key, value in cluster.items() if value}}],
        "users": [{"name": "marina", "user": {"token": token}}],
        "contexts": [{"name": "marina", "context": {"cluster": "marina", "user": "marina"}}],
        "current-context": "marina",
    }
    return yaml.safe_dump(document, sort_keys=False)
