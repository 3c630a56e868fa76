"""`manage.py render_openapi [--check]`: writes docs/openapi.json, from which clients can be made."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from accounts.api.document import document_faults


class Command(BaseCommand):
    """See the module's text."""

    help = "Writes docs/openapi.json from the API."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail where the file is out of date.")

    def handle(self, *args: Any, **options: Any) -> None:
        document = _document()
        page = Path(settings.BASE_DIR) / "docs" / "openapi.json"
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        if options["check"]:
            if not page.exists() or page.read_text() != text:
                raise CommandError("docs/openapi.json is out of date: run `manage.py render_openapi`.")
            return
        page.write_text(text)
        self.stdout.write("docs/openapi.json written.")


def _document() -> dict[str, Any]:
    """The document; CommandError where it is incomplete, or was made with a warning."""
    reset_generator_stats()
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    GENERATOR_STATS.emit_summary()
    faults = list(document_faults(document))
    if GENERATOR_STATS:
        faults.append("drf-spectacular warned of something; see above.")
    if faults:
        raise CommandError("\n".join(["The API's document is not complete.", *faults]))
    validate_schema(document)  # type: ignore[no-untyped-call]
    # as JSON: lazy sentences and tuples become what readers get
    plain: dict[str, Any] = json.loads(json.dumps(document, default=str))
    return plain
