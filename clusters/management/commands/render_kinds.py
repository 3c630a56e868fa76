"""`manage.py render_kinds [--check]`: writes docs/operation-kinds.md from the table of kinds."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clusters.kind_table import kind_table_render


class Command(BaseCommand):
    """See the module's text."""

    help = "Writes docs/operation-kinds.md from the table of kinds."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail where the page is out of date.")

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / "docs" / "operation-kinds.md"
        text = kind_table_render()
        if options["check"]:
            if not page.exists() or page.read_text() != text:
                raise CommandError("docs/operation-kinds.md is out of date: run `manage.py render_kinds`.")
            return
        page.write_text(text)
        self.stdout.write("docs/operation-kinds.md written.")
