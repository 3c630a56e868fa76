"""The way from the versions that a virtual cluster has to those that are asked for, hop by hop; or why there is none.

Kubernetes goes one minor at a time, because each minor's API server reads only what the minor before it stored. The
chart goes one minor at a time, because upstream tests no other upgrade. Neither ever goes down. A hop changes one of
the two, so that a failure tells which; only where the chart's versions have no Kubernetes in common it changes both.
"""

from itertools import pairwise

from clusters.upgrade_hops import (
    chart_cannot,
    hop_refused,
    host_cannot,
    newest_of_each,
    next_minor,
    old_chart,
    skips,
    with_next,
)
from clusters.upgrade_versions import CHART_FIELD, KUBERNETES_FIELD, Chart, Ground, Offer, Refusal, Versions, Way
from clusters.versions import KubernetesVersion


def way_find(*, has: Versions, wants: Versions, offer: Offer, ground: Ground) -> Way:
    """Each hop's patch is the newest offered of its minor, but for the last, which is what is asked for."""
    refusal = _down(has, wants, offer) or _not_offered(has, wants, offer) or _unfit(has, wants, offer, ground)
    if refusal:
        return Way(refusal=refusal)
    versions, charts = _rungs(has, wants, offer)
    hops = _search(versions, charts, offer=offer, ground=ground)
    if hops is None:
        return Way(refusal=_no_way(has, wants, versions, charts, offer, ground))
    return Way(hops=hops)


def minors_of(has: Versions, hops: tuple[Versions, ...]) -> tuple[int, int]:
    """How many minors of Kubernetes and of the chart these hops climb."""
    steps = [has, *hops]
    pairs = list(pairwise(steps))
    return (
        sum(before.kubernetes.line != after.kubernetes.line for before, after in pairs),
        sum(before.chart.line != after.chart.line for before, after in pairs),
    )


def can_go_back(has: Versions, to: Versions) -> bool:
    """Whether one that has run `to` may run `has` again: only what a newer minor stored cannot be read any more."""
    return has.kubernetes.line == to.kubernetes.line and has.chart.line == to.chart.line


def newest_reachable(*, has: Versions, offer: Offer, ground: Ground) -> Versions:
    """The newest Kubernetes, and then the newest chart, to which there is a way; what it has where there is none."""
    charts = [chart for chart in offer.charts if chart >= has.chart] or [has.chart]
    for kubernetes in [*(each for each in offer.kubernetes if each > has.kubernetes), has.kubernetes]:
        for chart in [*charts, has.chart]:
            wants = Versions(kubernetes=kubernetes, chart=chart)
            if wants == has or not way_find(has=has, wants=wants, offer=offer, ground=ground).refusal:
                return wants
    return has


# The rungs of either ladder, and the way up both


def _rungs(has: Versions, wants: Versions, offer: Offer) -> tuple[tuple[KubernetesVersion, ...], tuple[Chart, ...]]:
    return (
        _ladder(has.kubernetes, wants.kubernetes, offer.kubernetes),
        _ladder(has.chart, wants.chart, offer.charts),
    )


def _ladder(
    low: KubernetesVersion, high: KubernetesVersion, offered: tuple[KubernetesVersion, ...]
) -> tuple[KubernetesVersion, ...]:
    """From `low` to `high`: of each minor between them the newest that is offered."""
    between = [each for each in newest_of_each(offered, low) if low.line < each.line < high.line]
    return tuple(dict.fromkeys([low, *sorted(between), high]))


def _search(
    versions: tuple[KubernetesVersion, ...], charts: tuple[Chart, ...], *, offer: Offer, ground: Ground
) -> tuple[Versions, ...] | None:
    """The chart first wherever that leads to the end: a newer one runs what is to come. Both at once as a last resort.

    None where no order leads to the end.
    """
    end = (len(versions) - 1, len(charts) - 1)
    dead: set[tuple[int, int]] = set()

    def at(place: tuple[int, int]) -> Versions:
        return Versions(kubernetes=versions[place[0]], chart=charts[place[1]])

    def climb(place: tuple[int, int]) -> list[Versions] | None:
        if place == end:
            return []
        for up in ((0, 1), (1, 0), (1, 1)):
            above = (place[0] + up[0], place[1] + up[1])
            if above in dead or above[0] > end[0] or above[1] > end[1]:
                continue
            if hop_refused(at(place), at(above), offer, ground):
                continue
            if (rest := climb(above)) is not None:
                return [at(above), *rest]
        dead.add(place)
        return None

    found = climb((0, 0))
    return None if found is None else tuple(found)


# Why there is none


def _down(has: Versions, wants: Versions, offer: Offer) -> Refusal | None:
    for what, name, before, after in (
        ("Kubernetes", KUBERNETES_FIELD, has.kubernetes, wants.kubernetes),
        ("The chart", CHART_FIELD, has.chart, wants.chart),
    ):
        if after < before:
            offered = offer.kubernetes if name == KUBERNETES_FIELD else offer.charts
            newer = [str(each) for each in sorted(newest_of_each(offered, before)) if each.line <= next_minor(before)]
            return Refusal(
                f"{what} is {before} and never goes down, and {after} is older: an older one cannot read what a newer "
                "one stored.",
                field=name,
                accepted=f"{' or '.join(newer)}, or leave it out" if newer else "leave it out: it has the newest",
                code="downgrade",
            )
    return None


def _not_offered(has: Versions, wants: Versions, offer: Offer) -> Refusal | None:
    for name, before, after, offered in (
        (KUBERNETES_FIELD, has.kubernetes, wants.kubernetes, offer.kubernetes),
        (CHART_FIELD, has.chart, wants.chart, offer.charts),
    ):
        if after not in (before, *offered):
            newer = [str(each) for each in sorted(offered) if each > before]
            return Refusal(
                f"{after} is not offered here.",
                field=name,
                accepted=f"one of {', '.join(newer)}" if newer else "leave it out: it has the newest",
                code="not-offered",
            )
    return None


def _unfit(has: Versions, wants: Versions, offer: Offer, ground: Ground) -> Refusal | None:
    """What is wrong with the end of the way, however one would get there."""
    found = None
    if wants.kubernetes != has.kubernetes:
        found = host_cannot(wants.kubernetes, ground)
    return with_next(found or chart_cannot(wants, offer), has, offer, ground)


def _no_way(
    has: Versions,
    wants: Versions,
    versions: tuple[KubernetesVersion, ...],
    charts: tuple[Chart, ...],
    offer: Offer,
    ground: Ground,
) -> Refusal:
    """Of the first hop of each ladder that does not go, the reason."""
    for before, after in pairwise(versions):
        for chart in charts:
            found = hop_refused(
                Versions(kubernetes=before, chart=chart), Versions(kubernetes=after, chart=chart), offer, ground
            )
            if found and found.code in ("skipped-minor", "host-version"):
                return with_next(found, has, offer, ground) or found
    for lower, upper in pairwise(charts):
        found = skips(lower, upper, "the chart", CHART_FIELD) or old_chart(
            Versions(kubernetes=has.kubernetes, chart=lower), Versions(kubernetes=has.kubernetes, chart=upper), ground
        )
        if found:
            return found if found.code != "skipped-minor" else with_next(found, has, offer, ground) or found
    fallback = Refusal(
        f"No order of steps leads from Kubernetes {has.kubernetes} with chart {has.chart} to {wants.kubernetes} with "
        f"{wants.chart}: between them no chart runs the Kubernetes of the next step.",
        field=KUBERNETES_FIELD if wants.kubernetes != has.kubernetes else CHART_FIELD,
        accepted="versions that are nearer",
        code="no-way",
    )
    return with_next(fallback, has, offer, ground) or fallback
