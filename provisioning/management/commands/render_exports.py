"""`manage.py render_exports [--check]`: writes the tables of docs/exports.md: what exports and digests leave out."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from provisioning.exports.digests import DIGEST_LEAVES_OUT, LeftOut
from provisioning.exports.left_out import EVERY, RULES

BEGIN: Final = "<!-- made by `manage.py render_exports` from provisioning/exports/left_out.py -->\n"
BEGIN_DIGESTS: Final = "<!-- made by `manage.py render_exports` from provisioning/exports/digests.py -->\n"
END: Final = "<!-- end -->\n"


class Command(BaseCommand):
    """See the module's text."""

    help = "Writes the tables of docs/exports.md."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail where the page is out of date.")

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / "docs" / "exports.md"
        text = page.read_text()
        wanted = _with_table(text, BEGIN, left_out_table())
        wanted = _with_table(wanted, BEGIN_DIGESTS, digest_table())
        if options["check"]:
            if text != wanted:
                raise CommandError("docs/exports.md is out of date: run `manage.py render_exports`.")
            return
        page.write_text(wanted)
        self.stdout.write("docs/exports.md written.")


def _with_table(text: str, begin: str, table: str) -> str:
    before, _, rest = text.partition(begin)
    return f"{before}{begin}{table}{END}{rest.partition(END)[2]}"


def digest_table() -> str:
    """A row a line of the table of digests."""
    rows = [
        f"| {_kinds((rule.kind,))} | `{'.'.join(rule.path)}`{_when(rule)} | {rule.reason} |"
        for rule in DIGEST_LEAVES_OUT
    ]
    return "\n".join(("| kind | field | why |", "|---|---|---|", *rows, ""))


def _when(rule: LeftOut) -> str:
    if rule.only:
        return f" where it is `{json.dumps(rule.only[0])}`"
    if rule.unless:
        return f" unless it is `{json.dumps(rule.unless[0])}`"
    return f" beside {' and '.join(f'`{key}`' for key in rule.beside)}" if rule.beside else ""


def left_out_table() -> str:
    """A row a rule, in the order in which they are asked."""
    rows = [f"| {_kinds(rule.kinds)} | {_cell(rule.rule)} | {_cell(rule.reason)} |" for rule in RULES]
    return "\n".join(("| kind | which | why |", "|---|---|---|", *rows, ""))


def _kinds(kinds: tuple[str, ...]) -> str:
    return "any" if kinds == (EVERY,) else ", ".join(f"`{kind}`" for kind in kinds)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
