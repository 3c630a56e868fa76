"""The way from the versions that a virtual cluster has to those that are asked for, hop by hop; or why there is none.

Kubernetes goes one minor at a time, because each minor's API server reads only what the minor before it stored. The
chart goes one minor at a time, because upstream tests no other upgrade. Neither ever goes down. A hop changes one of
the two, so that a failure tells which; only where the chart's versions have no Kubernetes in common it changes both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Self

from accounts.errors import InvalidInput
from clusters.versions import (
    ChartSupport,
    KubernetesVersion,
    check_chart_can_run,
    check_host_can_run,
    kubernetes_versions_order,
)

KUBERNETES_FIELD: Final = "kubernetes_version"
CHART_FIELD: Final = "chart_version"
# what upstream's own notes say of its older charts
_OLD_STORE: Final = (0, 23)
_OLD_STORE_MENDED: Final = (0, 24, 2)
_LAST_WITH_K3S: Final = (0, 32)

Chart = KubernetesVersion
"""A version of the chart has three numbers too, and is compared in the same way."""


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What a virtual cluster runs, or is to run."""

    kubernetes: KubernetesVersion
    chart: Chart

    @classmethod
    def parse(cls, kubernetes: str, chart: str) -> Self:
        """InvalidInput for what is no version."""
        return cls(kubernetes=KubernetesVersion.parse(kubernetes, field=KUBERNETES_FIELD), chart=chart_parse(chart))

    @classmethod
    def of_json(cls, found: Mapping[str, str]) -> Self:
        """From an operation's params."""
        return cls.parse(found["kubernetes"], found["chart"])

    def as_json(self) -> dict[str, str]:
        """For an operation's params."""
        return {"kubernetes": str(self.kubernetes), "chart": f"{self.chart}{self.chart.addition}"}

    def told_after(self, before: "Versions") -> str:
        """What is new in it, in words: "Kubernetes 1.36.3"."""
        new = [f"Kubernetes {self.kubernetes}"] if self.kubernetes != before.kubernetes else []
        new += [f"chart {self.chart}"] if self.chart != before.chart else []
        return " and ".join(new)


def chart_parse(text: str, *, field: str = CHART_FIELD) -> Chart:
    """InvalidInput for what is no version."""
    try:
        return Chart.parse(text, field=field)
    except InvalidInput:
        raise InvalidInput("This is no version of the chart.", field=field, accepted="a version like 0.36.1") from None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What there is to upgrade to. `support` tells of a chart's version what it runs, as far as anybody has said."""

    kubernetes: tuple[KubernetesVersion, ...]
    charts: tuple[Chart, ...]
    support: Mapping[Chart, ChartSupport] = field(default_factory=dict)

    @classmethod
    def of(cls, kubernetes: list[str], charts: list[str], support: Mapping[str, ChartSupport]) -> Self:
        """From what settings and the database name. Charts that bear no version of three numbers are left out."""
        parsed = dict(_charts_parsed(charts))
        return cls(
            kubernetes=kubernetes_versions_order(kubernetes),
            charts=tuple(sorted(set(parsed.values()), reverse=True)),
            support={chart_parse(text): said for text, said in support.items()},
        )


def _charts_parsed(charts: list[str]) -> Iterator[tuple[str, Chart]]:
    for text in charts:
        try:
            yield text, chart_parse(text)
        except InvalidInput:
            continue


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What else decides about the way: the host's version (None: it has no host yet), and an old k3s distribution."""

    host: KubernetesVersion | None = None
    host_name: str = ""
    k3s: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why there is no way. `accepted` is the next step that there is; `field` what of the wish is in the way."""

    message: str
    field: str
    accepted: str
    code: str

    def as_error(self) -> InvalidInput:
        """To be raised."""
        return InvalidInput(self.message, field=self.field, accepted=self.accepted, hint="")


@dataclass(frozen=True)
class Way:
    """The hops, none where it has these versions already; or why there is no way."""

    hops: tuple[Versions, ...] = ()
    refusal: Refusal | None = None


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


def next_steps(*, has: Versions, offer: Offer, ground: Ground) -> tuple[Versions, ...]:
    """What one hop leads to, the nearest first: the newest patch of this minor, and of the next one."""
    found = []
    for version in sorted(_newest_of_each(offer.kubernetes, has.kubernetes)):
        to = Versions(kubernetes=version, chart=has.chart)
        if version.line <= _next(has.kubernetes) and not _hop_refused(has, to, offer, ground):
            found.append(to)
    for chart in sorted(_newest_of_each(offer.charts, has.chart)):
        to = Versions(kubernetes=has.kubernetes, chart=chart)
        if chart.line <= _next(has.chart) and not _hop_refused(has, to, offer, ground):
            found.append(to)
    return tuple(found)


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
    between = [each for each in _newest_of_each(offered, low) if low.line < each.line < high.line]
    return tuple(dict.fromkeys([low, *sorted(between), high]))


def _newest_of_each(offered: tuple[KubernetesVersion, ...], above: KubernetesVersion) -> list[KubernetesVersion]:
    newest: dict[tuple[int, int], KubernetesVersion] = {}
    for each in sorted(offered):
        if each > above:
            newest[each.line] = each
    return list(newest.values())


def _next(version: KubernetesVersion) -> tuple[int, int]:
    return version.major, version.minor + 1


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
            if _hop_refused(at(place), at(above), offer, ground):
                continue
            if (rest := climb(above)) is not None:
                return [at(above), *rest]
        dead.add(place)
        return None

    found = climb((0, 0))
    return None if found is None else tuple(found)


def _hop_refused(before: Versions, after: Versions, offer: Offer, ground: Ground) -> Refusal | None:
    """Why one hop cannot be done."""
    return (
        _skips(before.kubernetes, after.kubernetes, "Kubernetes", KUBERNETES_FIELD)
        or _skips(before.chart, after.chart, "the chart", CHART_FIELD)
        or _old_chart(before, after, ground)
        or _chart_cannot(after, offer)
        or (_host_cannot(after.kubernetes, ground) if after.kubernetes != before.kubernetes else None)
    )


def _skips(before: KubernetesVersion, after: KubernetesVersion, what: str, name: str) -> Refusal | None:
    if after.line <= _next(before) or after.major > before.major:
        return None
    missing = f"{before.major}.{before.minor + 1}"
    return Refusal(
        f"From {before} to {after} skips a minor of {what}: {missing} comes first, and none of it is offered.",
        field=name,
        accepted=f"a version of {missing}, once one is offered",
        code="skipped-minor",
    )


def _old_chart(before: Versions, after: Versions, ground: Ground) -> Refusal | None:
    """Ways of which upstream says that they lose the cluster's state."""
    mended = Chart(*_OLD_STORE_MENDED)
    if before.chart.line <= _OLD_STORE and after.chart.line > _OLD_STORE and after.chart < mended:
        return Refusal(
            f"Chart {before.chart} goes to {mended} first: {after.chart} does not carry its state over.",
            field=CHART_FIELD,
            accepted=str(mended),
            code="chart-path",
        )
    if ground.k3s and after.chart.line > _LAST_WITH_K3S:
        return Refusal(
            f"It is of the distribution k3s, which chart {after.chart} does not know any more.",
            field=CHART_FIELD,
            accepted="a chart up to 0.32, and there the distribution k8s first (controlPlane.distro)",
            code="k3s",
        )
    return None


def _chart_cannot(after: Versions, offer: Offer) -> Refusal | None:
    support = offer.support.get(after.chart)
    why = check_chart_can_run(after.kubernetes, support) if support else None
    if why is None or support is None:
        return None
    oldest, newest = (f"{major}.{minor}" for major, minor in (support.oldest, support.newest))
    return Refusal(why, field=KUBERNETES_FIELD, accepted=f"Kubernetes {oldest} to {newest}", code="chart-support")


def _host_cannot(version: KubernetesVersion, ground: Ground) -> Refusal | None:
    why = check_host_can_run(version, ground.host) if ground.host else None
    if why is None or ground.host is None:
        return None
    return Refusal(
        f"{ground.host_name}: {why}" if ground.host_name else why,
        field=KUBERNETES_FIELD,
        accepted=f"up to Kubernetes {ground.host.major}.{ground.host.minor + 1}",
        code="host-version",
    )


# Why there is none


def _down(has: Versions, wants: Versions, offer: Offer) -> Refusal | None:
    for what, name, before, after in (
        ("Kubernetes", KUBERNETES_FIELD, has.kubernetes, wants.kubernetes),
        ("The chart", CHART_FIELD, has.chart, wants.chart),
    ):
        if after < before:
            offered = offer.kubernetes if name == KUBERNETES_FIELD else offer.charts
            newer = [str(each) for each in sorted(_newest_of_each(offered, before)) if each.line <= _next(before)]
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
        found = _host_cannot(wants.kubernetes, ground)
    return _with_next(found or _chart_cannot(wants, offer), has, offer, ground)


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
            found = _hop_refused(
                Versions(kubernetes=before, chart=chart), Versions(kubernetes=after, chart=chart), offer, ground
            )
            if found and found.code in ("skipped-minor", "host-version"):
                return _with_next(found, has, offer, ground) or found
    for lower, upper in pairwise(charts):
        found = _skips(lower, upper, "the chart", CHART_FIELD) or _old_chart(
            Versions(kubernetes=has.kubernetes, chart=lower), Versions(kubernetes=has.kubernetes, chart=upper), ground
        )
        if found:
            return found if found.code != "skipped-minor" else _with_next(found, has, offer, ground) or found
    fallback = Refusal(
        f"No order of steps leads from Kubernetes {has.kubernetes} with chart {has.chart} to {wants.kubernetes} with "
        f"{wants.chart}: between them no chart runs the Kubernetes of the next step.",
        field=KUBERNETES_FIELD if wants.kubernetes != has.kubernetes else CHART_FIELD,
        accepted="versions that are nearer",
        code="no-way",
    )
    return _with_next(fallback, has, offer, ground) or fallback


def _with_next(found: Refusal | None, has: Versions, offer: Offer, ground: Ground) -> Refusal | None:
    """With the next step that there is, where there is one."""
    if found is None:
        return None
    steps = [each.told_after(has) for each in next_steps(has=has, offer=offer, ground=ground)]
    if not steps:
        return found
    return Refusal(found.message, found.field, f"{' or '.join(steps)}, as the next step", found.code)


def k3s_of(values: Mapping[str, Any]) -> bool:
    """Whether these chart values ask for the distribution k3s, which older charts had."""
    distro = (values.get("controlPlane") or {}).get("distro") or {}
    k3s = distro.get("k3s") if isinstance(distro, Mapping) else None
    return bool(isinstance(k3s, Mapping) and k3s.get("enabled"))
