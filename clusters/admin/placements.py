"""What is placed on a host, as a list of links."""

from collections.abc import Sequence
from typing import Final

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from clusters.admin.words import NOTHING, label
from clusters.models import Placement

PLACEMENTS_SHOWN: Final = 50


def placements_in_words(placements: QuerySet[Placement] | Sequence[Placement]) -> SafeString | str:
    """One line a virtual cluster: its name with a link, its phase. Of more than PLACEMENTS_SHOWN it says so."""
    found = list(placements)
    lines = [(_line(each),) for each in found[:PLACEMENTS_SHOWN]]
    if len(found) > PLACEMENTS_SHOWN:
        lines.append((SafeString("and more: the list of placements has them all."),))
    return format_html_join(mark_safe("<br>"), "{}", lines) or NOTHING


def _line(placement: Placement) -> SafeString:
    cluster = placement.virtual_cluster
    page = reverse("admin:clusters_virtualcluster_change", args=(cluster.pk,))
    return format_html(
        '<a href="{}" class="underline">{}/{}</a> {}', page, cluster.project, cluster.name, label(cluster.phase)
    )
