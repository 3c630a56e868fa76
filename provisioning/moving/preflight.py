"""What a move would meet: read from the cluster and both hosts, and told before anything is begun."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clusters.models import HostCluster, HostMode, Placement, PlacementRole, VirtualCluster
from clusters.move_target import MoveTarget, move_target, source_refusals
from clusters.move_wish import MoveWish
from clusters.placing import namespaces_free
from clusters.preflight import Finding, Report, Weight
from clusters.services.move_notices import direct_holders
from clusters.sizes import SIZES
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.moving.expecting import FREEZE, STARTING, expected, measured, usual_move
from provisioning.moving.fitting import fitting
from provisioning.moving.host_seen import HostSeen, given_seen, host_seen
from provisioning.moving.hosts_fit import blocking, hosts_fit, running_requests
from provisioning.moving.inside import Inside, inside_read
from provisioning.moving.not_moving import not_moving, note
from provisioning.moving.quotas import Needed, needed, quotas_fit
from provisioning.moving.telling import few, seconds_told
from provisioning.moving.workloads import Order, Workload, orders_refused, workloads_ordered

NAMED_IN_PLAN = 20


@dataclass(frozen=True, kw_only=True)
class MoveLook:
    """The report, and what it is of. `inside` is None where the cluster is asleep: nobody can look into it."""

    report: Report
    inside: Inside | None
    workloads: tuple[Workload, ...] = ()


def look_at_move(context: StepContext) -> Report:
    """For the preflight that somebody asked for."""
    return move_look(context).report


def move_look(context: StepContext) -> MoveLook:
    """Looks at it as things are now. TemporaryError where the cluster or its present host does not answer."""
    cluster, wish = context.virtual_cluster, move_wish(context)
    found = move_target(cluster=cluster, wish=wish, now=context.now)
    refusals = [blocking(each) for each in (*source_refusals(cluster), *found.refusals)]
    source = Placement.objects.select_related("host").filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).first()
    if source is None or found.host is None:
        return MoveLook(report=Report(findings=tuple(refusals)), inside=None)
    inside = None if cluster.sleeping else _inside(context)
    workloads = workloads_ordered(inside.workloads, wish.orders) if inside else ()
    findings = [*refusals, *_of_hosts(context, source, found), *_of_inside(context, inside, source, found, wish)]
    return MoveLook(report=_report(source, found, workloads, findings), inside=inside, workloads=workloads)


def move_wish(context: StepContext) -> MoveWish:
    """What was asked. PermanentError where the host that was named is no more."""
    try:
        return MoveWish.of(context.params)
    except HostCluster.DoesNotExist:
        raise PermanentError(
            "The host that it was to go to was disconnected meanwhile.", code="blocked", hint="Name another one."
        ) from None


def _inside(context: StepContext) -> Inside:
    with context.virtual() as virtual:
        return inside_read(virtual)


def _of_hosts(context: StepContext, source: Placement, found: MoveTarget) -> Iterator[Finding]:
    if found.host is not None and not found.refusals:
        yield from hosts_fit(context.virtual_cluster, source, found, found.host)
    yield from _direct(context)


def _of_inside(
    context: StepContext, inside: Inside | None, source: Placement, found: MoveTarget, wish: MoveWish
) -> Iterator[Finding]:
    if found.host is None:
        return
    seen = _asked(context, found.host)
    if isinstance(seen, Finding) and not found.refusals:
        yield seen
    if isinstance(seen, HostSeen):
        yield from _given(context, source, found, found.host)
    if inside is None:
        told = "It is asleep: what is in it is looked at once it was woken for the move, before anything is changed."
        yield note("asleep", context.virtual_cluster.name, told)
        return
    yield from not_moving(inside, to=found.host.name)
    if isinstance(seen, HostSeen):
        yield from fitting(inside, source=_source_seen(context, source.host), target=seen)
    for asked, why in orders_refused(inside.workloads, wish.orders).items():
        hint = "Leave the order out, or ask for another one."
        yield Finding(weight=Weight.BLOCKS, code="order-refused", about=asked, message=why, hint=hint)


def _given(context: StepContext, source: Placement, found: MoveTarget, host: HostCluster) -> Iterator[Finding]:
    """What its administrators let be used of the namespace that it would get there."""
    if host.mode != HostMode.NAMESPACES:
        return
    taken = set(host.placements.values_list("namespace", flat=True))
    free = [found.kept.namespace] if found.kept else namespaces_free(host, taken=taken)[:1]
    needs = _needed(context.virtual_cluster, source, kept=found.kept is not None)
    for namespace in free:
        kube = context.clients.kube(host, context.lease.check)
        yield from quotas_fit(given_seen(host, kube, namespace), needs)


def _needed(cluster: VirtualCluster, source: Placement, *, kept: bool) -> Needed:
    running = running_requests(source)
    return needed(SIZES[cluster.size], replicas=cluster.replicas, running=running, kept=kept)


def _asked(context: StepContext, host: HostCluster) -> HostSeen | Finding:
    """What the target has; or that it does not answer, which holds whatever its breaker says."""
    try:
        return host_seen(host, context.clients.kube(host, context.lease.check))
    except (TemporaryError, PermanentError) as error:
        return Finding(
            weight=Weight.BLOCKS,
            code="host-unreachable",
            about=host.name,
            message=f"{host.name} does not answer as it should: {error.message}",
            hint=error.hint or f"See: marina host get {host.name}.",
        )


def _source_seen(context: StepContext, host: HostCluster) -> HostSeen:
    """What is not known of it is not missed elsewhere."""
    seen = _asked(context, host)
    return seen if isinstance(seen, HostSeen) else HostSeen(name=host.name)


def _direct(context: StepContext) -> Iterator[Finding]:
    """Kubeconfigs that lead past the gateway, to where it is now."""
    names = [user.label for user in direct_holders(context.virtual_cluster, now=context.now)]
    if names:
        told = "Their kubeconfigs lead past the gateway to where it is now, and work no more once it has moved."
        yield note("direct-kubeconfigs", few(names, 20), told, "They are told, and can fetch new ones.")


def _report(source: Placement, found: MoveTarget, workloads: Sequence[Workload], findings: list[Finding]) -> Report:
    freeze = measured(FREEZE)
    times = expected(workloads, freeze=freeze, starting=measured(STARTING), whole=usual_move())
    order = list(Weight)
    return Report(
        plan=tuple(_plan(source, found, workloads, times["write freeze"], guessed=freeze is None)),
        findings=tuple(sorted(findings, key=lambda each: order.index(each.weight))),
        expected=times,
    )


def _plan(
    source: Placement, found: MoveTarget, workloads: Iterable[Workload], freeze: float, *, guessed: bool
) -> Iterator[str]:
    host = found.host.name if found.host else ""
    yield f"It goes from {source.host.name} to {host}." + (f" {found.why}" if found.why else "")
    yield f"It is exported, and its objects are copied to {host} while it works, with nothing running there yet."
    how = "so far none was measured" if guessed else "as measured in the newest moves"
    yield f"Then nothing can be written to it for about {seconds_told(freeze)} ({how}), while the rest is copied."
    for order, sentence in _ORDERS:
        named = [f"{each.key} ({each.why.rstrip('.')})" for each in workloads if each.order is order and each.replicas]
        if named:
            yield f"{sentence.format(host=host)} {few(named, NAMED_IN_PLAN)}."
    yield f"What it was on {source.host.name} is kept asleep for a while, so that it can go back."


_ORDERS = (
    (Order.CONTROLLER, "Before anything starts on {host}, these stop:"),
    (Order.STOP_FIRST, "These stop, and then start on {host}:"),
    (Order.START_FIRST, "These start on {host}, and stop where they are once they are ready there:"),
)
