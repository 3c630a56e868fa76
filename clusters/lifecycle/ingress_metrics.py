"""Where a host's ingress controller tells how many requests came: what whoever looks after the host says of it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from accounts.errors import InvalidInput

FIELD: Final = "ingress_metrics"
NGINX_METRIC: Final = "nginx_ingress_controller_requests"
SERVICE_ACCEPTED: Final = "namespace/service:port, such as ingress-nginx/ingress-nginx-controller-metrics:10254"
_NAME: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SERVICE: Final = re.compile(rf"(?P<namespace>{_NAME})/(?P<name>{_NAME}):(?P<port>[0-9]{{1,5}}|[a-z0-9-]{{1,15}})")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
_LABEL: Final = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]{0,99})?")
_CLASS: Final = re.compile(rf"({_NAME}(\.{_NAME})*)?")
_PORT_MOST: Final = 65535
_PATH_MOST: Final = 500
_PATH: Final = re.compile(r"/[!-\[\]-~]*")
"""Printable and no backslash; a fragment is looked for apart."""


@dataclass(frozen=True, kw_only=True)
class IngressMetrics:
    """A Service's port on the host that serves counters in Prometheus' text format, and how to read them.

    `namespace_label` names the label that tells a namespace, whole or as a part of what it holds; empty for
    `exported_namespace`, else `namespace`. `ingress_class`: the only class whose ingresses come by it; empty for all.
    """

    service: str
    path: str = "/metrics"
    metric: str = NGINX_METRIC
    namespace_label: str = ""
    ingress_class: str = ""

    @property
    def namespace(self) -> str:
        """Of the Service."""
        return self.service.partition("/")[0]

    @property
    def service_name(self) -> str:
        """Without its port."""
        return self.service_port.partition(":")[0]

    @property
    def service_port(self) -> str:
        """NAME:PORT, as the API server's proxy and the names in a Role have it."""
        return self.service.partition("/")[2]


def ingress_metrics_of(told: Mapping[str, Any] | None) -> IngressMetrics | None:
    """What a host's `ingress_metrics` says; None where it reports no traffic."""
    return IngressMetrics(**told) if told else None


def ingress_metrics_told(told: Mapping[str, Any] | None) -> dict[str, str]:
    """As it is kept: in full, or empty where there is none. Raises InvalidInput, naming the key."""
    if not told:
        return {}
    known = {each.name for each in fields(IngressMetrics)}
    for key, value in told.items():
        if key not in known:
            raise _wrong(str(key)[:40], f"There is no {str(key)[:40]} to say.", f"one of {', '.join(sorted(known))}")
        if not isinstance(value, str):
            raise _wrong(key, "It is no text.", "text")
    if not told.get("service"):
        raise _wrong("service", "It takes a Service to read from.", SERVICE_ACCEPTED)
    found = IngressMetrics(**{key: value for key, value in told.items() if value})
    _check(found)
    return asdict(found)


def _check(found: IngressMetrics) -> None:
    service_check(found.service, field=f"{FIELD}.service")
    if not _path_is_fine(found.path):
        raise _wrong(
            "path", f"{found.path[:80]!r} is no path below the Service.", "a path such as /metrics, without .."
        )
    if not _METRIC.fullmatch(found.metric):
        raise _wrong("metric", f"{found.metric[:80]!r} is no name of a metric.", f"a name such as {NGINX_METRIC}")
    if not _LABEL.fullmatch(found.namespace_label):
        raise _wrong("namespace_label", f"{found.namespace_label[:80]!r} is no name of a label.", "a name, or nothing")
    if not _CLASS.fullmatch(found.ingress_class):
        raise _wrong("ingress_class", f"{found.ingress_class[:80]!r} is no name of a class.", "a name, or nothing")


def service_check(service: str, *, field: str) -> None:
    """Raises InvalidInput for what is no namespace/service:port."""
    found = _SERVICE.fullmatch(service)
    port = found["port"] if found else ""
    if not found or (port.isdigit() and not 0 < int(port) <= _PORT_MOST):
        raise InvalidInput(f"{service[:150]!r} is no port of a Service.", field=field, accepted=SERVICE_ACCEPTED)


def _path_is_fine(path: str) -> bool:
    """One with dots would lead out of the proxy, to whatever else Marina may read on the host."""
    if len(path) > _PATH_MOST or "#" in path or not _PATH.fullmatch(path):
        return False
    plain = unquote(unquote(urlsplit(f"http://service{path}").path))
    return not plain.startswith("//") and not {".", ".."} & set(plain.replace("\\", "/").split("/"))


def _wrong(key: str, message: str, accepted: str) -> InvalidInput:
    return InvalidInput(message, field=f"{FIELD}.{key}", accepted=accepted)
