"""Pods that nobody makes again: each ends where it was before it is made anew, and its manifest is kept meanwhile.

It is kept beside it, as a Secret in the same API: what stands in a pod's environment is in no table of Marina's.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from provisioning.drivers.errors import ConflictError
from provisioning.drivers.kinds import POD, SECRET, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import StepError
from provisioning.exports.left_out import rule_for
from provisioning.exports.restoring import as_sent
from provisioning.moving.pods import grace_of, over
from provisioning.moving.refusals import NO_ANSWER, refused_together
from provisioning.steps.names import ACCESS_NAMESPACE

NOTE: Final = "marina.dev/moved-pod"
"""The label of such Secrets; its value is the pod's uid."""
_KEY: Final = "manifest"


@dataclass(frozen=True)
class Stopped:
    """One that was told to end, and how it is made again."""

    uid: str
    manifest: Json

    @property
    def name(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.manifest['metadata']['namespace']}/{self.manifest['metadata']['name']}"

    @property
    def grace(self) -> float:
        """Seconds that it may take to end."""
        return grace_of(self.manifest)


def lone_pods(virtual: KubeClient) -> list[Json]:
    """Those that users made and nobody makes again, and that did not end and are not being deleted."""
    return [pod for pod in virtual.list(POD) if rule_for(pod) is None and not over(pod)]


def pods_stop(virtual: KubeClient, pods: Iterable[Json]) -> None:
    """Keeps the manifest of each, then has it end. May be done again after any crash."""
    for pod in pods:
        meta = pod["metadata"]
        virtual.apply(_note(pod))
        virtual.delete(POD, meta["name"], meta["namespace"], uid=meta["uid"])


def pods_stopped(virtual: KubeClient) -> list[Stopped]:
    """All that were told to end and were not made again yet, whether they have ended or not."""
    notes = virtual.list(SECRET, ACCESS_NAMESPACE, label_selector=NOTE)
    return [Stopped(note["metadata"]["labels"][NOTE], json.loads(b64decode(note["data"][_KEY]))) for note in notes]


def pods_ending(virtual: KubeClient, stopped: Sequence[Stopped], *, gone: bool = False) -> list[Stopped]:
    """Of these those that have not ended; with `gone` also those that have ended and still have the name."""
    if not stopped:
        return []
    there = {pod["metadata"]["uid"] for pod in virtual.list(POD) if gone or not over(pod)}
    return [each for each in stopped if each.uid in there]


def pods_make(virtual: KubeClient, stopped: Iterable[Stopped], *, manager: str) -> None:
    """Makes them; one that is there, by whomever, is left as it is. What is refused is told at the end."""
    refused = []
    for each in stopped:
        try:
            virtual.create_as(POD, each.manifest, manager=manager)
        except ConflictError:
            continue
        except StepError as error:
            if error.code in NO_ANSWER:
                raise
            refused.append((f"Pod {each.name}", error))
    if refused:
        raise refused_together(refused)


def pods_forget(virtual: KubeClient) -> None:
    """Keeps none of their manifests any longer."""
    for note in virtual.list(SECRET, ACCESS_NAMESPACE, label_selector=NOTE):
        virtual.delete(SECRET, note["metadata"]["name"], ACCESS_NAMESPACE)


def _note(pod: Json) -> Json:
    manifest, uid = as_sent(pod), str(pod["metadata"]["uid"])
    manifest["metadata"].pop("ownerReferences", None)
    text = json.dumps({**manifest, "apiVersion": POD.api_version, "kind": POD.kind})
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {"name": f"marina-pod-{uid}", "namespace": ACCESS_NAMESPACE, "labels": {NOTE: uid}},
        "type": "Opaque",
        "data": {_KEY: b64encode(text.encode()).decode()},
    }
