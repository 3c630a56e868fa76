"""`manage.py render_exports [--check]`: writes the table of docs/exports.md from that of what exports leave out."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from provisioning.exports.left_out import EVERY, RULES

BEGIN: Final = "<!-- made by `manage.py render_exports` from provisioning/exports/left_out.py -->\n"
END: Final = "<!-- end -->\n"


class Command(BaseCommand):
    """See the module's text."""

    help = "Writes the table of docs/exports.md."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail where the page is out of date.")

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / "docs" / "exports.md"
        text = page.read_text()
        before, _, rest = text.partition(BEGIN)
        wanted = f"{before}{BEGIN}{left_out_table()}{END}{rest.partition(END)[2]}"
        if options["check"]:
            if text != wanted:
                raise CommandError("docs/exports.md is out of date: run `manage.py render_exports`.")
            return
        page.write_text(wanted)
        self.stdout.write("docs/exports.md written.")


def left_out_table() -> str:
    """A row a rule, in the order in which they are asked."""
    rows = [f"| {_kinds(rule.kinds)} | {_cell(rule.rule)} | {_cell(rule.reason)} |" for rule in RULES]
    return "\n".join(("| kind | which | why |", "|---|---|---|", *rows, ""))


def _kinds(kinds: tuple[str, ...]) -> str:
    return "any" if kinds == (EVERY,) else ", ".join(f"`{kind}`" for kind in kinds)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
