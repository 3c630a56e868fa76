"""Records of what is gone: kept while their project is there, and removed with it."""

from functools import partial

from django.db import transaction

from accounts.models import Project
from clusters.models import Export, Operation, VirtualCluster, VirtualClusterPhase
from clusters.services.exports import export_file_erase


@transaction.atomic
def project_history_remove(project: Project) -> None:
    """Removes the rows of deleted clusters, of their operations and exports. A cluster that still lives keeps its own.

    With its row the key of an export is gone; its file follows.
    """
    gone = VirtualCluster.objects.filter(project=project, phase=VirtualClusterPhase.DELETED)
    for export in Export.objects.filter(virtual_cluster__in=gone.values("pk")):
        transaction.on_commit(partial(export_file_erase, export.pk, export.folder))
        export.delete()
    Operation.objects.filter(virtual_cluster__in=gone.values("pk")).delete()
    gone.delete()
