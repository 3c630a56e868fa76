"""`manage.py audit_verify [--organization NAME]`: whether the audit log is as it was sealed."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Organization
from accounts.selectors import uuid_of
from accounts.services.audit_verifying import audit_verify


class Command(BaseCommand):
    """Ends with 1 and names each row and segment that is not as it was. Rows that are not sealed yet are told of."""

    help = "Computes the seals of the audit log again and names what was changed or removed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", help="Only this one's rows: its name or id, or `platform`.")

    def handle(self, *args: Any, **options: Any) -> None:
        given = options["organization"]
        state = audit_verify(organization_ids=None if given is None else [_organization(given)])
        for tail in state.tails:
            self.stdout.write(str(tail))
        for sentence in state.damages:
            self.stdout.write(sentence)
        looked_at = f"{state.segments} segments, {state.rows} rows in them, {state.dropped} segments dropped by age"
        if state.damages:
            raise CommandError(f"The audit log is not as it was written ({looked_at}).")
        self.stdout.write(f"The audit log is as it was sealed: {looked_at}.")


def _organization(given: str) -> UUID | None:
    if given == "platform":
        return None
    found = Organization.objects.filter(name=given).values_list("pk", flat=True).first()
    key = found or uuid_of(given)  # one that was deleted has an id only
    if key is None:
        raise CommandError(f"There is no organization {given!r}.")
    return key
