"""Exports with files, as a worker leaves them."""

import tempfile
from typing import Any

from django.utils import timezone

from clusters.exports.container import ExportWriter, export_key
from clusters.exports.storage import export_store
from clusters.models import Export, ExportState, VirtualCluster
from clusters.services.export_writing import Written, export_begin, export_complete
from tests.canaries import canary

PASSWORD = canary("cDRzc3cwcmQtb2YtYS10ZW5hbnQ=", "the data of a Secret in an export")
OBJECTS: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "1"}},
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "door", "namespace": "shop", "uid": "2", "resourceVersion": "7"},
        "data": {"password": PASSWORD},
    },
]


def export_row(cluster: VirtualCluster, **fields: Any) -> Export:
    """In whatever state, without a file."""
    given = {"project": cluster.project, "organization": cluster.project.organization, "cause": "request"}
    return Export.objects.create(virtual_cluster=cluster, **{**given, **fields})


def export_made(cluster: VirtualCluster, objects: list[dict[str, Any]] = OBJECTS, **fields: Any) -> Export:
    """A Complete one, with its file in the storage of the settings."""
    export, key, now = export_row(cluster), export_key(), timezone.now()
    export_begin(export=export, attempt=1, now=now)
    counts: dict[str, int] = {}
    with tempfile.TemporaryFile() as file:
        writer = ExportWriter(file, key)
        writer.begin({"name": cluster.name})
        for each in objects:
            writer.add(each)
            name = f"{each['apiVersion']}/{each['kind']}"
            counts[name] = counts.get(name, 0) + 1
        size = writer.finish({"counts": counts, "left_out": [], "digests": {}})
        export_store(export.storage_name, file)
    written = Written(
        storage_name=export.storage_name,
        key=key,
        size=size,
        counts=counts,
        left_out=[],
        digest="0" * 64,
        kubernetes_version="1.36.3",
        spec={"name": cluster.name, "values": {}},
    )
    export_complete(export=export, written=written, now=now)
    Export.objects.filter(pk=export.pk).update(**fields)
    export.refresh_from_db()
    assert export.state == fields.get("state", ExportState.COMPLETE)
    return export
