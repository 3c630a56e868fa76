"""What is in a virtual cluster that a move would meet, read through its API once."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import (
    INGRESS,
    JOB,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    VALIDATING_ADMISSION_POLICY,
    Json,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.exports.discovery import Served, converts_by_webhook, kinds_served, served_versions, stored_version
from provisioning.exports.left_out import OF_TOKENS, rule_for
from provisioning.moving.listing import AT_ONCE, all_of, lists
from provisioning.moving.pods import job_ended
from provisioning.moving.what_moves import TOKENS, left_out
from provisioning.moving.workloads import KINDS, Seen, Workload, workloads_in, workloads_seen

_WHOLE: Final = (PERSISTENT_VOLUME_CLAIM, PERSISTENT_VOLUME, SERVICE, INGRESS)
"""Kinds of which the objects themselves are looked at."""
_HOOKS: Final = ("admissionregistration.k8s.io", "MutatingWebhookConfiguration")
_API_SERVICES: Final = ("apiregistration.k8s.io", "APIService")
_DEFINITIONS: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")

OUTSIDE_GROUPS: Final = {
    "acme.cert-manager.io": "cert-manager asks a certificate authority for it",
    "cert-manager.io": "cert-manager asks for certificates by it",
    "external-secrets.io": "external-secrets reads or writes a store of secrets by it",
    "externaldns.k8s.io": "external-dns writes DNS records by it",
    "services.k8s.aws": "a controller makes resources of AWS by it",
    "cnrm.cloud.google.com": "Config Connector makes resources of Google Cloud by it",
    "azure.com": "a controller makes resources of Azure by it",
    "crossplane.io": "Crossplane makes resources elsewhere by it",
    "upbound.io": "Crossplane makes resources elsewhere by it",
    "infra.contrib.fluxcd.io": "Terraform makes resources elsewhere by it",
    "app.terraform.io": "Terraform makes resources elsewhere by it",
    "cluster.x-k8s.io": "Cluster API makes machines by it",
    "networking.gke.io": "a controller makes certificates and balancers of Google Cloud by it",
    "elbv2.k8s.aws": "a controller makes load balancers of AWS by it",
}
"""API groups (and all below them) whose controllers act outside of the cluster, and how."""


@dataclass(frozen=True, kw_only=True)
class Custom:
    """Objects of a kind whose controller acts outside."""

    kind: str
    why: str
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inside:
    """What was read. Objects are as the API gives them, without those that an export leaves out too.

    `policies`: it knows admission policies, by which its writes can be refused. `aggregated`: API versions that other
    servers inside it serve. `converted`: resource definitions of which some objects may be readable only while a
    program that runs in the cluster converts them.
    """

    workloads: tuple[Workload, ...] = ()
    templates: tuple[Json, ...] = ()
    """What the workloads are made of: the same objects, whole."""
    ended_jobs: tuple[str, ...] = ()
    claims: tuple[Json, ...] = ()
    volumes: tuple[Json, ...] = ()
    services: tuple[Json, ...] = ()
    ingresses: tuple[Json, ...] = ()
    tokens: tuple[str, ...] = ()
    """Secrets in which people have Kubernetes put tokens of ServiceAccounts."""
    accounts: tuple[str, ...] = ()
    """ServiceAccounts that people made."""
    customs: tuple[Custom, ...] = ()
    pod_hooks: tuple[str, ...] = ()
    aggregated: tuple[str, ...] = ()
    converted: tuple[str, ...] = ()
    policies: bool = True


def inside_read(kube: KubeClient) -> Inside:
    """Reads it. Kinds that are not served have no objects."""
    served, seen = kinds_served(kube), workloads_seen(kube)
    return replace(
        _choosable(kube, served, seen),
        ended_jobs=tuple(_named(each) for each in seen.found if _is_ended_job(each)),
        accounts=tuple(sorted(_named(each) for each in users(kube.list(SERVICE_ACCOUNT)))),
        pod_hooks=tuple(sorted(_named(each) for each in _of(kube, served, _HOOKS) if _on_pods(each))),
        aggregated=tuple(sorted(_named(each) for each in _of(kube, served, _API_SERVICES) if _elsewhere(each))),
        converted=tuple(sorted(_named(each) for each in _of(kube, served, _DEFINITIONS) if _needs_converting(each))),
    )


def choices_read(kube: KubeClient) -> Inside:
    """Of all that `inside_read` reads what can carry a choice."""
    return _choosable(kube, kinds_served(kube), Seen(found=tuple(all_of(kube, KINDS))))


def _choosable(kube: KubeClient, served: Served, seen: Seen) -> Inside:
    workloads = workloads_in(seen)
    whole = [kind for kind in _WHOLE if serves(served, kind)]
    found = {kind.kind: users(each) for kind, each in zip(whole, lists(kube, whole), strict=True)}
    return Inside(
        workloads=workloads,
        templates=templates_of(seen, workloads),
        claims=found.get("PersistentVolumeClaim", ()),
        volumes=found.get("PersistentVolume", ()),
        services=found.get("Service", ()),
        ingresses=found.get("Ingress", ()),
        tokens=_token_secrets(kube),
        customs=_customs(kube, [kind for kind in served.kinds if outside_why(kind.group)]),
        policies=serves(served, VALIDATING_ADMISSION_POLICY),
    )


def _token_secrets(kube: KubeClient) -> tuple[str, ...]:
    """By what is listed of them without what they hold."""
    found = kube.list(SECRET, field_selector=TOKENS, metadata_only=True)
    return tuple(_named(each) for each in found if not left_out({**each, "type": OF_TOKENS}))


def serves(served: Served, kind: Kind) -> bool:
    """Whether there is that kind, in that version."""
    return any((each.api_version, each.kind) == (kind.api_version, kind.kind) for each in served.kinds)


def users(found: Iterable[Json]) -> tuple[Json, ...]:
    """Of these objects those that an export does not leave out."""
    return tuple(each for each in found if rule_for(each) is None)


def _is_ended_job(found: Json) -> bool:
    """One that an export keeps: not of a CronJob, which makes the next one at its time."""
    return found["kind"] == JOB.kind and job_ended(found) and rule_for(found) is None


def templates_of(seen: Seen, workloads: Iterable[Workload]) -> tuple[Json, ...]:
    """The objects of these workloads, whole."""
    wanted = {(each.key.kind, each.key.namespace, each.key.name) for each in workloads}
    return tuple(
        each for each in seen.found if (each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) in wanted
    )


def _named(found: Json) -> str:
    meta = found["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def _of(kube: KubeClient, served: Served, wanted: tuple[str, str]) -> Iterable[Json]:
    kind = next((each for each in served.kinds if (each.group, each.kind) == wanted), None)
    return users(kube.list(kind)) if kind else ()


def _customs(kube: KubeClient, kinds: Sequence[Kind]) -> tuple[Custom, ...]:
    """Those of the kinds of which there are objects."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        listed = list(pool.map(partial(_listed, kube), kinds))
    named = ((kind, tuple(sorted(_named(each) for each in found))) for kind, found in zip(kinds, listed, strict=True))
    return tuple(
        Custom(kind=f"{kind.kind}.{kind.group}", why=outside_why(kind.group), names=names)
        for kind, names in named
        if names
    )


def _listed(kube: KubeClient, kind: Kind) -> list[Json]:
    try:
        return kube.list(kind, metadata_only=True)
    except NotFound:
        return []  # its definition was deleted since we asked what there is


def outside_why(group: str) -> str:
    """How controllers of this API group act outside of the cluster; "" where that is not known of them."""
    return next((why for known, why in OUTSIDE_GROUPS.items() if group == known or group.endswith(f".{known}")), "")


def _on_pods(found: Json) -> bool:
    hooks = found.get("webhooks") or []
    named = {resource for hook in hooks for rule in hook.get("rules") or [] for resource in rule.get("resources") or []}
    return bool(named & {"pods", "*", "*/*"})


def _elsewhere(found: Json) -> bool:
    return bool((found.get("spec") or {}).get("service"))


def _needs_converting(definition: Json) -> bool:
    """Objects may be stored in several versions, or in one that is not served."""
    if not converts_by_webhook(definition) or not definition["spec"]["conversion"]["webhook"]["clientConfig"].get(
        "service"
    ):
        return False
    stored = stored_version(definition)
    known = set((definition.get("status") or {}).get("storedVersions") or [])
    return stored not in served_versions(definition) or bool(known - {stored})
