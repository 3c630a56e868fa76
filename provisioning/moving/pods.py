"""What a workload's object says of its pods, whatever its kind. Pure."""

from typing import Final

from provisioning.drivers.kinds import Json

GRACE: Final = 30.0
"""Seconds within which pods end that say nothing of it."""
LONGEST_GRACE: Final = 900.0
"""Seconds that a move waits at most for the end of a pod, as nobody may write to its cluster all the while."""
_ENDED: Final = ("Succeeded", "Failed")
_READY_FIELD: Final = {"DaemonSet": "numberReady", "Job": "active"}


def pod_spec(found: Json) -> Json:
    """Of the pods that it makes, or of itself where it is one."""
    spec: Json = found.get("spec") or {}
    if found["kind"] == "Pod":
        return spec
    if found["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return (spec.get("template") or {}).get("spec") or {}


def grace_of(found: Json) -> float:
    """Seconds within which its pods end."""
    said = pod_spec(found).get("terminationGracePeriodSeconds")
    return GRACE if said is None else float(said)


def counted(found: Json) -> int:
    """How many pods it wants at a time; of a CronJob 1 where it is not suspended."""
    spec, status = found.get("spec") or {}, found.get("status") or {}
    match found["kind"]:
        case "Pod":
            return 1
        case "CronJob":
            return 0 if spec.get("suspend") else 1
        case "DaemonSet":
            return int(status.get("desiredNumberScheduled") or 0)
        case "Job":
            return int(1 if spec.get("parallelism") is None else spec["parallelism"])
    return int(1 if spec.get("replicas") is None else spec["replicas"])


def ready(found: Json) -> bool:
    """Whether as many as it wants are ready, by a status that is not older than its spec."""
    status = found.get("status") or {}
    if found["kind"] == "CronJob":
        return True
    if found["kind"] == "Pod":
        conditions = status.get("conditions") or []
        going = "deletionTimestamp" in found["metadata"]
        return not going and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    seen = status.get("observedGeneration")
    if seen is not None and seen < (found["metadata"].get("generation") or 0):
        return False
    return int(status.get(_READY_FIELD.get(found["kind"], "readyReplicas")) or 0) >= counted(found)


def over(found: Json) -> bool:
    """Whether nothing of it runs or is to run by itself: a pod or a Job that ended, a Job that people suspended."""
    status = found.get("status") or {}
    if found["kind"] == "Pod":
        return status.get("phase") in _ENDED
    if found["kind"] != "Job":
        return False
    return job_ended(found) or bool((found.get("spec") or {}).get("suspend"))


def job_ended(found: Json) -> bool:
    """Whether a Job is Complete or Failed."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(each.get("type") in ("Complete", "Failed") and each.get("status") == "True" for each in conditions)


def claims_of(found: Json) -> tuple[str, ...]:
    """Names of the claims that its pods use; of a StatefulSet those that each pod gets too."""
    volumes = pod_spec(found).get("volumes") or []
    named = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")]
    return tuple(sorted({*named, *_made_for_each(found)}))


def _made_for_each(found: Json) -> list[str]:
    spec, name = found.get("spec") or {}, found["metadata"]["name"]
    if found["kind"] != "StatefulSet":
        return []
    first = int((spec.get("ordinals") or {}).get("start") or 0)
    templates = [each["metadata"]["name"] for each in spec.get("volumeClaimTemplates") or []]
    return [f"{claim}-{name}-{ordinal}" for claim in templates for ordinal in range(first, first + counted(found))]
