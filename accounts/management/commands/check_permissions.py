"""`manage.py check_permissions [--repair]`: compares permission rows with role bindings, and groups with teams."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.services.permission_check import permission_differences, permission_differences_repair


class Command(BaseCommand):
    """Ends with 1 and names each difference; with --repair it writes what the role bindings say."""

    help = "Compares permission rows with role bindings."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="Write what the role bindings say.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        repair = options["repair"]
        found = permission_differences_repair(now=now) if repair else permission_differences(now=now)
        sentences = list(found.sentences())
        for sentence in sentences:
            self.stdout.write(sentence)
        if not sentences:
            self.stdout.write("Permissions and role bindings agree.")
        elif repair:
            self.stdout.write(f"{len(sentences)} differences repaired.")
        else:
            raise CommandError(f"{len(sentences)} differences; --repair writes what the role bindings say.")
