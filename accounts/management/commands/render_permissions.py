"""`manage.py render_permissions [--check]`: writes docs/permissions.md from the role table."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.role_table import role_table_render


class Command(BaseCommand):
    """See the module's text."""

    help = "Writes docs/permissions.md from the role table."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail where the page is out of date.")

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / "docs" / "permissions.md"
        text = role_table_render()
        if options["check"]:
            if not page.exists() or page.read_text() != text:
                raise CommandError("docs/permissions.md is out of date: run `manage.py render_permissions`.")
            return
        page.write_text(text)
        self.stdout.write("docs/permissions.md written.")
