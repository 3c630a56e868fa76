"""Versions of built-in APIs that a release of Kubernetes serves no more, and what takes their place.

From the deprecated API migration guide of Kubernetes, and from 1.34 on from the `removed_release` that API servers
themselves tell of each in their metrics.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class RemovedApi:
    """`removed_in` is the first minor without it. `instead` is empty where nothing takes its place."""

    removed_in: tuple[int, int]
    api_version: str
    kinds: tuple[str, ...]
    instead: str = ""

    @property
    def release(self) -> str:
        """The minor in words: "1.25"."""
        return f"{self.removed_in[0]}.{self.removed_in[1]}"


_FLOW: Final = ("FlowSchema", "PriorityLevelConfiguration")
_FLOW_GROUP: Final = "flowcontrol.apiserver.k8s.io"
_DEVICES: Final = ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice")
_MUTATING: Final = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
_VALIDATING: Final = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
_ADMISSION: Final = "admissionregistration.k8s.io"

REMOVED: Final = (
    RemovedApi((1, 25), "batch/v1beta1", ("CronJob",), "batch/v1"),
    RemovedApi((1, 25), "discovery.k8s.io/v1beta1", ("EndpointSlice",), "discovery.k8s.io/v1"),
    RemovedApi((1, 25), "events.k8s.io/v1beta1", ("Event",), "events.k8s.io/v1"),
    RemovedApi((1, 25), "autoscaling/v2beta1", ("HorizontalPodAutoscaler",), "autoscaling/v2"),
    RemovedApi((1, 25), "policy/v1beta1", ("PodDisruptionBudget",), "policy/v1"),
    RemovedApi((1, 25), "policy/v1beta1", ("PodSecurityPolicy",)),
    RemovedApi((1, 25), "node.k8s.io/v1beta1", ("RuntimeClass",), "node.k8s.io/v1"),
    RemovedApi((1, 26), f"{_FLOW_GROUP}/v1beta1", _FLOW, f"{_FLOW_GROUP}/v1"),
    RemovedApi((1, 26), "autoscaling/v2beta2", ("HorizontalPodAutoscaler",), "autoscaling/v2"),
    RemovedApi((1, 27), "storage.k8s.io/v1beta1", ("CSIStorageCapacity",), "storage.k8s.io/v1"),
    RemovedApi((1, 29), f"{_FLOW_GROUP}/v1beta2", _FLOW, f"{_FLOW_GROUP}/v1"),
    RemovedApi((1, 32), f"{_FLOW_GROUP}/v1beta3", _FLOW, f"{_FLOW_GROUP}/v1"),
    RemovedApi((1, 34), f"{_ADMISSION}/v1beta1", _VALIDATING, f"{_ADMISSION}/v1"),
    RemovedApi((1, 37), "networking.k8s.io/v1beta1", ("IPAddress", "ServiceCIDR"), "networking.k8s.io/v1"),
    RemovedApi((1, 37), "storage.k8s.io/v1beta1", ("VolumeAttributesClass",), "storage.k8s.io/v1"),
    RemovedApi((1, 38), f"{_ADMISSION}/v1alpha1", _MUTATING, f"{_ADMISSION}/v1beta1"),
    RemovedApi((1, 38), "coordination.k8s.io/v1alpha2", ("LeaseCandidate",), "coordination.k8s.io/v1beta1"),
    RemovedApi((1, 38), "resource.k8s.io/v1beta1", _DEVICES, "resource.k8s.io/v1"),
    RemovedApi((1, 39), "coordination.k8s.io/v1beta1", ("LeaseCandidate",)),
    RemovedApi((1, 39), "resource.k8s.io/v1alpha3", ("DeviceTaintRule",)),
    RemovedApi((1, 39), "resource.k8s.io/v1beta2", _DEVICES, "resource.k8s.io/v1"),
    RemovedApi((1, 40), f"{_ADMISSION}/v1beta1", _MUTATING),
)


def removed_between(before: tuple[int, int], after: tuple[int, int]) -> tuple[RemovedApi, ...]:
    """What one of minor `before` may serve and one of minor `after` does not."""
    return tuple(each for each in REMOVED if before < each.removed_in <= after)


def removed_of(found: Iterable[RemovedApi], api_version: str, kind: str) -> RemovedApi | None:
    """The one that these are of."""
    return next((each for each in found if each.api_version == api_version and kind in each.kinds), None)


def kinds_of(found: Iterable[RemovedApi]) -> Iterator[tuple[str, str]]:
    """Group and kind of each, once: in whatever version they are stored, they are listed by these."""
    yield from sorted({(each.api_version.rpartition("/")[0], kind) for each in found for kind in each.kinds})
