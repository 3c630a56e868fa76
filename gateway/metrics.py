"""What the gateway counts, for Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS: Final = Counter(
    "marina_gateway_requests", "Requests, by verb and status.", ("verb", "code"), registry=REGISTRY
)
LATENCY: Final = Histogram(
    "marina_gateway_seconds",
    "Seconds that each part of a request took: auth, dial (to a connection), upstream (to the answer's head).",
    ("part",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
DIALS: Final = Counter(
    "marina_gateway_dials",
    "Attempts to connect to virtual APIs: made, or why not (timeout, unreachable, not-ready, forbidden ...).",
    ("result",),
    registry=REGISTRY,
)
DIAL_SECONDS: Final = Histogram(
    "marina_gateway_dial_seconds", "Seconds to make one.", buckets=_SECONDS, registry=REGISTRY
)
REFUSED: Final = Counter(
    "marina_gateway_refused", "Requests answered by the gateway itself.", ("why",), registry=REGISTRY
)
CONNECTIONS: Final = Gauge("marina_gateway_connections", "Clients' connections that are open.", registry=REGISTRY)
BOOKS_DROPPED: Final = Counter(
    "marina_gateway_books_dropped",
    "What could not be written down in time, by book (uses, requests).",
    ("book",),
    registry=REGISTRY,
)
MOVE_KNOWN: Final = Histogram(
    "marina_gateway_move_known_seconds",
    "Seconds until a gateway knew of a cluster that is moved: freeze (no writes), switch (to the new host).",
    ("what",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
UNDER_WAY: Final = Gauge("marina_gateway_requests_open", "Requests under way.", ("kind",), registry=REGISTRY)
"""kind: request, watch, stream."""
UPSTREAM_CONNECTIONS: Final = Gauge(
    "marina_gateway_upstream_connections", "Shared connections to virtual APIs that are open.", registry=REGISTRY
)
