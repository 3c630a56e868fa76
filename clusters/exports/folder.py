"""Exports in a folder that all of Marina's processes share."""

import os
import shutil
from pathlib import Path
from typing import IO, Any

from django.core.files.storage import FileSystemStorage


class ExportFolder(FileSystemStorage):
    """Nobody but Marina's own user may look in. A file is there as a whole or not at all."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name that was given: who writes chooses one that nobody else has."""
        return name

    def _save(self, name: str, content: IO[Any]) -> str:
        whole = Path(self.path(name))
        Path(self.location).mkdir(mode=0o700, parents=True, exist_ok=True)
        whole.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = whole.with_name(f"{whole.name}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(whole)
            _names_keep(whole.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return name


def _names_keep(folder: Path) -> None:
    """That the file bears its name is on the disk as well: what it is of may be deleted a moment later."""
    for each in (folder, folder.parent):
        descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
