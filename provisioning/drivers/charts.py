"""What a chart says about itself, read from its folder or archive without helm."""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from provisioning.engine.errors import PermanentError

_LARGEST_FILE = 4 * 1024 * 1024


@dataclass(frozen=True)
class ChartInfo:
    """`digest` is "sha256:" and the hash of the archive at `path`, or of all files of the folder there."""

    name: str
    version: str
    app_version: str
    path: Path
    digest: str
    schema: dict[str, Any] = field(repr=False)
    default_values: dict[str, Any] = field(repr=False)


def chart_inspect(path: Path) -> ChartInfo:
    """PermanentError (chart) if this is no chart. A chart without schema or values has empty ones.

    What it gave is kept, as each installation and update of a release asks for it: it is only to be read.
    """
    try:
        return _inspected(path, chart_digest(path))
    except (OSError, tarfile.TarError, yaml.YAMLError, ValueError) as error:
        raise PermanentError(f"The chart {path.name} cannot be read: {error}", code="chart") from error


@lru_cache(maxsize=16)
def _inspected(path: Path, digest: str) -> ChartInfo:
    read = _read_folder if path.is_dir() else _read_archive
    files = read(path)
    about = _mapping(_yaml(files.get("Chart.yaml", "")))
    values = _mapping(_yaml(files.get("values.yaml", "")))
    schema = _mapping(json.loads(files.get("values.schema.json", "{}")))
    if not about.get("name") or not about.get("version"):
        raise PermanentError(f"{path.name} is no chart: it has no Chart.yaml with name and version.", code="chart")
    return ChartInfo(
        name=str(about["name"]),
        version=str(about["version"]),
        app_version=str(about.get("appVersion", "")),
        path=path,
        digest=digest,
        schema=schema,
        default_values=values,
    )


def chart_digest(path: Path) -> str:
    """Of an archive the hash of its bytes; of a folder one that changes with any file's name or content."""
    total = hashlib.sha256()
    if not path.is_dir():
        total.update(path.read_bytes())
        return f"sha256:{total.hexdigest()}"
    for file in _files(path):
        name = file.relative_to(path).as_posix().encode()
        content = hashlib.sha256(file.read_bytes()).digest()
        total.update(len(name).to_bytes(4, "big") + name + content)
    return f"sha256:{total.hexdigest()}"


def _files(folder: Path) -> Iterator[Path]:
    found = [file for file in folder.rglob("*") if file.is_file()]
    return iter(sorted(found, key=lambda file: file.relative_to(folder).as_posix()))


_WANTED = ("Chart.yaml", "values.yaml", "values.schema.json")


def _read_folder(path: Path) -> dict[str, str]:
    return {name: (path / name).read_text() for name in _WANTED if (path / name).is_file()}


def _read_archive(path: Path) -> dict[str, str]:
    """Of the chart's own folder only: charts it depends on lie deeper, in charts/."""
    texts: dict[str, str] = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            folder, _, name = member.name.removeprefix("./").partition("/")
            if folder and name in _WANTED and member.isfile() and member.size <= _LARGEST_FILE:
                content = archive.extractfile(member)
                texts[name] = content.read().decode() if content else ""
    return texts


def _yaml(text: str) -> Any:
    """By libyaml, which is in PyYAML's wheels: a chart's values take it a tenth of the time."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - either is a safe one


def _mapping(document: Any) -> dict[str, Any]:
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ValueError("a mapping was expected")
    return document
