"""`manage.py migrate`: Django's own, as the owner of the tables, and what Marina's own role may do afterwards."""

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.utils import timezone

from accounts.services.permission_check import permission_differences_repair
from controlplane.database_roles import database_roles_apply, owner_alias


class Command(migrate.Command):
    """Connects by DATABASE_OWNER_URL where that is set."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=owner_alias())

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not (options["plan"] or options["check_unapplied"]) and options["database"] == owner_alias():
            database_roles_apply()
            if not options["app_label"]:
                # a new version's roles may allow more: who has one already gets that too
                permission_differences_repair(now=timezone.now())
