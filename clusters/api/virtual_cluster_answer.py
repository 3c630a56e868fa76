"""The answer to what starts work on a virtual cluster."""

from clusters.api.operation_views import OperationAnswer
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer


class VirtualClusterAnswer(OperationAnswer):
    """The operation at work, and the cluster."""

    virtual_cluster = VirtualClusterSerializer()
