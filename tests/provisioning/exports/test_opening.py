"""An export that is not as it was written restores nothing, and that is told before anything is done."""

from pathlib import Path

import pytest

from clusters.models import Export
from provisioning.engine.errors import PermanentError
from provisioning.exports.opening import export_plan
from tests.accounts.conftest import World, world_make
from tests.clusters.export_making import export_made
from tests.clusters.making import host_row, ready_row


@pytest.fixture
def folder(settings, tmp_path: Path) -> Path:
    """Where exports of this test are kept."""
    backend = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": str(tmp_path / "exports")}}
    settings.STORAGES = {**settings.STORAGES, "exports": backend}
    return tmp_path / "exports"


@pytest.fixture
def export(db, folder: Path) -> Export:
    world: World = world_make()
    return export_made(ready_row(world, host_row(), "shop"))


def file_of(export: Export, folder: Path) -> Path:
    return folder / export.storage_name


def test_a_whole_one_gives_its_plan(export: Export) -> None:
    assert [str(each.key) for each in export_plan(export.pk).wanted] == ["Namespace shop", "Secret shop/door"]


def test_one_byte_changed_is_told(export: Export, folder: Path) -> None:
    file = file_of(export, folder)
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    with pytest.raises(PermanentError, match="damaged") as caught:
        export_plan(export.pk)
    assert caught.value.code == "export-damaged"


def test_one_that_was_cut_is_told(export: Export, folder: Path) -> None:
    file = file_of(export, folder)
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(PermanentError) as caught:
        export_plan(export.pk)
    assert caught.value.code == "export-damaged"


def test_one_that_was_removed_meanwhile_is_told(export: Export) -> None:
    Export.objects.filter(pk=export.pk).update(state="Removed")
    with pytest.raises(PermanentError, match="Removed"):
        export_plan(export.pk)
