"""Kubeconfigs that go through the gateway, fitted to this machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import yaml

from marina_cli.kubeconfig_file import kubeconfig_document
from marina_cli.session import Session
from marina_cli.text import Json


def exec_kubeconfig(session: Session, item: Json, *, level: str | None, server: str | None) -> str:
    """The one without a secret: kubectl runs this machine's `marina` for tokens, with the login in use now."""
    answer = session.api.get(f"/virtual-clusters/{item['id']}/kubeconfig", {"level": level} if level else None)
    document = kubeconfig_document(str(answer.get("kubeconfig", "")))
    run = document["users"][0]["user"]["exec"]
    run["command"] = _program(session)
    run["args"] = [*_options(session), *run["args"]]
    run["env"] = [{"name": "MARINA_SERVER", "value": session.api.server}]
    return _written(document, server)


def static_kubeconfig(session: Session, item: Json, body: Json, *, server: str | None) -> tuple[str, Json]:
    """One that holds a new static token; and what is known of that token."""
    made = session.api.change("POST", f"/virtual-clusters/{item['id']}/gateway-tokens", body, repeat=False)
    return static_written(made, server), made


def static_written(made: Json, server: str | None) -> str:
    """The kubeconfig of a new static token."""
    return _written(kubeconfig_document(str(made.get("kubeconfig", ""))), server)


def _written(document: Json, server: str | None) -> str:
    if server:
        cluster = document["clusters"][0]["cluster"]
        cluster["server"] = _moved(str(cluster["server"]), server)
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def _moved(address: str, server: str) -> str:
    """The cluster's path at another address of the gateway; a `server` with a path of its own is taken as it is.

    A host name that begins with the cluster's id is the cluster's own: all its paths are the cluster's.
    """
    given, path = urlsplit(server), urlsplit(address).path
    if given.path.strip("/"):
        return server
    own = (given.hostname or "").partition(".")[0] == path.rpartition("/")[2].lower()
    return urlunsplit((given.scheme, given.netloc, "" if own else path, "", ""))


def _program(session: Session) -> str:
    """`marina` where kubectl will find that; else where this program lies."""
    own = Path(sys.argv[0])
    if shutil.which("marina", path=session.environment.get("PATH")) or own.name != "marina":
        return "marina"
    return str(own.resolve())


def _options(session: Session) -> list[str]:
    """What was said for this run about the server, and holds for the ones of kubectl, too."""
    named = ["--context", session.context_name] if session.context_name else []
    trusted = ["--ca-file", str(Path(session.ca_file).resolve())] if session.ca_file else []
    return [*named, *trusted, *(["--insecure-http"] if session.insecure_http else [])]
