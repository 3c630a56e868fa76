"""vcluster's chart on this worker: fetched once, pinned by its digest in the database."""

from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from clusters.models import Chart
from clusters.selectors import chart_source
from provisioning.drivers.chart_pull import chart_pull
from provisioning.drivers.charts import ChartInfo, chart_digest, chart_inspect
from provisioning.engine.errors import PermanentError, StepError

CHART_NAME = "vcluster"

log = structlog.get_logger(__name__)


def chart_path(version: str) -> Path:
    """The chart's folder or archive on this machine. PermanentError where it is not the one that was pinned."""
    if settings.CHART_FOLDER:
        return _folder(version)
    path: Path = settings.STATE_FOLDER / "charts" / f"{CHART_NAME}-{version}.tgz"
    pinned = Chart.objects.filter(source=chart_source(), version=version).first()
    if not path.is_file():
        chart_pull(
            settings.HELM_BINARY,
            settings.STATE_FOLDER / "helm" / "charts",
            repository=settings.CHART_REPOSITORY,
            name=CHART_NAME,
            version=version,
            destination=path.parent,
        )
    if pinned and chart_digest(path) != pinned.digest:
        path.unlink()
        raise PermanentError(
            f"Version {version} of the chart at {chart_source()} is no longer what it was when it was first fetched.",
            code="chart-changed",
            hint="A published chart never changes. Find out who changed it before you trust it.",
        )
    return path


def _folder(version: str) -> Path:
    """A folder is its administrator's own: what lies there counts, as long as it has the version asked for.

    It holds one chart, or in a folder of its own (`0.36.1`) each of several.
    """
    root = Path(settings.CHART_FOLDER)
    folder = root / version if (root / version).is_dir() else root
    found = chart_inspect(folder).version
    if found != version:
        raise PermanentError(
            f"The chart in {folder} has version {found}, and {version} was asked for.",
            code="chart",
            hint="Put the other version there, or create the cluster with this one.",
        )
    return folder


def chart_fetch(version: str) -> ChartInfo:
    """Fetches the chart if need be and notes its digest and values schema, by which the web half checks values."""
    about = chart_inspect(chart_path(version))
    which: dict[str, Any] = {"source": chart_source(), "version": version}
    known = Chart.objects.filter(**which, digest=about.digest, app_version=about.app_version)
    if not known.exists():  # each installation comes by here
        noted = {"digest": about.digest, "schema": about.schema, "app_version": about.app_version}
        Chart.objects.update_or_create(**which, defaults=noted)
    return about


def chart_ensure(version: str) -> None:
    """Fetches a chart that the database does not know yet. Where that fails the log says why; it is tried again."""
    if Chart.objects.filter(source=chart_source(), version=version).exists():
        return
    try:
        chart_fetch(version)
    except StepError as error:
        log.warning("the chart could not be fetched", chart=version, source=chart_source(), reason=str(error))
