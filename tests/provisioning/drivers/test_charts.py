"""Charts are read without helm, and pulled once, pinned by digest."""

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.drivers.chart_pull import chart_pull
from provisioning.drivers.charts import chart_digest, chart_inspect
from provisioning.engine.errors import PermanentError, StepError
from tests.provisioning.drivers.conftest import CHART


@pytest.fixture(scope="module")
def archive(tools, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packaged")
    subprocess.run([tools.helm, "package", CHART, "--destination", folder], check=True, capture_output=True)
    archive: Path = folder / "pebble-1.2.3.tgz"
    return archive


@pytest.fixture(scope="module")
def repository(tools, archive: Path) -> Iterator[str]:
    """A chart repository over HTTP."""
    subprocess.run([tools.helm, "repo", "index", archive.parent], check=True, capture_output=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_folder_and_its_archive_say_the_same(archive: Path):
    folder, packed = chart_inspect(CHART), chart_inspect(archive)
    assert (folder.name, folder.version, folder.app_version) == ("pebble", "1.2.3", "4.5")
    assert (packed.name, packed.version, packed.app_version) == ("pebble", "1.2.3", "4.5")
    assert folder.schema["additionalProperties"] is False
    assert folder.default_values == {"greeting": "hello", "replicas": 0, "hook": False}
    assert (packed.schema, packed.default_values) == (folder.schema, folder.default_values)


def test_the_digest_of_a_folder_changes_with_names_and_contents_only(tmp_path: Path):
    copy = Path(shutil.copytree(CHART, tmp_path / "copy"))
    assert chart_digest(copy) == chart_digest(CHART)
    (copy / "values.yaml").write_text("greeting: changed\n")
    changed = chart_digest(copy)
    assert changed != chart_digest(CHART)
    (copy / "values.yaml").rename(copy / "other.yaml")
    assert chart_digest(copy) != changed


def test_what_is_no_chart_is_refused(tmp_path: Path):
    (tmp_path / "Chart.yaml").write_text("name: x\n")
    (tmp_path / "broken.tgz").write_bytes(b"no archive")
    for path in (tmp_path, tmp_path / "broken.tgz", tmp_path / "absent.tgz"):
        with pytest.raises(PermanentError) as raised:
            chart_inspect(path)
        assert raised.value.code == "chart"


def test_a_chart_is_pulled_whole_with_its_digest(tools, repository, archive, helm_folder, tmp_path):
    wanted = {"repository": repository, "name": "pebble", "version": "1.2.3", "destination": tmp_path / "charts"}
    path, digest = chart_pull(tools.helm, helm_folder, **wanted)
    assert path == tmp_path / "charts" / "pebble-1.2.3.tgz"
    assert digest == chart_digest(archive) == chart_inspect(path).digest
    assert [file.name for file in (tmp_path / "charts").iterdir()] == ["pebble-1.2.3.tgz"]


def test_a_version_that_is_not_there_is_refused_and_leaves_nothing(tools, repository, helm_folder, tmp_path):
    wanted = {"repository": repository, "name": "pebble", "version": "9.9.9", "destination": tmp_path}
    with pytest.raises(StepError) as raised:
        chart_pull(tools.helm, helm_folder, **wanted)
    assert isinstance(raised.value, PermanentError)
    assert "9.9.9" in raised.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_repository_that_is_away_may_come_back(tools, helm_folder, tmp_path):
    wanted = {"repository": "http://127.0.0.1:1", "name": "pebble", "version": "1.2.3", "destination": tmp_path}
    with pytest.raises(StepError) as raised:
        chart_pull(tools.helm, helm_folder, **wanted)
    assert raised.value.code == "unreachable"
