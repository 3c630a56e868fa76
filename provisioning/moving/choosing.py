"""What in a cluster somebody has to choose about, read again while it is moved: things are made and bound meanwhile."""

from dataclasses import dataclass

from clusters.moving import JOBS_WAIT
from clusters.preflight import Finding, Report, Weight
from provisioning.drivers.kinds import JOB, PERSISTENT_VOLUME_CLAIM
from provisioning.drivers.kube import KubeClient
from provisioning.moving.inside import Inside, choices_read, users
from provisioning.moving.not_moving import not_moving


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What nobody chose about, and the Jobs that run although somebody chose to wait for them."""

    unchosen: tuple[Finding, ...]
    jobs: tuple[str, ...]


def chosen_look(kube: KubeClient, *, to: str, choices: dict[str, str]) -> Chosen:
    """As things are now. `to` is the name of the host, `choices` what was chosen. What was known before passes."""
    inside = choices_read(kube)
    findings = tuple(each for each in not_moving(inside, to=to) if each.weight is Weight.CHOICE)
    jobs = [f"{each.key.namespace}/{each.key.name}" for each in inside.workloads if each.kind is JOB]
    return Chosen(
        unchosen=Report(findings=findings).in_the_way(choices),
        jobs=tuple(jobs) if choices.get("jobs") == JOBS_WAIT else (),
    )


def volumes_look(kube: KubeClient, *, choices: dict[str, str]) -> tuple[Finding, ...]:
    """Of what `chosen_look` looks at only what Kubernetes itself may still have done to a cluster that is frozen:

    bound a claim, and given a pod its volume.
    """
    findings = tuple(not_moving(Inside(claims=users(kube.list(PERSISTENT_VOLUME_CLAIM))), to=""))
    return Report(findings=findings).in_the_way(choices)
