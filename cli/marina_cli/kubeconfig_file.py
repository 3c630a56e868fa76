"""Changing and merging kubeconfig files without touching what else is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from marina_cli.errors import CliError, UsageProblem
from marina_cli.private_file import locked_as_by_kubectl, private_file_write


def kubeconfig_with_server(text: str, server: str) -> str:
    """The same kubeconfig for another address of the same server; a tls-server-name stays as it is."""
    address_check(server)
    document = kubeconfig_document(text)
    for entry in document["clusters"]:
        entry["cluster"]["server"] = server
    return yaml.safe_dump(document, sort_keys=False)


def address_check(server: str) -> None:
    """UsageProblem for what is no address of a Kubernetes API."""
    if not server.startswith("https://"):
        raise UsageProblem(f"{server!r} is no address of a Kubernetes API.", hint="Accepted: https://host:port")


def kubeconfig_document(text: str) -> dict[str, Any]:
    """The kubeconfig in a server's answer; CliError where it is none."""
    document = yaml.safe_load(text)
    if not isinstance(document, dict) or not all(document.get(key) for key in ("clusters", "users", "contexts")):
        raise CliError("The server's answer is no kubeconfig.")
    return document


def kubeconfig_target(environment: Mapping[str, str]) -> Path:
    """The file kubectl would write new entries to: of KUBECONFIG the first that exists, else its last."""
    paths = [Path(path) for path in environment.get("KUBECONFIG", "").split(":") if path]
    if not paths:
        return Path.home() / ".kube" / "config"
    return next((path for path in paths if path.exists()), paths[-1])


def kubeconfig_check(path: Path) -> None:
    """UsageProblem where `kubeconfig_merge` could not put anything into the file."""
    root = _root_read(path)
    for key in ("clusters", "users", "contexts"):
        _entries(root, key, path)


def kubeconfig_merge(path: Path, text: str, *, name: str) -> None:
    """Put the kubeconfig's one cluster, user and context into `path`, all under `name`.

    Everything else in the file stays as it is written there; current-context is set only where there is none.
    """
    new = kubeconfig_document(text)
    cluster, user, context = new["clusters"][0], new["users"][0], new["contexts"][0]
    linked = {**context["context"], "cluster": name, "user": name}
    with locked_as_by_kubectl(path):
        root = _root_read(path)
        _entry_put(root, "clusters", {"name": name, "cluster": cluster["cluster"]}, path)
        _entry_put(root, "users", {"name": name, "user": user["user"]}, path)
        _entry_put(root, "contexts", {"name": name, "context": linked}, path)
        current = _value(root, "current-context")
        if not isinstance(current, ScalarNode) or current.value in ("", "null", "~"):
            _value_set(root, "current-context", _node(name))
        private_file_write(path, yaml.serialize(root, Dumper=yaml.SafeDumper, width=float("inf"), allow_unicode=True))


def _root_read(path: Path) -> MappingNode:
    """The file as YAML nodes: unlike values they keep each scalar exactly as it is written."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        root = None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageProblem(
            f"{path} cannot be read as a kubeconfig ({type(error).__name__}); it was left as it is.",
            hint="Correct it, or use --output FILE.",
        ) from None
    if root is None:
        root = _node({"apiVersion": "v1", "kind": "Config"})
    if not isinstance(root, MappingNode):
        raise UsageProblem(f"{path} is no kubeconfig; it was left as it is.", hint="Use --output FILE.")
    return root


def _node(value: Any) -> Node:
    node = yaml.compose(yaml.safe_dump(value, sort_keys=False, width=float("inf")), Loader=yaml.SafeLoader)
    assert node is not None
    return node


def _value(mapping: MappingNode, key: str) -> Node | None:
    return next((value for name, value in mapping.value if name.value == key), None)


def _value_set(mapping: MappingNode, key: str, value: Node) -> None:
    mapping.value = [pair for pair in mapping.value if pair[0].value != key] + [(_node(key), value)]


def _entries(root: MappingNode, key: str, path: Path) -> SequenceNode:
    entries = _value(root, key)
    if entries is None or (isinstance(entries, ScalarNode) and entries.value in ("", "null", "~")):
        entries = _node([])
        _value_set(root, key, entries)
    if not isinstance(entries, SequenceNode):
        raise UsageProblem(f"{path}: {key} is no list; the file was left as it is.", hint="Use --output FILE.")
    return entries


def _entry_put(root: MappingNode, key: str, entry: dict[str, Any], path: Path) -> None:
    entries = _entries(root, key, path)
    # an empty list is written `[]`, in which entries would be unreadable
    entries.flow_style = False
    others = [item for item in entries.value if _name_of(item) != entry["name"]]
    entries.value = [*others, _node(entry)]


def _name_of(item: Node) -> str:
    name = _value(item, "name") if isinstance(item, MappingNode) else None
    return str(name.value) if name else ""
