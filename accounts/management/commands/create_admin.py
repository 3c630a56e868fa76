"""`manage.py create_admin HANDLE`: the first of the platform staff."""

import getpass
import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import MarinaError
from accounts.services.audit import Actor
from accounts.services.users import user_create


class Command(BaseCommand):
    """Asks for a password at a terminal, or reads it with --password-stdin; else makes one and prints it once."""

    help = "Makes a user who is platform staff and may use the whole admin site."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("handle")
        parser.add_argument("--name", default="")
        parser.add_argument("--email", default="")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--generate", action="store_true", help="Make a password instead of asking for one.")
        how.add_argument("--password-stdin", action="store_true", help="Read the password from standard input.")

    def handle(self, *args: Any, **options: Any) -> None:
        given = options["password_stdin"]
        generated = not given and (options["generate"] or not sys.stdin.isatty())
        password = _read() if given else secrets.token_urlsafe(18) if generated else _asked()
        try:
            user = user_create(
                actor=Actor(user=None, name="create_admin"),
                handle=options["handle"],
                password=password,
                name=options["name"],
                email=options["email"],
                is_staff=True,
                is_superuser=True,
            )
        except MarinaError as error:
            raise CommandError(str(error)) from None
        self.stderr.write(f"{user.handle} is platform staff now.")
        if generated:
            self.stderr.write("The password, shown this once:")
            self.stdout.write(password)


def _asked() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("The two passwords differ.")
    return password


def _read() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("There is no password on standard input.")
    return password
