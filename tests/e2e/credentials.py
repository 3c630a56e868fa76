"""Kubeconfigs for hosts: a good one's parts, and what can be wrong with them."""

import copy
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]


def kubeconfig_read(path: Path) -> Json:
    found: Json = yaml.safe_load(path.read_text())
    return found


def kubeconfig_with(good: Json, *, cluster: Json | None = None, user: Json | None = None, **top: Any) -> str:
    """The kubeconfig with these keys of its cluster, its user or its top level set anew; None takes a key out."""
    changed = copy.deepcopy(good)
    for part, keys in (
        (changed["clusters"][0]["cluster"], cluster or {}),
        (changed["users"][0]["user"], user or {}),
        (changed, top),
    ):
        for key, value in keys.items():
            part.pop(key.replace("_", "-") if part is changed else key, None)
            if value is not None:
                part[key.replace("_", "-") if part is changed else key] = value
    return yaml.safe_dump(changed)


def with_token(good: Json, token: str) -> str:
    """The same host, as somebody else."""
    changed = copy.deepcopy(good)
    changed["users"][0]["user"] = {"token": token}
    return yaml.safe_dump(changed)


def behind_a_plugin(good: Json, script: Path) -> str:
    """The same host and identity as cloud providers hand them out: the token is what a program prints."""
    token = good["users"][0]["user"]["token"]
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'
    script.write_text(f"#!/bin/sh\necho '{credential % token}'\n")
    script.chmod(0o700)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(script),
        "interactiveMode": "Never",
    }
    changed = copy.deepcopy(good)
    changed["users"][0]["user"] = {"exec": plugin}
    return yaml.safe_dump(changed)
