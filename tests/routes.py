"""Every address of the API, as Django's resolver has it: what is added there is found here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

API = "api/v1/"


@dataclass(frozen=True)
class Route:
    """One address with one method."""

    method: str
    path: str
    """Like `virtual-clusters/{pk}/configure`."""

    view: Any
    """The view's class, or the function where it is one."""

    action: str
    """A viewset's action; else the method in lower case."""

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD")


def routes() -> list[Route]:
    """All of /api/v1/, by path."""
    found = {route.label: route for route in _of(get_resolver(), "")}
    return [found[label] for label in sorted(found)]


def _of(resolver: URLResolver, before: str) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        path = before + _plain(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _of(pattern, path)
        elif path.startswith(API):
            yield from _methods(pattern, path.removeprefix(API))


def _plain(pattern: str) -> str:
    """`<uuid:pk>` as `{pk}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", pattern)


def _methods(pattern: URLPattern, path: str) -> Iterator[Route]:
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", pattern.callback)
    actions: dict[str, str] | None = getattr(pattern.callback, "actions", None)
    if actions is None:
        names = [name for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)] or ["get"]
        actions = {name: name for name in names}
    for method, action in actions.items():
        if method in ("get", "post", "put", "patch", "delete"):
            yield Route(method.upper(), path, view, action)
