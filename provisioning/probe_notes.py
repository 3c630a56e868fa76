"""What probes found, written: breakers, versions and conditions, in few statements for many hosts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.fields.json import KeyTransform

from clusters.models import HostCluster
from clusters.versions import chart_support
from provisioning.engine.breaker import host_answered, host_failed
from provisioning.host_conditions import Answer, Nodes, Offered, conditions_of

_NEEDED = ("name", "conditions", "kubernetes_version", "cordoned", "breaker", "answered_at")


def answers_note(answers: Sequence[Answer], *, now: datetime) -> None:
    """Feeds the breakers, then brings versions and conditions up to date. A row where nothing is new is not written."""
    if not answers:
        return
    _breakers_feed(answers, now)
    by_host = {answer.host_id: answer for answer in answers}
    with transaction.atomic():
        changed = [host for host in _rows(by_host) if _changes(host, by_host[host.pk], now)]
        HostCluster.objects.bulk_update(changed, ["conditions", "kubernetes_version"], batch_size=200)


def _breakers_feed(answers: Sequence[Answer], now: datetime) -> None:
    """One that refuses the credential is not silent, and no work can be done there either: its breaker stays."""
    if well := [answer.host_id for answer in answers if answer.answered and not answer.refused]:
        host_answered(host_ids=well, now=now)
    if refused := [answer.host_id for answer in answers if answer.refused]:
        HostCluster.objects.filter(pk__in=refused).update(answered_at=now, probed_at=now)
    for answer in answers:
        if not answer.answered:
            host_failed(host_id=answer.host_id, why=answer.why, now=now)


def _rows(by_host: dict[UUID, Answer]) -> list[HostCluster]:
    """Without their `capacity`, which may be long, but for its number of nodes. Locked in one order, by id."""
    return list(
        HostCluster.objects.filter(pk__in=by_host)
        .only(*_NEEDED)
        .annotate(nodes=KeyTransform("nodes", "capacity"), nodes_ready=KeyTransform("nodes_ready", "capacity"))
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )


def _changes(host: HostCluster, answer: Answer, now: datetime) -> bool:
    before = (host.kubernetes_version, host.conditions)
    host.kubernetes_version = answer.version or host.kubernetes_version
    nodes = Nodes(all=host.nodes, ready=host.nodes_ready)  # type: ignore[attr-defined]
    host.conditions = conditions_of(host, answer, nodes, offered(), now=now)
    return (host.kubernetes_version, host.conditions) != before


def offered() -> Offered:
    """What this installation offers."""
    chart = chart_support(settings.CHART_VERSION, settings.CHART_KUBERNETES_VERSIONS)
    return Offered(versions=settings.KUBERNETES_VERSIONS, chart=chart)
