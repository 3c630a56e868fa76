"""A chart's values.schema.json, asked for every fault of some values at once, in words."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import ValidationError
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry

from accounts.errors import FieldError

KNOWN_SHOWN_MAX = 30

PathPart = str | int


def path_render(field: str, path: Sequence[PathPart]) -> str:
    """`spec.values` and `("sync", "x.y", 0)` as `spec.values.sync["x.y"][0]`: how a person finds the place."""
    return field + "".join(_part(part) for part in path)


def _part(part: PathPart) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part.isidentifier() or part.replace("-", "_").isidentifier() else f'["{part[:80]}"]'


def schema_faults(values: Mapping[str, Any], *, schema: Mapping[str, Any], field: str) -> Iterator[FieldError]:
    """What the schema refuses. No sentence repeats a value: values can hold passwords."""
    validator_class = validator_for(schema, default=Draft202012Validator)
    # The empty registry keeps a `$ref` to some address from being fetched.
    validator = validator_class(schema, registry=Registry())
    for error in sorted(validator.iter_errors(values), key=lambda each: [str(part) for part in each.absolute_path]):
        yield from _faults(error, field=field)


def _faults(error: ValidationError, *, field: str) -> Iterator[FieldError]:
    path = list(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = list(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
        for key in error.instance:
            if key not in known:
                yield _unknown(str(key), known, field=path_render(field, [*path, str(key)]))
        return
    yield FieldError(field=path_render(field, path), message=_message(error), accepted=_accepted(error))


def _unknown(key: str, known: list[str], *, field: str) -> FieldError:
    near = difflib.get_close_matches(key, known, n=1)
    listed = ", ".join(sorted(known)[:KNOWN_SHOWN_MAX]) + (" ..." if len(known) > KNOWN_SHOWN_MAX else "")
    accepted = (f"perhaps {near[0]}; " if near else "") + (f"known here: {listed}" if listed else "no key at all")
    return FieldError(field=field, message="The chart knows no such key.", accepted=accepted)


def _message(error: ValidationError) -> str:
    sentences = {
        "type": "This value has the wrong type.",
        "enum": "This value is not one of those that the chart takes.",
        "required": "A key is missing here.",
    }
    return sentences.get(str(error.validator), "The chart does not take this value.")


def _accepted(error: ValidationError) -> str:
    wanted = error.validator_value
    if error.validator == "type":
        return " or ".join(wanted) if isinstance(wanted, list) else str(wanted)
    if error.validator in ("enum", "required") and isinstance(wanted, list):
        return ("one of: " if error.validator == "enum" else "all of: ") + ", ".join(str(each) for each in wanted)
    if error.validator in ("anyOf", "oneOf"):
        return " or ".join(dict.fromkeys(_accepted(branch) for branch in error.context or ())) or "another value"
    return f"{error.validator} {wanted}"[:200]
