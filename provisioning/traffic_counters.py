"""Counters of an ingress controller in Prometheus' text format, added up by namespace and by who counted."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from clusters.lifecycle.ingress_metrics import IngressMetrics

NAMESPACE_LABELS: Final = ("exported_namespace", "namespace")
"""Prometheus keeps the namespace of the target in the second, and what the controller said in the first."""
SOURCE_LABELS: Final = ("controller_pod", "pod", "instance")
"""Who counted, where one text tells of several."""
_POD: Final = re.compile(r'[{,]controller_pod="([^"\\]+)"')
_STARTED: Final = re.compile(r"^\w*process_start_time_seconds(?:\{[^}]*\})? (\S+)", re.MULTILINE)
_STARTS: Final = re.compile(r"(?:^|(?<=[/_@:]))(?=.)")
_ENDS: Final = re.compile(r"(?=[-/_@:.])|$")

Counted = dict[str, dict[str, float]]
"""Requests by namespace and by who counted them."""


class NotCounters(Exception):
    """The text says nothing of what was asked for; the message is a sentence."""


@dataclass(frozen=True)
class Scrape:
    """What one text told. `of` tells whoever counted apart from others; "" where nothing does."""

    of: str
    counted: Counted
    samples: int
    """All counters of that name, of whatever namespace."""
    labelled: int
    """Those of them that name a namespace."""


def scrape_read(text: str, metrics: IngressMetrics, *, namespaces: frozenset[str]) -> Scrape:
    """Adds up what counts for these namespaces. NotCounters for a text that cannot be read."""
    of = _identity(text)
    counted: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    samples = labelled = 0
    for labels, value in _samples(text, metrics.metric):
        samples += 1
        told = _namespace_told(labels, metrics.namespace_label)
        labelled += bool(told)
        source = next((labels[name] for name in SOURCE_LABELS if labels.get(name)), of)
        for namespace in namespaces_named(told, namespaces):
            counted[namespace][source] += value
    return Scrape(of, {name: dict(each) for name, each in counted.items()}, samples, labelled)


def scrapes_merge(scrapes: Mapping[str, Scrape], metrics: IngressMetrics) -> Counted:
    """All together; what two tell of the same source counts once. NotCounters where none says anything of it."""
    if not any(each.samples for each in scrapes.values()):
        raise NotCounters(f"{metrics.service} tells nothing of {metrics.metric}, or no request ever came.")
    if not any(each.labelled for each in scrapes.values()):
        label = metrics.namespace_label or " or ".join(NAMESPACE_LABELS)
        raise NotCounters(f"{metrics.metric} of {metrics.service} has no label {label}.")
    merged: Counted = {}
    for scrape in scrapes.values():
        for namespace, sources in scrape.counted.items():
            known = merged.setdefault(namespace, {})
            for source, value in sources.items():
                known[source] = max(value, known.get(source, 0.0))
    return merged


def _samples(text: str, metric: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """Only these lines are read: the texts of large controllers have a hundred thousand others."""
    starts = (f"{metric}{{", f"{metric} ")
    lines = "\n".join(line for line in text.splitlines() if line.startswith(starts))
    try:
        for family in text_string_to_metric_families(lines + "\n"):
            for sample in family.samples:
                if math.isfinite(sample.value) and sample.value >= 0:
                    yield sample.labels, sample.value
    except ValueError:
        raise NotCounters(f"{metric} is not written in Prometheus' text format.") from None


def _identity(text: str) -> str:
    """By the controller's pod where that is said, else by when its process began."""
    pod, started = _POD.search(text), _STARTED.search(text)
    return pod[1] if pod else started[1] if started else ""


def _namespace_told(labels: Mapping[str, str], label: str) -> str:
    names = (label,) if label else NAMESPACE_LABELS
    return next((labels[name] for name in names if labels.get(name)), "")


def namespaces_named(told: str, namespaces: frozenset[str]) -> set[str]:
    """Those that a label's value may mean: the whole of it, or a part of the names that controllers make up.

    Such as NAMESPACE-NAME-80@kubernetes (Traefik), NAMESPACE_NAME_80 (HAProxy), httproute/NAMESPACE/NAME/rule/0 (Envoy
    Gateway). Where it may be two, both: what counts too much keeps a cluster that nobody uses, what counts too little
    would take one that is used.
    """
    if told in namespaces:
        return {told}
    starts = [found.start() for found in _STARTS.finditer(told)]
    ends = [found.start() for found in _ENDS.finditer(told)]
    return {told[start:end] for start in starts for end in ends if start < end} & namespaces
