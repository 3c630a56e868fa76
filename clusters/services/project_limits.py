"""What a project's own limits say of the virtual clusters in it."""

from datetime import datetime, timedelta
from typing import Final

from accounts.errors import Conflict, InvalidInput
from accounts.models import Project
from accounts.spans import span_words, spans_accepted
from clusters.models import VirtualCluster, VirtualClusterPhase

LIFETIME_MINIMUM_SECONDS: Final = 600
LIFETIME_MAXIMUM_SECONDS: Final = 3650 * 86400


def project_locked(project: Project) -> Project:
    """The project as it is now. Whoever names or counts its clusters waits until the transaction ends."""
    return Project.objects.select_for_update(of=("self",)).select_related("organization").get(pk=project.pk)


def cluster_limit_check(project: Project) -> None:
    """Raises Conflict where the project is full. For one that is `project_locked`, so that counting stays true."""
    limit = project.cluster_limit
    if limit is None:
        return
    there = VirtualCluster.objects.filter(project=project).exclude(phase=VirtualClusterPhase.DELETED).count()
    if there < limit:
        return
    raise Conflict(
        f"{project} has {there} virtual cluster{'' if there == 1 else 's'}, and its limit is {limit}.",
        hint=f"Delete one you no longer need (marina list -p {project}), use another project (marina project join asks "
        f"for a role in one), or ask an admin of {project.organization.name} for a higher limit.",
        code="cluster-limit",
    )


def lifetime_end(*, project: Project, seconds: int | None, now: datetime) -> datetime | None:
    """When the life of a cluster that begins now is meant to end; None: never. InvalidInput where it asks for more."""
    days = project.cluster_lifetime_days
    most = LIFETIME_MAXIMUM_SECONDS if days is None else days * 86400
    if seconds is None:
        return None if days is None else now + timedelta(days=days)
    if not LIFETIME_MINIMUM_SECONDS <= seconds <= most:
        raise InvalidInput(
            f"A virtual cluster of {project} cannot live for {span_words(seconds)}.",
            field="lifetime",
            accepted=spans_accepted(LIFETIME_MINIMUM_SECONDS, most),
        )
    return now + timedelta(seconds=seconds)


def lifetime_end_in(project: Project, before: datetime | None, now: datetime) -> datetime | None:
    """The end of a cluster's life when it comes into this project: never later than it was."""
    there = lifetime_end(project=project, seconds=None, now=now)
    ends = [end for end in (before, there) if end is not None]
    return min(ends, default=None)
