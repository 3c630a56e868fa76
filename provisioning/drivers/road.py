"""The whole way to a virtual cluster's API: to its host, to the pod there, and TLS to what listens in it."""

from dataclasses import dataclass, field

from clusters.connection import HostConnection
from provisioning.drivers.route import Route, Timeouts, route_to
from provisioning.drivers.transport import VIRTUAL_API_PORT


@dataclass(frozen=True)
class Road:
    """`host` leads to the host's API, `connection` is who one is inside the virtual cluster, and whom one trusts."""

    host: Route
    namespace: str
    pod: str
    connection: HostConnection
    name: str
    port: int = VIRTUAL_API_PORT
    inner: dict[str, Route] = field(default_factory=dict, repr=False)

    def virtual(self, protocol: str) -> Route:
        """The route inside, for a connection that speaks `h2` or `http/1.1` (ALPN)."""
        if protocol not in self.inner:
            target = f"virtual cluster {self.name}"
            route = route_to(self.connection, target=target, timeouts=self.host.timeouts)
            route.ssl_context.set_alpn_protocols([protocol])
            self.inner[protocol] = route
        return self.inner[protocol]

    @property
    def timeouts(self) -> Timeouts:
        """How long one waits for each part of it."""
        return self.host.timeouts
