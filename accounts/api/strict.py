"""Bodies are read strictly: a field that is not known is refused by name, never ignored."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.api.field_errors import field_errors_of
from accounts.errors import InvalidInput


class StrictSerializer(serializers.Serializer[Any]):
    """A body or a part of one. Unknown and read-only fields are errors like any other; all errors are told at once.

    With `is_valid(raise_exception=True)` it raises InvalidInput, each error saying what would be accepted.
    """

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        value: Any = None
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            errors = dict(error.detail)
        if isinstance(data, Mapping):
            errors.update(self._unknown(data))
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def _unknown(self, data: Mapping[Any, Any]) -> dict[str, list[str]]:
        found = {}
        for name in data:
            field = self.fields.get(name)
            if field is None:
                found[str(name)] = ["There is no such field."]
            elif field.read_only:
                found[str(name)] = ["Marina sets this field; it cannot be sent."]
        return found

    def is_valid(self, *, raise_exception: bool = False) -> bool:
        valid = super().is_valid(raise_exception=False)
        if not valid and raise_exception:
            raise InvalidInput.of(field_errors_of(self.errors, self))
        return valid


class NoBody(StrictSerializer):
    """The body of a request that takes none: absent, or an empty object."""
