"""What a gateway is called, and which host names belong to a virtual cluster."""

from dataclasses import dataclass
from uuid import UUID

from gateway.heads import BadRequest, cluster_of_host


@dataclass(frozen=True)
class Names:
    """`hosts` it answers to (empty: any), and the domain of clusters' own names (empty: they have none)."""

    hosts: frozenset[str]
    cluster_domain: str

    def cluster_named(self, host: str) -> UUID | None:
        """The cluster whose own this host name is; None for every other one."""
        return cluster_of_host(host, self.cluster_domain)

    def cluster_of(self, host: str) -> UUID | None:
        """The same. BadRequest (421) for a host name that is not the gateway's."""
        cluster = self.cluster_named(host)
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if cluster is None and self.hosts and name.lower().strip("[]") not in self.hosts:
            raise BadRequest("This is the gateway of other host names.", status=421)
        return cluster
