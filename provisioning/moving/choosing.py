"""What in a cluster somebody has to choose about, read again while it is moved: things are made and bound meanwhile."""

from dataclasses import dataclass

from clusters.moving import JOBS_WAIT
from clusters.preflight import Finding, Report, Weight
from provisioning.drivers.kinds import JOB, PERSISTENT_VOLUME_CLAIM
from provisioning.drivers.kube import KubeClient
from provisioning.moving.inside import Inside, choices_read, users
from provisioning.moving.listing import name_of
from provisioning.moving.lone_pods import lone_pods
from provisioning.moving.not_moving import BOUND, is_bound, not_moving
from provisioning.moving.pods import claims_of


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

    bound a claim, and given a pod its volume. It may do that yet for Pods without a controller, which go on: their
    claims count as bound.
    """
    claims = users(kube.list(PERSISTENT_VOLUME_CLAIM))
    if any(not is_bound(each) for each in claims):
        going_on = {(pod["metadata"]["namespace"], name) for pod in lone_pods(kube) for name in claims_of(pod)}
        claims = tuple({**each, "status": BOUND} if name_of(each) in going_on else each for each in claims)
    return Report(findings=tuple(not_moving(Inside(claims=claims), to=""))).in_the_way(choices)
