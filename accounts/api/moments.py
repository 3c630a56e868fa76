"""Times in filters."""

from datetime import UTC
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django_filters.fields import IsoDateTimeField


class _MomentField(IsoDateTimeField):
    def to_python(self, value: Any) -> Any:
        """In UTC: ISO 8601 knows offsets of up to a day, PostgreSQL of up to 16 hours."""
        found: Any = super().to_python(value)
        try:
            return found and found.astimezone(UTC)
        except OverflowError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """A time with its offset."""

    field_class = _MomentField
