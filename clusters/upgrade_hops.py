"""What one hop of an upgrade may do, and which next steps there are."""

from typing import Final

from clusters.upgrade_versions import CHART_FIELD, KUBERNETES_FIELD, Chart, Ground, Offer, Refusal, Versions
from clusters.versions import KubernetesVersion, check_chart_can_run, check_host_can_run

# what upstream's own notes say of its older charts
_OLD_STORE: Final = (0, 23)
_OLD_STORE_MENDED: Final = (0, 24, 2)
_LAST_WITH_K3S: Final = (0, 32)


def hop_refused(before: Versions, after: Versions, offer: Offer, ground: Ground) -> Refusal | None:
    """Why one hop cannot be done."""
    return (
        skips(before.kubernetes, after.kubernetes, "Kubernetes", KUBERNETES_FIELD)
        or skips(before.chart, after.chart, "the chart", CHART_FIELD)
        or old_chart(before, after, ground)
        or chart_cannot(after, offer)
        or (host_cannot(after.kubernetes, ground) if after.kubernetes != before.kubernetes else None)
    )


def skips(before: KubernetesVersion, after: KubernetesVersion, what: str, name: str) -> Refusal | None:
    """Why one cannot follow the other, where a minor lies between them."""
    if after.line <= next_minor(before) or after.major > before.major:
        return None
    missing = f"{before.major}.{before.minor + 1}"
    return Refusal(
        f"From {before} to {after} skips a minor of {what}: {missing} comes first, and none of it is offered.",
        field=name,
        accepted=f"a version of {missing}, once one is offered",
        code="skipped-minor",
    )


def old_chart(before: Versions, after: Versions, ground: Ground) -> Refusal | None:
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


def chart_cannot(after: Versions, offer: Offer) -> Refusal | None:
    """Why these do not go together, as far as anybody has said what the chart runs."""
    support = offer.support.get(after.chart)
    why = check_chart_can_run(after.kubernetes, support) if support else None
    if why is None or support is None:
        return None
    oldest, newest = (f"{major}.{minor}" for major, minor in (support.oldest, support.newest))
    return Refusal(why, field=KUBERNETES_FIELD, accepted=f"Kubernetes {oldest} to {newest}", code="chart-support")


def host_cannot(version: KubernetesVersion, ground: Ground) -> Refusal | None:
    """Why its host cannot run it."""
    why = check_host_can_run(version, ground.host) if ground.host else None
    if why is None or ground.host is None:
        return None
    return Refusal(
        f"{ground.host_name}: {why}" if ground.host_name else why,
        field=KUBERNETES_FIELD,
        accepted=f"up to Kubernetes {ground.host.major}.{ground.host.minor + 1}",
        code="host-version",
    )


def next_steps(*, has: Versions, offer: Offer, ground: Ground) -> tuple[Versions, ...]:
    """What one hop leads to, the nearest first: the newest patch of this minor, and of the next one."""
    found = []
    for version in sorted(newest_of_each(offer.kubernetes, has.kubernetes)):
        to = Versions(kubernetes=version, chart=has.chart)
        if version.line <= next_minor(has.kubernetes) and not hop_refused(has, to, offer, ground):
            found.append(to)
    for chart in sorted(newest_of_each(offer.charts, has.chart)):
        to = Versions(kubernetes=has.kubernetes, chart=chart)
        if chart.line <= next_minor(has.chart) and not hop_refused(has, to, offer, ground):
            found.append(to)
    return tuple(found)


def with_next(found: Refusal | None, has: Versions, offer: Offer, ground: Ground) -> Refusal | None:
    """With the next step that there is, where there is one."""
    if found is None:
        return None
    steps = [each.told_after(has) for each in next_steps(has=has, offer=offer, ground=ground)]
    if not steps:
        return found
    return Refusal(found.message, found.field, f"{' or '.join(steps)}, as the next step", found.code)


def newest_of_each(offered: tuple[KubernetesVersion, ...], above: KubernetesVersion) -> list[KubernetesVersion]:
    """Of each minor the newest that is offered and newer."""
    newest: dict[tuple[int, int], KubernetesVersion] = {}
    for each in sorted(offered):
        if each > above:
            newest[each.line] = each
    return list(newest.values())


def next_minor(version: KubernetesVersion) -> tuple[int, int]:
    """Major and minor of what comes next."""
    return version.major, version.minor + 1
