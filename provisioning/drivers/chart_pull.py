"""Fetching a chart from a repository, once, to be pinned by its digest."""

import tempfile
from pathlib import Path

from provisioning.drivers.charts import chart_digest
from provisioning.drivers.child import child_run
from provisioning.drivers.helm import helm_environment
from provisioning.drivers.helm_errors import helm_error
from provisioning.engine.errors import TemporaryError

PULL_SECONDS = 120.0
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def chart_pull(
    binary: str | Path,
    folder: Path,
    *,
    repository: str,
    name: str,
    version: str,
    destination: Path,
    seconds: float = PULL_SECONDS,
) -> tuple[Path, str]:
    """The archive's path in `destination`, and its digest ("sha256:..."). It appears there whole or not at all.

    `repository` is the address of a chart repository (https://...) or a registry (oci://...). `folder` is helm's own.
    """
    destination.mkdir(parents=True, exist_ok=True)
    oci = repository.startswith("oci://")
    source = [f"{repository.rstrip('/')}/{name}"] if oci else [name, "--repo", repository]
    with tempfile.TemporaryDirectory(dir=destination, prefix=".pull-") as fetched:
        finished = child_run(
            [str(binary), "pull", *source, "--version", version, "--destination", fetched],
            environment=helm_environment(folder, *_PROXY),
            descriptors=[],
            seconds=seconds,
        )
        doing = f"Fetching chart {name} {version}"
        if finished.code or finished.timed_out:
            raise helm_error(doing, finished)
        archives = sorted(Path(fetched).glob("*.tgz"))
        if len(archives) != 1:
            raise TemporaryError(f"{doing}: helm left {len(archives)} archives.", code="helm")
        path = destination / archives[0].name
        archives[0].replace(path)
    return path, chart_digest(path)
