"""How a kubeconfig is made for one person."""

from clusters.models import OperationKind
from provisioning.engine.flow import Flow
from provisioning.left_behind import of_issuing
from provisioning.steps.kubeconfig import issue_kubeconfig

ISSUE_KUBECONFIG = Flow(
    kind=OperationKind.ISSUE_KUBECONFIG, steps=(issue_kubeconfig,), slots=False, left_behind=of_issuing
)
