"""What in a cluster does not move as it is: each with its sentence, and with a choice where one is due. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from clusters.move_choices import MOVE_CHOICES
from clusters.moving import ADDRESSES, NAMES, NODE_PORTS, TOKENS
from clusters.preflight import Finding, Weight
from provisioning.drivers.kinds import CRON_JOB, JOB, POD, Json
from provisioning.drivers.quantities import units
from provisioning.exports.identity import id_of
from provisioning.moving.inside import Inside
from provisioning.moving.pods import LONGEST_GRACE, pod_spec
from provisioning.moving.service_addresses import BALANCER, addresses_of, node_ports
from provisioning.moving.telling import counted_told, few, size_told

BOUND: Final = {"phase": "Bound"}
"""The status of a claim that has its volume."""
EXTERNAL_DNS: Final = "external-dns.alpha.kubernetes.io/"
CERTIFICATES: Final = ("cert-manager.io/", "acme.cert-manager.io/")
ON_NODE: Final = ("hostPath", "local")
VOLUMES_LATER: Final = (
    "Nothing is lost without your word. Copying what volumes hold is not offered yet: until it is, leave the cluster "
    "where it is, or give them up by --volumes recreate-empty."
)
CONVERTED_FIRST: Final = (
    "Write each of these objects again as it is (kubectl get, then replace), and leave only the version that is stored "
    "in status.storedVersions of the definition."
)


def not_moving(inside: Inside, *, to: str) -> Iterator[Finding]:
    """All of it. `to` is the name of the host."""
    yield from _volumes(inside)
    yield from _on_nodes(inside)
    yield from _jobs(inside)
    yield from _lone_pods(inside)
    yield from _long_graces(inside)
    yield from _outside(inside, to)
    yield from _unfrozen(inside)
    yield from _node_ports(inside, to)
    yield from _addresses(inside, to)
    yield from _names(inside, to)
    yield from _tokens(inside)
    yield from _waits(inside)
    yield from _hooks(inside)


def choice(name: str, *, code: str, about: str, message: str, hint: str = "") -> Finding:
    """A finding about which somebody has to choose."""
    return Finding(
        weight=Weight.CHOICE,
        code=code,
        about=about,
        message=message,
        hint=hint,
        choice=name,
        options=MOVE_CHOICES[name],
    )


def note(code: str, about: str, message: str, hint: str = "") -> Finding:
    """A finding that is worth knowing."""
    return Finding(weight=Weight.NOTE, code=code, about=about, message=message, hint=hint)


def name_of(found: Json) -> str:
    """NAMESPACE/NAME, or the name of what lives in no namespace."""
    key = id_of(found)
    return f"{key.namespace}/{key.name}" if key.namespace else key.name


def bound_claims(inside: Inside) -> list[Json]:
    """Those that stand for a volume."""
    return [each for each in inside.claims if is_bound(each)]


def is_bound(claim: Json) -> bool:
    """Whether a claim has its volume."""
    return bool((claim.get("status") or {}).get("phase") == BOUND["phase"])


def class_of(claim: Json) -> str:
    """The storage class that a claim names; "" for the default one."""
    return str((claim.get("spec") or {}).get("storageClassName") or "")


def _size(claim: Json) -> int:
    has = (claim.get("status") or {}).get("capacity") or {}
    asked = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return units(has.get("storage")) or units(asked.get("storage"))


def _volumes(inside: Inside) -> Iterator[Finding]:
    claims = bound_claims(inside)
    if not claims:
        return
    by_class: defaultdict[str, list[Json]] = defaultdict(list)
    for claim in claims:
        by_class[class_of(claim) or "the default class"].append(claim)
    classes = [
        f"{name}: {counted_told(len(found), 'claim')}, {size_told(sum(map(_size, found)))}"
        for name, found in sorted(by_class.items())
    ]
    told = f"{counted_told(len(claims), 'claim')} with {size_told(sum(map(_size, claims)))} of volumes"
    yield choice(
        "volumes",
        code="bound-volumes",
        about=few([f"{name_of(each)} ({size_told(_size(each))})" for each in claims]),
        message=f"What volumes hold does not move: {told} ({'; '.join(classes)}).",
        hint=VOLUMES_LATER,
    )


def _on_nodes(inside: Inside) -> Iterator[Finding]:
    """Volumes that are a folder of one machine."""
    paths = [
        f"{each['kind']} {name_of(each)}"
        for each in inside.templates
        if any(volume.get("hostPath") for volume in pod_spec(each).get("volumes") or [])
    ]
    paths += [f"PersistentVolume {name_of(each)}" for each in inside.volumes if _lies_on_node(each)]
    if paths:
        yield choice(
            "volumes",
            code="volumes-on-nodes",
            about=few(paths),
            message="These use folders of the present host's machines, which stay there: the new ones are empty.",
            hint=VOLUMES_LATER,
        )


def _lies_on_node(volume: Json) -> bool:
    spec = volume.get("spec") or {}
    return any(spec.get(kind) for kind in ON_NODE) or bool(spec.get("nodeAffinity"))


def _jobs(inside: Inside) -> Iterator[Finding]:
    jobs = [f"{each.key.namespace}/{each.key.name}" for each in inside.workloads if each.kind is JOB]
    if jobs:
        told = f"{counted_told(len(jobs), 'Job is', 'Jobs are')} running; what they have done so far does not move."
        yield choice("jobs", code="running-jobs", about=few(jobs), message=told)


def _lone_pods(inside: Inside) -> Iterator[Finding]:
    pods = [
        f"{each.key.namespace}/{each.key.name}" for each in inside.workloads if each.kind is POD and each.owner is None
    ]
    if pods:
        told = f"{counted_told(len(pods), 'Pod has', 'Pods have')} no controller that would make them again. "
        told += "What nothing but such a Pod owns does not come along."
        yield choice("pods", code="lone-pods", about=few(pods), message=told)


def _long_graces(inside: Inside) -> Iterator[Finding]:
    """Of CronJobs what runs are Jobs."""
    ends = [each for each in inside.workloads if each.replicas and each.kind is not CRON_JOB]
    slow = [f"{each.key} ({each.grace:.0f} s)" for each in ends if each.grace > LONGEST_GRACE]
    if slow:
        yield Finding(
            weight=Weight.BLOCKS,
            code="long-grace",
            about=few(slow),
            message=f"Their pods may take longer than {LONGEST_GRACE:.0f} s to end, which a move does not wait for, as "
            "nobody can write meanwhile.",
            hint="Lower terminationGracePeriodSeconds, or scale it down first.",
        )


def _outside(inside: Inside, to: str) -> Iterator[Finding]:
    balancers = [name_of(each) for each in inside.services if (each.get("spec") or {}).get("type") == BALANCER]
    if balancers:
        told = f"{counted_told(len(balancers), 'Service')} of type LoadBalancer: {to} makes new ones, of other "
        told += "addresses and node ports."
        yield choice("outside", code="load-balancers", about=few(balancers), message=told)
    for prefix, does in ((EXTERNAL_DNS, "external-dns"), (CERTIFICATES, "cert-manager")):
        named = [name_of(each) for each in (*inside.services, *inside.ingresses) if _annotated(each, prefix)]
        if named:
            told = f"By their annotations {does} acts outside of the cluster for these."
            yield choice("outside", code=f"annotated-{does}", about=few(named), message=told)
    for custom in inside.customs:
        told = f"{counted_told(len(custom.names), 'object')} of the kind {custom.kind}: {custom.why}."
        hint = "The controller at the source stops before the one at the target starts; see that both mean one thing."
        yield choice("outside", code="acts-outside", about=few(custom.names), message=told, hint=hint)


def _annotated(found: Json, prefix: str | tuple[str, ...]) -> bool:
    return any(key.startswith(prefix) for key in found["metadata"].get("annotations") or {})


def _unfrozen(inside: Inside) -> Iterator[Finding]:
    if not inside.policies:
        yield choice(
            "unfrozen",
            code="no-policies",
            about="Kubernetes before 1.30",
            message="Its API knows no admission policies, so programs inside the cluster cannot be kept from writing "
            "while it is moved. People's access is taken away meanwhile.",
            hint="Upgrade it first, or stop the controllers in it.",
        )


def _node_ports(inside: Inside, to: str) -> Iterator[Finding]:
    ports = [f"{name_of(each)}:{number}" for each in inside.services for number in node_ports(each)]
    if ports:
        told = f"{counted_told(len(ports), 'node port is', 'node ports are')} of the present host; {to} has its own."
        yield choice(NODE_PORTS, code="node-ports", about=few(ports), message=told)


def _addresses(inside: Inside, to: str) -> Iterator[Finding]:
    named = [
        f"{name_of(each)} ({', '.join(addresses)})" for each in inside.services if (addresses := addresses_of(each))
    ]
    if named:
        told = f"These Services name addresses (externalIPs, loadBalancerIP) that may not lead to {to}."
        yield choice(ADDRESSES, code="external-ips", about=few(named), message=told)


def _names(inside: Inside, to: str) -> Iterator[Finding]:
    hosts = sorted({str(rule["host"]) for each in inside.ingresses for rule in _rules(each) if rule.get("host")})
    if hosts:
        told = f"DNS has to lead these names to the ingress controller of {to}."
        yield choice(NAMES, code="ingress-names", about=few(hosts), message=told)
    bound = [f"{each['kind']} {name_of(each)}" for each in inside.templates if _uses_node_network(each)]
    if bound:
        told = f"They listen on the machines' own addresses, which are others at {to}."
        yield choice(NAMES, code="host-ports", about=few(bound), message=told)


def _rules(ingress: Json) -> Iterable[Json]:
    return (ingress.get("spec") or {}).get("rules") or []


def _uses_node_network(found: Json) -> bool:
    spec = pod_spec(found)
    ports = [port for each in spec.get("containers") or [] for port in each.get("ports") or []]
    return bool(spec.get("hostNetwork")) or any(port.get("hostPort") for port in ports)


def _tokens(inside: Inside) -> Iterator[Finding]:
    if inside.tokens:
        yield choice(
            TOKENS,
            code="account-tokens",
            about=few(sorted(inside.tokens)),
            message="Tokens of ServiceAccounts in these Secrets hold for the present API only.",
            hint="Pods get new ones by themselves; whoever uses one from outside has to be given it.",
        )
    used = {f"{each['metadata'].get('namespace', '')}/{_account_of(each)}" for each in inside.templates}
    if unused := [name for name in inside.accounts if name not in used]:
        told = "Tokens that somebody took for a ServiceAccount (kubectl create token) hold for the present API only."
        hint = (
            "Kubernetes lists no such tokens. These accounts no workload uses: they may be there for somebody outside."
        )
        yield note("created-tokens", few(unused), told, hint)


def _account_of(found: Json) -> str:
    spec = pod_spec(found)
    return str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")


def _waits(inside: Inside) -> Iterator[Finding]:
    if any(each.kind is CRON_JOB for each in inside.workloads):
        names = [f"{each.key.namespace}/{each.key.name}" for each in inside.workloads if each.kind is CRON_JOB]
        yield note("cron-jobs", few(names), "These start no Jobs while it is moved, and go on afterwards.")
    if inside.ended_jobs:
        told = "These Jobs have ended. They are not made again, as they would run a second time."
        hint = "Their manifests are in the export from before. Keep a tool from applying them again."
        yield note("ended-jobs", few(inside.ended_jobs), told, hint)


def _hooks(inside: Inside) -> Iterator[Finding]:
    if inside.pod_hooks:
        told = "They change Pods as these are made. They are made last, once what answers for them runs."
        yield note("pod-webhooks", few(inside.pod_hooks), told)
    if inside.aggregated:
        told = "Other servers in the cluster serve these APIs; what they keep is data of a workload, and not carried."
        yield note("aggregated-apis", few(inside.aggregated), told)
    if inside.converted:
        told = (
            "Some of their objects may be stored in an older version, which can be read only while the webhook that "
            "converts them runs. It stops before the last look at the source; if such an object is met then, the move "
            "is put back."
        )
        yield note("conversion-webhooks", few(inside.converted), told, CONVERTED_FIRST)
