"""Which upgrades there are for a cluster, as people read it."""

from __future__ import annotations

from marina_cli.durations import minute
from marina_cli.text import Json, word


def upgrade_cell(item: Json) -> str:
    """In a list: the most pressing one that can be done, with a mark where support ends; a dash where there is none."""
    available = (item.get("upgrade") or {}).get("available") or ()
    if not available:
        return "-"
    possible = [each for each in available if not each.get("in_the_way")]
    mark = "!" if available[0].get("reason") == "support-ends" else ""
    if not possible:
        return f"in the way{mark}"
    first = possible[0]
    return f"{first.get('kubernetes_version') or 'chart ' + word(first.get('chart_version'))}{mark}"


def upgrade_lines(item: Json) -> list[tuple[str, str]]:
    """For one cluster: each with its reason, what is planned, and what was not done."""
    told = item.get("upgrade") or {}
    lines = [
        ("upgrade", f"{word(each.get('message'))} {each.get('in_the_way') or ''}".strip())
        for each in told.get("available") or ()
    ]
    return [*lines, ("planned", planned_text(told)), ("not done", word(told.get("blocked")))]


def planned_text(told: Json) -> str:
    """What Marina does by itself next."""
    planned = told.get("planned")
    if not planned:
        return ""
    chart = f"chart {planned['chart_version']}" if planned.get("chart_version") else ""
    to = " with ".join(filter(None, (planned.get("kubernetes_version"), chart)))
    until = f" to {minute(planned['until'])}" if planned.get("until") else " on"
    return f"upgrade to {to}, from {minute(planned.get('at'))}{until} ({word(planned.get('cause'))})"
