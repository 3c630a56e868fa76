"""Reading a kubeconfig's YAML, which comes from strangers: nothing is built from it but texts, lists and mappings."""

from typing import Any

import yaml

from accounts.errors import InvalidInput

SIZE_MAX = 1024 * 1024
"""Bytes. The largest kubeconfig seen in the wild holds some dozens of contexts with certificates: tens of kilobytes."""

EVENTS_MAX = 50_000
"""YAML's parts (scalars, starts and ends). A hundred contexts are about 3,000; far more only cost time."""

DEPTH_MAX = 32
"""Nesting. A kubeconfig needs six levels; `extensions` of other tools some more."""

ACCEPTED = "one YAML document of `kind: Config`, UTF-8, of at most 1 MiB, as `kubectl config view --raw` prints it"


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader with fewer talents: no numbers or dates, no merge keys, and a key that stands twice is refused."""

    # Only these two words mean more than their letters; SafeLoader's dates and numbers can fail on odd input, and a
    # token of digits is meant as text.
    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}


for _tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"):
    for _first, _resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items():
        for _name, _pattern in _resolvers:
            if _name == _tag:
                _PlainLoader.yaml_implicit_resolvers.setdefault(_first, []).append((_name, _pattern))


def _mapping_construct(loader: _PlainLoader, node: yaml.MappingNode) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = f" in line {key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise _refused(f"The key{place} is no text.")
        key = str(key_node.value)
        if key in result:
            raise _refused(f"The key `{shown(key)}`{place} stands there a second time.", accepted="each key once")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_PlainLoader.add_constructor("tag:yaml.org,2002:map", _mapping_construct)


def document_load(content: bytes | str) -> Any:
    """The one YAML document in `content`: texts, booleans, None, lists, and mappings with text keys.

    Raises InvalidInput with field `kubeconfig`; the sentence names line and column but never quotes a value.
    """
    text = _text(content)
    try:
        _events_check(text)
        # _PlainLoader is a SafeLoader that can do less.
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        # PyYAML's own sentence quotes the line, and the line may hold a token.
        mark = error.problem_mark or error.context_mark
        place = f": line {mark.line + 1}, column {mark.column + 1} cannot be read" if mark else ""
        raise _refused(f"The kubeconfig is not valid YAML{place}.") from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # ValueError and OverflowError: PyYAML meets escapes like "\UFFFFFFFF" and versions of 5,000 digits with them.
        raise _refused("The kubeconfig is not valid YAML.") from None


def shown(name: str) -> str:
    """A name from a stranger's file, fit for a sentence: printable and not endless."""
    printable = "".join(char if char.isprintable() else "?" for char in name)
    return printable if len(printable) <= 80 else printable[:79] + "…"


def _text(content: bytes | str) -> str:
    try:
        data = content.encode() if isinstance(content, str) else content
        if len(data) > SIZE_MAX:
            raise _refused(f"The kubeconfig has {len(data)} bytes.", accepted="at most 1 MiB (1048576 bytes)")
        return data.decode("utf-8-sig")
    except UnicodeError:
        raise _refused("The kubeconfig is not UTF-8 text.", accepted="text in UTF-8") from None


def _events_check(text: str) -> None:
    """Refuse what could grow or hide something, before anything is built from it."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        _event_check(event, count=count, depth=depth, documents=documents)


def _event_check(event: yaml.Event, *, count: int, depth: int, documents: int) -> None:
    line = event.start_mark.line + 1 if event.start_mark else 1
    if documents > 1:
        raise _refused(f"A second YAML document begins in line {line}.", accepted="one YAML document")
    if depth > DEPTH_MAX or count > EVENTS_MAX:
        accepted = "only the context that Marina shall use: `kubectl config view --minify --flatten --raw`"
        raise _refused(f"The kubeconfig is nested too deeply or has too many parts (line {line}).", accepted=accepted)
    if getattr(event, "anchor", None) is not None:
        raise _refused(f"Line {line} has a YAML anchor or alias (`&` or `*`).", accepted="each value written out")
    if getattr(event, "tag", None) is not None:
        raise _refused(f"Line {line} has a YAML tag (`!`).", accepted="plain values")


def _refused(message: str, *, accepted: str = ACCEPTED) -> InvalidInput:
    return InvalidInput(message, field="kubeconfig", accepted=accepted)
