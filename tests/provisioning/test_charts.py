"""The chart on a worker: fetched once, pinned by its digest, noted in the database so that values are checked early."""

import shutil
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters.models import Chart
from clusters.selectors import chart_schema
from provisioning.charts import chart_ensure, chart_fetch, chart_path
from provisioning.engine.errors import PermanentError

pytestmark = pytest.mark.django_db

STAND_IN = Path("localkube/charts/vcluster")


@pytest.fixture
def fetched(settings, tmp_path):
    """A chart archive as an earlier pull left it on this worker."""
    settings.CHART_FOLDER = ""
    settings.CHART_REPOSITORY = "https://charts.example.com"
    settings.CHART_VERSION = "0.36.1"
    settings.STATE_FOLDER = tmp_path
    packed = shutil.make_archive(str(tmp_path / "chart"), "gztar", STAND_IN.parent, STAND_IN.name)
    archive = tmp_path / "charts" / "vcluster-0.36.1.tgz"
    archive.parent.mkdir()
    return Path(packed).rename(archive)


def test_a_fetched_chart_is_noted_with_digest_and_schema(fetched):
    chart_ensure("0.36.1")
    assert Chart.objects.get().digest.startswith("sha256:")
    assert chart_schema()["properties"]["controlPlane"]


def test_a_chart_that_is_known_is_not_written_again(fetched):
    chart_fetch("0.36.1")
    with CaptureQueriesContext(connection) as asked:
        assert chart_fetch("0.36.1").version == "0.36.1"
    assert all(each["sql"].startswith("SELECT") for each in asked)


def test_a_folder_that_was_changed_counts_as_it_is_now(settings, tmp_path):
    settings.CHART_FOLDER = str(shutil.copytree(STAND_IN, tmp_path / "chart"))
    before = chart_fetch("0.36.1").digest
    (tmp_path / "chart" / "values.schema.json").write_text('{"properties": {"other": {}}}')
    assert chart_fetch("0.36.1").digest == Chart.objects.get().digest != before
    assert chart_schema() == {"properties": {"other": {}}}


def test_a_chart_that_is_no_longer_what_was_pinned_is_refused_and_not_kept(fetched):
    chart_fetch("0.36.1")
    Chart.objects.update(digest="sha256:another")
    with pytest.raises(PermanentError, match="no longer what it was") as caught:
        chart_path("0.36.1")
    assert caught.value.code == "chart-changed"
    assert not fetched.exists()


def test_a_folder_counts_as_it_is_and_must_have_the_version_that_was_asked_for(settings):
    settings.CHART_FOLDER = str(STAND_IN)
    assert chart_path("0.36.1") == STAND_IN
    with pytest.raises(PermanentError, match=r"has version 0\.36\.1, and 9\.9\.9 was asked for"):
        chart_path("9.9.9")


def test_a_chart_that_cannot_be_fetched_leaves_the_worker_at_work(settings, tmp_path):
    settings.CHART_FOLDER = str(tmp_path)
    chart_ensure("0.36.1")
    assert not Chart.objects.exists()
