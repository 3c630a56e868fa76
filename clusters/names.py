"""Names and labels as Kubernetes takes them, checked before anything is written."""

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

from accounts.errors import FieldError, InvalidInput

NAME_MAX = 40
"""Characters. Upstream joins a pod's name, its namespace and the cluster's name into one; 40 leaves room for them."""

NAMESPACE_MAX = 63
"""Characters of an RFC 1123 label, which a namespace's name is."""

NAME_ACCEPTED = (
    f"1 to {NAME_MAX} lower-case letters a-z, digits and hyphens, beginning and ending with a letter or digit"
)
LABEL_KEY_ACCEPTED = (
    "at most 63 letters, digits, hyphens, underscores and dots, beginning and ending with a letter or digit; "
    "before it perhaps a DNS name and a slash, as in example.com/team"
)
LABEL_VALUE_ACCEPTED = (
    "nothing, or at most 63 letters, digits, hyphens, underscores and dots, beginning and ending with a letter or digit"
)
LABELS_MAX = 32

RESERVED_PREFIXES = ("kubernetes.io", "k8s.io", "loft.sh", "marina.dev")
"""Labels below these steer Kubernetes, vcluster or Marina: `pod-security.kubernetes.io/enforce: privileged` on a
namespace would switch its protection off. They are not for users to set."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def name_validate(value: object, field: str = "name", *, length_max: int = NAME_MAX) -> str:
    """The name, which is an RFC 1123 label of at most `length_max` characters. Raises InvalidInput for `field`."""
    accepted = NAME_ACCEPTED.replace(f"1 to {NAME_MAX}", f"1 to {length_max}")
    if isinstance(value, str) and len(value) <= length_max and _LABEL.fullmatch(value):
        return value
    raise InvalidInput(_name_fault(value, length_max), field=field, accepted=accepted)


def _name_fault(value: object, length_max: int) -> str:
    if not isinstance(value, str):
        return "The name is no text."
    if not value:
        return "The name is empty."
    if len(value) > length_max:
        return f"The name has {len(value)} characters."
    wrong = sorted(set(re.sub("[a-z0-9-]", "", value)))
    if wrong:
        return "The name holds " + ", ".join(_character(each) for each in wrong[:5]) + "."
    return "The name begins or ends with a hyphen."


def _character(character: str) -> str:
    if "A" <= character <= "Z":
        return f"the capital letter {character}"
    return f"`{character}`" if character.isprintable() and not character.isspace() else "a blank or invisible character"


def namespace_for(name: str, id: UUID) -> str:  # noqa: A002 - the noun's own word, as everywhere in Marina
    """The host namespace of a virtual cluster: `marina-` + its name, shortened if need be, + `-` + a short id.

    The short id is the end of the UUID: a UUIDv7 begins with the time, which two clusters made together share.
    """
    short_id = id.hex[-10:]
    room = NAMESPACE_MAX - len("marina-") - len("-") - len(short_id)
    return f"marina-{name[:room].rstrip('-')}-{short_id}"


def release_for(name: str) -> str:
    """The release's name, which names its Service too: that must begin with a letter (RFC 1035), a name need not."""
    return name if name[0].isalpha() else f"v{name}"


def labels_validate(
    labels: Mapping[str, str], field: str = "labels", *, reserved: Iterable[str] = RESERVED_PREFIXES
) -> dict[str, str]:
    """The labels, which Kubernetes would take. Raises InvalidInput that names every wrong key as `labels.KEY`."""
    if not isinstance(labels, Mapping):
        raise InvalidInput("The labels are no mapping.", field=field, accepted="keys with text values")
    if len(labels) > LABELS_MAX:
        raise InvalidInput(f"There are {len(labels)} labels.", field=field, accepted=f"at most {LABELS_MAX}")
    faults = [fault for key, value in labels.items() for fault in _label_faults(key, value, field, tuple(reserved))]
    if faults:
        raise InvalidInput.of(faults)
    return dict(labels)


def _label_faults(key: object, value: object, field: str, reserved: tuple[str, ...]) -> Iterable[FieldError]:
    path = f"{field}.{str(key)[:80]}"
    if not label_key_is_valid(key):
        yield FieldError(field=path, message="This is no label key.", accepted=LABEL_KEY_ACCEPTED)
    elif _prefix_of(str(key)).endswith(tuple(f".{each}" for each in reserved)):
        message = f"Labels of {_prefix_of(str(key)).removeprefix('.')} are set by the system."
        yield FieldError(field=path, message=message, accepted="a key without a prefix, or with one of your own")
    if not label_value_is_valid(value):
        yield FieldError(field=path, message="This is no label value.", accepted=LABEL_VALUE_ACCEPTED)


def _prefix_of(key: str) -> str:
    """The part before the slash, with a dot before it, so that it ends with `.kubernetes.io` when it is that name."""
    return f".{key.rpartition('/')[0]}"


def label_key_is_valid(key: object) -> bool:
    """Whether Kubernetes takes this text as the key of a label."""
    if not isinstance(key, str):
        return False
    prefix, slash, name = key.rpartition("/")
    return bool(_LABEL_PART.fullmatch(name)) and (not slash or bool(_PREFIX.fullmatch(prefix)))


def label_value_is_valid(value: object) -> bool:
    """Whether Kubernetes takes this text as the value of a label."""
    return isinstance(value, str) and (value == "" or bool(_LABEL_PART.fullmatch(value)))
