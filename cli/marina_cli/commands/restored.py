"""What came of a restore, for people: how many objects are as they were exported, and which are not."""

from __future__ import annotations

import click

from marina_cli.text import Json, word


def restored_show(operation: Json, *, most: int | None = None) -> int:
    """Prints it where the operation is a restore that told; says how many it did not name because of `most`."""
    restored = operation.get("restored") or {}
    counts, listed = restored.get("counts") or {}, restored.get("listed") or []
    if not counts:
        return 0
    click.echo(f"{counts.get('equal', 0)} of {counts.get('objects', 0)} objects are as they were exported.")
    for each in listed[:most]:
        why = str(each.get("why") or ", ".join(map(word, each.get("paths") or ())))
        click.echo(f"  {word(each.get('what'))}: {word(each.get('object'))}{f' ({word(why)})' if why else ''}")
    return len(listed) - len(listed[:most])
