"""`manage.py create_token HANDLE`: an access token for a user, for scripts on the server itself."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.errors import MarinaError
from accounts.models import User
from accounts.services.audit import Actor
from accounts.services.tokens import token_create


class Command(BaseCommand):
    """Prints the token, once, on standard output."""

    help = "Makes an access token for a user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("handle")
        parser.add_argument("--name", default="made on the server")
        parser.add_argument("--expires-in", type=int, default=None, help="Seconds; 30 days where it is left out.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(handle=options["handle"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['handle']}.")
        try:
            made = token_create(
                actor=Actor(user=None, name="create_token"),
                user=user,
                name=options["name"],
                expires_in=options["expires_in"],
                now=timezone.now(),
            )
        except MarinaError as error:
            raise CommandError(str(error)) from None
        self.stderr.write(f"Valid until {made.token.expires_at:%Y-%m-%d %H:%M} UTC; shown this once:")
        self.stdout.write(made.text)
