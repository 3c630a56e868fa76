"""Host rows that lead somewhere: to a local host's API server, or to a server that misbehaves."""

from typing import Any

from clusters.connection import HostConnection
from clusters.encryption import connection_encrypt
from clusters.models import HostCluster, HostCredential
from tests.clusters.making import host_row


def host_at(connection: HostConnection, name: str = "east", **fields: Any) -> HostCluster:
    """A connected host that is reached by this connection."""
    host = host_row(name, server=connection.server, **fields)
    HostCredential.objects.filter(host=host).update(ciphertext=connection_encrypt(connection))
    return fresh(host)


def hosts_at(connection: HostConnection, count: int, *, prefix: str, **fields: Any) -> list[HostCluster]:
    """Many of them, in few statements."""
    rows = [
        HostCluster(name=f"{prefix}-{number}", phase="Connected", server=connection.server, **fields)
        for number in range(count)
    ]
    HostCluster.objects.bulk_create(rows)
    ciphertext = connection_encrypt(connection)
    HostCredential.objects.bulk_create(HostCredential(host=host, ciphertext=ciphertext) for host in rows)
    return rows


def fresh(host: HostCluster) -> HostCluster:
    """As the database has it."""
    return HostCluster.objects.select_related("credential").get(pk=host.pk)


def condition(host: HostCluster, kind: str) -> dict[str, Any]:
    """One of the host's conditions, as the database has it."""
    found: dict[str, Any] = next(each for each in fresh(host).conditions if each["type"] == kind)
    return found


def standing(host: HostCluster) -> dict[str, str]:
    """Status by condition, as the database has it."""
    return {each["type"]: each["status"] for each in fresh(host).conditions}
