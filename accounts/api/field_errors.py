"""From REST framework's nested errors to a flat list: each with the field's path as the sender wrote it."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from rest_framework import serializers
from rest_framework.settings import api_settings

from accounts.errors import FieldError


def field_errors_of(detail: Any, field: Any = None, path: str = "") -> Iterator[FieldError]:
    """Each error with its path, like `spec.values` or `namespaces[2]`.

    `field` is the serializer (or field) that refused, if known: then each error also says what would be accepted.
    """
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from field_errors_of(inner, _child(field, key), _joined(path, key))
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            child, where = (_child(field, index), _joined(path, index)) if nested else (field, path)
            yield from field_errors_of(inner, child, where)
    else:
        yield FieldError(field=path or "body", message=str(detail), accepted=accepted_by(field))


def _joined(path: str, key: Any) -> str:
    if key == api_settings.NON_FIELD_ERRORS_KEY:
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


class UnknownName:
    """Stands for a field that the serializer does not have."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = known


def _child(field: Any, key: Any) -> Any:
    if isinstance(field, serializers.ListSerializer | serializers.ListField | serializers.DictField):
        return field.child
    if not isinstance(field, serializers.Serializer):
        return None
    if key == api_settings.NON_FIELD_ERRORS_KEY:
        return field
    return field.fields.get(key) or UnknownName(str(key), writable_names(field))


def writable_names(serializer: serializers.Serializer[Any]) -> list[str]:
    """The names of the fields that may be sent."""
    return [name for name, field in serializer.fields.items() if not field.read_only]


def accepted_by(field: Any) -> str:
    """What the field takes, in words; empty where that needs saying by its own sentence."""
    match field:
        case None:
            return ""
        case UnknownName():
            return name_suggested(field.name, field.known)
        case serializers.ChoiceField():
            return f"one of: {', '.join(str(choice) for choice in field.choices)}"
        case serializers.BooleanField():
            return "true or false"
        case serializers.IntegerField():
            return _number_range(field.min_value, field.max_value)
        case serializers.UUIDField():
            return "an id (UUID)"
        case serializers.DateTimeField():
            return "a time with its zone, like 2027-01-31T18:00:00Z"
        case serializers.ListField():
            return "a list"
        case serializers.Serializer():
            return f"an object with these fields: {', '.join(writable_names(field)) or 'none'}"
        case serializers.DictField() | serializers.JSONField():
            return "an object"
    return str(getattr(field, "accepted", "")) or _text_length(field)


def name_suggested(name: str, known: Sequence[str]) -> str:
    """A close name among those known, else all of them."""
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"one of: {', '.join(known)}" if known else "no field at all"


def _number_range(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f"a whole number from {least} to {most}"
    if least is not None:
        return f"a whole number, at least {least}"
    return f"a whole number, at most {most}" if most is not None else "a whole number"


def _text_length(field: Any) -> str:
    if not isinstance(field, serializers.CharField):
        return ""
    return f"text of at most {field.max_length} characters" if field.max_length else "text"
