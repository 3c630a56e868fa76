"""Export and restore of 5,000 objects against `kubectl get -o yaml` and `kubectl apply` of the same."""

import json
from collections.abc import Iterator
from functools import partial

from tests.bench.figures import Figure, tell
from tests.bench.places import place, seconds
from tests.bench.setup import FOLDER, Bench

OBJECTS = 5000


def figures(bench: Bench) -> Iterator[Figure]:
    """The same objects, read and made again both ways."""
    with place(bench) as where:
        for name in ("first", "by-kubectl"):
            where.marina.create(name)
        first, other = where.inside("first"), where.inside("by-kubectl")
        first("create", "-f", "-", stdin=_manifests())
        file = FOLDER / "objects.yaml"
        got = seconds(lambda: file.write_text(first("get", "configmaps", "-l", "bench=yes", "-o", "yaml")))
        exported = seconds(partial(where.marina.export, "first"))
        yield _compared("export_objects_per_second_ratio", exported, got, 0.5, "kubectl get -o yaml")
        applied = seconds(lambda: other("apply", "-f", str(file)))
        restored = seconds(partial(where.marina.restore, "first", "again"))
        created = seconds(partial(where.marina.create, "empty"))
        yield _compared("restore_objects_per_second_ratio", restored - created, applied, 0.8, "kubectl apply")


def _manifests() -> str:
    meta = {"namespace": "default", "labels": {"bench": "yes"}}
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**meta, "name": f"object-{number:04d}"},
            "data": {"key": f"value {number}"},
        }
        for number in range(OBJECTS)
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _compared(name: str, ours: float, theirs: float, target: float, what: str) -> Figure:
    said = f"marina {OBJECTS / ours:.0f} objects a second, {what} {OBJECTS / theirs:.0f}"
    return tell(Figure(name, theirs / ours, target, at_most=False, said=said))
