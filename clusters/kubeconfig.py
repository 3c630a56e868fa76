"""The allow-list for a host's kubeconfig.

A kubeconfig is a program in disguise: `exec` runs a command and `tokenFile` reads a file of the machine that loads it.
So Marina takes from it only what stands on the list below and refuses everything else by name. Nothing is run, no file
is read, and no value of a credential appears in an error.

Only the current context, with its cluster and its user, is looked at for the connection. The other entries must be
well-formed (a unique name and a mapping) and are otherwise left alone: an `exec` of another context does not matter.
"""

import shlex
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from accounts.errors import FieldError, InvalidInput
from clusters.connection import HostConnection
from clusters.connection_values import (
    certificates_read,
    key_check,
    key_read,
    proxy_check,
    server_check,
    server_name_check,
    token_check,
)
from clusters.kubeconfig_keys import (
    CLUSTER_KEYS,
    CONTEXT_KEYS,
    CREDENTIAL,
    FILE_KEYS,
    INLINE,
    OTHER_REFUSALS,
    OTHER_ROAD,
    PROGRAM_KEYS,
    TOP_KEYS,
    USER_KEYS,
)
from clusters.kubeconfig_yaml import document_load, shown

FIELDS_SHOWN_MAX = 20  # a file with thousands of wrong keys needs no thousands of sentences


def kubeconfig_parse(text: bytes | str) -> HostConnection:
    """The connection of the current context. Raises InvalidInput that names each field and what would be accepted."""
    document = _document(text)
    current = _current_context(document)
    context = _used(document, "contexts", current, field="kubeconfig.current-context")
    path = f"kubeconfig.contexts[{shown(current)}].context"
    _keys_check(context, CONTEXT_KEYS, path=path)
    names = {kind: _named(context, kind, path=path) for kind in ("cluster", "user")}
    cluster = _used(document, "clusters", names["cluster"], field=f"{path}.cluster")
    user = _used(document, "users", names["user"], field=f"{path}.user")
    cluster_path = f"kubeconfig.clusters[{shown(names['cluster'])}].cluster"
    user_path = f"kubeconfig.users[{shown(names['user'])}].user"
    _refusals_raise(
        [*_cluster_refusals(cluster, path=cluster_path), *_user_refusals(user, path=user_path, context=current)],
        context=current,
    )
    return HostConnection(**_cluster_read(cluster, path=cluster_path), **_user_read(user, path=user_path))


def _document(text: bytes | str) -> dict[str, Any]:
    document = document_load(text)
    if not isinstance(document, dict):
        raise InvalidInput("This is no kubeconfig.", field="kubeconfig", accepted="a mapping with `kind: Config`")
    if document.get("kind") != "Config":
        found = shown(str(document.get("kind") or "nothing"))
        raise InvalidInput(f"`kind` is {found}.", field="kubeconfig.kind", accepted="Config")
    if document.get("apiVersion") not in ("v1", None):
        raise InvalidInput("This apiVersion is not known.", field="kubeconfig.apiVersion", accepted="v1")
    _keys_check(document, TOP_KEYS, path="kubeconfig")
    return document


def _current_context(document: dict[str, Any]) -> str:
    current = document.get("current-context")
    if isinstance(current, str) and current:
        return current
    raise InvalidInput(
        "There is no current context.",
        field="kubeconfig.current-context",
        accepted=_names_listed(_entries(document, "contexts"), section="contexts"),
        hint="`kubectl config use-context NAME` sets it.",
    )


def _used(document: dict[str, Any], section: str, name: str, *, field: str) -> dict[str, Any]:
    """The entry of that name, without the parts that are empty. All entries of all sections are checked for form."""
    entries = {each: _entries(document, each) for each in ("clusters", "contexts", "users")}[section]
    if name not in entries:
        accepted = _names_listed(entries, section=section)
        raise InvalidInput(f"There is no `{shown(name)}` in `{section}`.", field=field, accepted=accepted)
    return {key: value for key, value in entries[name].items() if value is not None and value != ""}


def _names_listed(names: Iterable[str], *, section: str) -> str:
    listed = ", ".join(shown(name) for name in islice(names, FIELDS_SHOWN_MAX))
    return f"a name that stands in `{section}`" + (f": {listed}" if listed else "")


def _entries(document: dict[str, Any], section: str) -> dict[str, dict[str, Any]]:
    """The named entries of one section, which is written as a list of `name` and, say, `cluster`."""
    found: dict[str, dict[str, Any]] = {}
    listed = document.get(section)
    if not isinstance(listed, list | None):
        raise InvalidInput(f"`{section}` is no list.", field=f"kubeconfig.{section}", accepted="a list of entries")
    for number, entry in enumerate(listed or []):
        name, content = _entry(entry, section.removesuffix("s"), path=f"kubeconfig.{section}[{number}]")
        if name in found:
            field = f"kubeconfig.{section}[{shown(name)}]"
            raise InvalidInput(f"`{shown(name)}` stands there twice.", field=field, accepted="each name once")
        found[name] = content
    return found


def _entry(entry: object, kind: str, *, path: str) -> tuple[str, dict[str, Any]]:
    form = f"a mapping with `name` and `{kind}`"
    if not isinstance(entry, dict):
        raise InvalidInput("This entry is no mapping.", field=path, accepted=form)
    _keys_check(entry, ("name", kind), path=path)
    name = _named(entry, "name", path=path)
    content = entry.get(kind)
    if not isinstance(content, dict | None):
        raise InvalidInput(f"`{kind}` is no mapping.", field=f"{path}.{kind}", accepted="a mapping")
    return name, content or {}


def _named(mapping: dict[str, Any], key: str, *, path: str) -> str:
    value = mapping.get(key)
    if isinstance(value, str) and value:
        return value
    raise InvalidInput(f"`{key}` is missing or no text.", field=f"{path}.{key}", accepted="a name")


def _keys_check(mapping: dict[str, Any], known: tuple[str, ...], *, path: str) -> None:
    unknown = [key for key in mapping if key not in known][:FIELDS_SHOWN_MAX]
    if unknown:
        raise InvalidInput.of(_unknown(key, known, path=path) for key in unknown)


def _unknown(key: str, known: tuple[str, ...], *, path: str) -> FieldError:
    accepted = "only " + ", ".join(f"`{each}`" for each in known)
    return FieldError(field=f"{path}.{shown(key)}", message=f"`{shown(key)}` is not known here.", accepted=accepted)


def _cluster_refusals(cluster: dict[str, Any], *, path: str) -> Iterator[FieldError]:
    for key, value in cluster.items():
        field = f"{path}.{shown(key)}"
        if key in FILE_KEYS:
            yield FieldError(field=field, message=FILE_KEYS[key], accepted=INLINE.format(key=key))
        elif key == "insecure-skip-tls-verify" and value is not False:
            message = "Without checking the host's certificate anybody on the way could take Marina's credential."
            yield FieldError(field=field, message=message, accepted="`certificate-authority-data` instead")
        elif key not in CLUSTER_KEYS:
            yield _unknown(key, CLUSTER_KEYS, path=path)
    if "server" not in cluster:
        yield FieldError(field=f"{path}.server", message="The server is missing.", accepted="an https:// address")


def _user_refusals(user: dict[str, Any], *, path: str, context: str) -> Iterator[FieldError]:
    other_road = OTHER_ROAD.format(credential=CREDENTIAL, command=connect_command(context))
    for key in user:
        field = f"{path}.{shown(key)}"
        if key in PROGRAM_KEYS:
            yield FieldError(field=field, message=PROGRAM_KEYS[key], accepted=other_road)
        elif key in FILE_KEYS:
            inline = "the token itself, in `token`" if key == "tokenFile" else INLINE.format(key=key)
            yield FieldError(field=field, message=FILE_KEYS[key], accepted=inline)
        elif key in OTHER_REFUSALS:
            yield FieldError(field=field, message=OTHER_REFUSALS[key], accepted=CREDENTIAL)
        elif key not in USER_KEYS:
            yield _unknown(key, USER_KEYS, path=path)
    if not user.keys() & {"token", "client-certificate-data", "client-key-data", *PROGRAM_KEYS, *FILE_KEYS}:
        yield FieldError(field=path, message="There is no credential.", accepted=other_road)


def connect_command(context: str) -> str:
    """The command that connects a host whose kubeconfig Marina refuses. NAME is left for the person to choose."""
    return f"marina host connect NAME --context {shlex.quote(shown(context))}"


def _refusals_raise(refusals: list[FieldError], *, context: str) -> None:
    if not refusals:
        return
    programs = any(refusal.field.endswith(tuple(f".{key}" for key in PROGRAM_KEYS)) for refusal in refusals)
    command = connect_command(context)
    hint = f"Run `{command}` on a machine where kubectl works with this context." if programs else ""
    raise InvalidInput.of(refusals[:FIELDS_SHOWN_MAX], hint=hint)


def _cluster_read(cluster: dict[str, Any], *, path: str) -> dict[str, str]:
    return {
        "server": server_check(cluster.get("server"), field=f"{path}.server"),
        "ca_pem": certificates_read(
            cluster.get("certificate-authority-data"), field=f"{path}.certificate-authority-data"
        ),
        "proxy_url": proxy_check(cluster.get("proxy-url"), field=f"{path}.proxy-url"),
        "tls_server_name": server_name_check(cluster.get("tls-server-name"), field=f"{path}.tls-server-name"),
    }


def _user_read(user: dict[str, Any], *, path: str) -> dict[str, str]:
    certificate_field, key_field = f"{path}.client-certificate-data", f"{path}.client-key-data"
    certificate = certificates_read(user.get("client-certificate-data"), field=certificate_field)
    key = key_read(user.get("client-key-data"), field=key_field)
    for value, field in ((certificate, certificate_field), (key, key_field)):
        if not value and (certificate or key):
            message = "A client certificate and its key belong together, and this one is missing."
            raise InvalidInput(message, field=field, accepted="PEM in base64")
    if certificate:
        key_check(certificate, key, field=key_field)
    return {
        "client_certificate_pem": certificate,
        "client_key_pem": key,
        "token": token_check(user.get("token"), field=f"{path}.token"),
    }
