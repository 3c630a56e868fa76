"""Writing rows so that what the database or the model refuses comes out as an error for people."""

from collections import Counter
from collections.abc import Collection

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model, ProtectedError

from accounts.access import UNSEEN
from accounts.errors import Conflict, FieldError, InvalidInput, NotFound


def row_lock(row: Model) -> None:
    """Reads the row as it is now and keeps it so until the transaction ends: what was read before may have changed.

    Raises NotFound where it went meanwhile.
    """
    # rows that only point to it may still be written
    locked = type(row)._default_manager.select_for_update(of=("self",), no_key=True)
    try:
        row.refresh_from_db(from_queryset=locked)
    except ObjectDoesNotExist:
        raise NotFound(UNSEEN) from None


def row_validate(row: Model, *, exclude: Collection[str] = ()) -> None:
    """Raises InvalidInput naming each field that the model's own rules refuse. Uniqueness is the database's affair."""
    try:
        row.clean_fields(exclude=exclude)
    except ValidationError as error:
        raise InvalidInput.of(
            FieldError(field=name, message=message)
            for name, messages in error.message_dict.items()
            for message in messages
        ) from None


def row_save(row: Model, *, taken: str, field: str = "name") -> None:
    """Validates and writes the row. Raises Conflict with the sentence `taken` where a unique constraint stands against.

    Must run in a transaction, which stays usable after the refusal.
    """
    row_validate(row)
    try:
        with transaction.atomic():
            row.save(force_insert=row._state.adding)
    except IntegrityError as error:
        diagnostics = getattr(error.__cause__, "diag", None)
        if getattr(diagnostics, "sqlstate", "") != "23505":  # unique_violation
            raise
        raise Conflict(taken, field=field) from None


def protected_sentence(name: str, error: ProtectedError) -> str:
    """What the database says still needs the row, counted: "payments still has 2 virtual clusters."."""
    kinds = Counter(type(each)._meta for each in error.protected_objects)
    counted = [
        f"{count} {kind.verbose_name if count == 1 else kind.verbose_name_plural}" for kind, count in kinds.items()
    ]
    return f"{name} still has {', '.join(sorted(counted))}."
