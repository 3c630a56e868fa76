"""How direct kubeconfigs end whose holders lost the role that gave them."""

from clusters.models import OperationKind
from provisioning.engine.flow import Flow
from provisioning.left_behind import of_revoking
from provisioning.steps.access import access_put_right

REVOKE_ACCESS = Flow(kind=OperationKind.REVOKE_ACCESS, steps=(access_put_right,), slots=False, left_behind=of_revoking)
