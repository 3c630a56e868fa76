"""Makes virtual clusters by the service that the API calls, many at a time: `python -m tests.faults.clerk_main`.

One process for a whole run, as starting Django takes longer than the work. A line of JSON asks (count, host, prefix,
handle), a line of JSON answers: the ids of the operations.
"""

import json
import sys
from typing import Any

import django


def main() -> None:
    """Until its input ends."""
    django.setup()
    for line in sys.stdin:
        print(json.dumps(make(**json.loads(line))), flush=True)


def make(*, count: int, host: str, prefix: str, handle: str) -> list[str]:
    from django.db import close_old_connections

    from accounts.models import Project, User
    from accounts.services.audit import Actor
    from clusters.models import HostCluster

    close_old_connections()  # the database may have been away since
    user = User.objects.get(handle=handle)
    about = {
        "project": Project.objects.get(),
        "host": HostCluster.objects.get(name=host),
        "actor": Actor(user=user, name=user.handle),
    }
    return [make_one(name=f"{prefix}-{number}", **about) for number in range(count)]


def make_one(**about: Any) -> str:
    from django.utils import timezone

    from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create

    work = virtual_cluster_create(spec=VirtualClusterSpec(), now=timezone.now(), **about)
    return str(work.operation.pk)


if __name__ == "__main__":
    main()
