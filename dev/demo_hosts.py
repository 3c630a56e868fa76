"""The host clusters of the demo: two local ones, or the one of `make demo KUBECONFIG=file`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.errors import DevError
from dev.settings_names import ROOT
from localkube import LocalKube

LOCAL_HOSTS = ("harbor-east", "harbor-west")
LOCAL_CHART = ROOT / "localkube" / "charts" / "vcluster"
GIVEN_HOST = "given-host"
# with these in it, a kubeconfig works only on the machine where it lies
_ONLY_HERE = {"exec", "auth-provider", "tokenFile", "client-certificate", "client-key", "certificate-authority"}


@dataclass(frozen=True)
class DemoHost:
    """A host to connect: how its administrator reaches it, and how virtual clusters on it are published."""

    name: str
    kubeconfig: Path
    exposure: str
    context: str = ""
    """Where its kubeconfig works only on this machine: the context that `marina host connect --context` takes."""


def local_hosts(kube: LocalKube) -> list[DemoHost]:
    """Starts both; returns when they are ready."""
    return [DemoHost(host.name, host.kubeconfig, "Local") for host in kube.start_all(LOCAL_HOSTS)]


def given_host(kubeconfig: Path, exposure: str) -> DemoHost:
    """Raises DevError for a file that is no kubeconfig with a current context."""
    try:
        document = yaml.safe_load(kubeconfig.read_text())
        context = str(document["current-context"])
        used = _find(document["contexts"], context)["context"]
        entries = {**_find(document["users"], used["user"])["user"], **_find(document["clusters"], used["cluster"])}
        keys = {*entries, *entries["cluster"]}
    except OSError as error:
        raise DevError(f"KUBECONFIG={kubeconfig} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, KeyError, TypeError, StopIteration):
        raise DevError(f"KUBECONFIG={kubeconfig} is no kubeconfig with a current context, user and cluster.") from None
    return DemoHost(GIVEN_HOST, kubeconfig.resolve(), exposure, context if keys & _ONLY_HERE else "")


def _find(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def connect_command(host: DemoHost, *, folder: Path, agreed: bool) -> tuple[tuple[str, ...], dict[str, str]]:
    """What platform staff types in `folder`, and the environment it needs. `agreed`: nobody is there to be asked."""
    file = host.kubeconfig.relative_to(folder) if host.kubeconfig.is_relative_to(folder) else host.kubeconfig
    command: tuple[str, ...] = ("marina", "--context", "platform", "host", "connect", host.name)
    if not host.context:
        command += ("--kubeconfig", str(file))
    else:
        command += ("--context", host.context, *(["--yes"] if agreed else []))
    environment = {"KUBECONFIG": str(host.kubeconfig)} if host.context else {}
    return (*command, "--exposure", host.exposure, "--wait"), environment
