"""Writes one export: reads the cluster page by page, seals what it reads, and hands the whole file to the storage."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from django.conf import settings

from clusters.exports.container import ExportWriter, export_key
from clusters.exports.storage import ExportStorageError, export_store
from clusters.models import VirtualCluster
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import TemporaryError
from provisioning.exports.reading import ClusterReading
from provisioning.failpoints import failpoint, failpoint_register

failpoint_register("export.stored")

STORAGE_HINT = "Whoever runs Marina can make room or mend it; the operation is tried again by itself until it gives up."


@dataclass(frozen=True)
class ExportFile:
    """A whole file that the storage has. `digest` is that of its manifest."""

    key: bytes
    size: int
    counts: dict[str, int]
    left_out: list[dict[str, Any]]
    digest: str
    kubernetes_version: str


def export_write(
    *,
    kube: KubeClient,
    cluster: VirtualCluster,
    name: str,
    before_page: Callable[[], None],
    clock: Callable[[], datetime],
) -> ExportFile:
    """Under this name in the storage afterwards. TemporaryError where there is no room for it; then nothing stays.

    What is on the worker's own disk meanwhile is sealed too, has no name, and is gone with the worker.
    """
    try:
        with _scratch() as scratch:
            written = _written(scratch, kube, cluster, before_page, clock)
            before_page()
            export_store(name, scratch)
    except ExportStorageError as error:
        raise TemporaryError(str(error), code="export-storage", hint=STORAGE_HINT) from error
    except OSError as error:
        message = f"The worker's own disk did not take the export: {(error.strerror or 'an error').lower()}."
        raise TemporaryError(message, code="export-storage", hint=STORAGE_HINT) from error
    failpoint("export.stored")
    return written


def _scratch() -> IO[bytes]:
    settings.STATE_FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=settings.STATE_FOLDER)


def _written(
    stream: IO[bytes],
    kube: KubeClient,
    cluster: VirtualCluster,
    before_page: Callable[[], None],
    clock: Callable[[], datetime],
) -> ExportFile:
    key, started_at = export_key(), clock()
    version = str(kube.version().get("gitVersion", "")).removeprefix("v")
    writer, reading = ExportWriter(stream, key), ClusterReading(kube, before_page=before_page)
    writer.begin(
        {
            "cluster": str(cluster.pk),
            "name": cluster.name,
            "kubernetes_version": version,
            "chart_version": cluster.chart_version,
            "started_at": started_at.isoformat(),
        }
    )
    for item in reading:
        writer.add(item)
    manifest = _manifest(reading, version, started_at, clock())
    size = writer.finish(manifest)
    stream.flush()
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    return ExportFile(key, size, dict(reading.counts), reading.left_out.as_json(), digest, version)


def _manifest(reading: ClusterReading, version: str, started_at: datetime, finished_at: datetime) -> dict[str, Any]:
    return {
        "kubernetes_version": version,
        "versions": reading.versions,
        "counts": dict(reading.counts),
        "left_out": reading.left_out.as_json(),
        "digests": reading.digests,
        "revisions": reading.revisions,
        "started_at": started_at.isoformat(),
        "finished_at": finished_at.isoformat(),
    }
