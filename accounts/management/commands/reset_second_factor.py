"""`manage.py reset_second_factor HANDLE`: for who lost app and recovery codes, where nobody is left who could help."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from accounts.services.audit import Actor
from accounts.services.second_factors import second_factor_reset


class Command(BaseCommand):
    """Takes it away, records that, and tells the person."""

    help = "Removes somebody's second factor; they sign in without one until they set up another."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("handle")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(handle=options["handle"], is_service_account=False).first()
        if user is None:
            raise CommandError(f"There is no user {options['handle']}.")
        actor = Actor(user=None, name="reset_second_factor")
        if not second_factor_reset(actor=actor, user=user, now=timezone.now()):
            raise CommandError(f"{user.handle} had no second factor.")
        self.stderr.write(f"{user.handle} has no second factor any more.")
