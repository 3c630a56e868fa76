"""What an upgrade would meet inside of the cluster: who uses what the newer Kubernetes serves no more."""

from collections.abc import Iterator
from typing import Final

from clusters.preflight import Finding, Weight
from clusters.removed_apis import removed_between
from clusters.selectors_upgrades import askers_of
from clusters.upgrade_choices import REMOVED_APIS, UPGRADE_CHOICES
from clusters.upgrade_versions import Versions
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.upgrades.deprecated import definitions_unserved, requested_of, written_in
from provisioning.upgrades.findings import note

NAMED_MOST: Final = 10


# Inside


def inside_findings(context: StepContext, has: Versions, wants: Versions) -> Iterator[Finding]:
    """TemporaryError where its API does not answer."""
    with context.virtual() as kube:
        yield from _requested(context, kube, has, wants)
        yield from _written(kube, has, wants)
        for name, versions in definitions_unserved(kube):
            why = f"Objects of it may be stored in {' and '.join(versions)}, which it does not serve any more."
            yield note("stored-version", f"CustomResourceDefinition {name}", why, "Store them again, in a served one.")


def _requested(context: StepContext, kube: KubeClient, has: Versions, wants: Versions) -> Iterator[Finding]:
    try:
        metrics = kube.metrics()
    except (PermanentError, NotFound) as error:
        why = f"Who asks for what could not be read: {error.message}"
        yield unseen("metrics", str(context.virtual_cluster), why, has=has, wants=wants)
        return
    for each in requested_of(metrics, gone_by=wants.kubernetes.line):
        askers = askers_of(context.virtual_cluster, group=each.group, version=each.version, resource=each.resource)
        by = f" Through the gateway: {few(askers)}." if askers else ""
        yield _choice(
            f"{each}",
            f"Somebody asked for it since the API server started, and from Kubernetes {each.removed_release} on it is "
            f"not served any more.{by}",
            "Update whoever asks for it first; it is not named where it comes from inside the cluster.",
        )


def _written(kube: KubeClient, has: Versions, wants: Versions) -> Iterator[Finding]:
    removed = removed_between(has.kubernetes.line, wants.kubernetes.line)
    for each in written_in(kube, removed):
        instead = f" Write it as {each.removed.instead}." if each.removed.instead else " Nothing takes its place."
        yield _choice(
            str(each),
            f"It was written as {each.removed.api_version} by {few(list(each.managers))}, which Kubernetes "
            f"{each.removed.release} does not serve any more.",
            f"What is stored stays.{instead}",
        )


def unseen(code: str, about: str, why: str, *, has: Versions, wants: Versions, hint: str = "") -> Finding:
    """That nobody could look: to be chosen where something goes between these versions, else worth knowing."""
    removed = removed_between(has.kubernetes.line, wants.kubernetes.line)
    if not removed:
        return note(code, about, why)
    gone = few([f"{' and '.join(each.kinds)} of {each.api_version} (from {each.release} on)" for each in removed])
    return _choice(about, f"{why} Not served any more: {gone}.", hint or "Look who uses them.", code=code)


def _choice(about: str, message: str, hint: str, *, code: str = "removed-api") -> Finding:
    return Finding(
        weight=Weight.CHOICE,
        code=code,
        about=about,
        message=message,
        hint=hint,
        choice=REMOVED_APIS,
        options=UPGRADE_CHOICES[REMOVED_APIS],
    )


def few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else ""
    return ", ".join(names[:NAMED_MOST]) + more
