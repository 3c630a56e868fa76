"""Records of what is gone: kept while their project is there, and removed with it."""

from django.db import transaction

from accounts.models import Project
from clusters.models import Operation, VirtualCluster, VirtualClusterPhase


@transaction.atomic
def project_history_remove(project: Project) -> None:
    """Removes the rows of deleted clusters and of their operations. A cluster that still lives keeps its own."""
    gone = VirtualCluster.objects.filter(project=project, phase=VirtualClusterPhase.DELETED)
    Operation.objects.filter(virtual_cluster__in=gone.values("pk")).delete()
    gone.delete()
