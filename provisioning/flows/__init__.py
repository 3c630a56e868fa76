"""All flows, by kind. A flow file is the documentation of what an operation does."""

from collections.abc import Mapping
from typing import Final

from clusters.models import OperationKind
from provisioning.engine.flow import Flow
from provisioning.flows.adopt import ADOPT
from provisioning.flows.configure import CONFIGURE
from provisioning.flows.connect import CONNECT
from provisioning.flows.delete import DELETE
from provisioning.flows.export import EXPORT
from provisioning.flows.issue_kubeconfig import ISSUE_KUBECONFIG
from provisioning.flows.migrate import MIGRATE
from provisioning.flows.preflight import PREFLIGHT
from provisioning.flows.provision import PROVISION
from provisioning.flows.quarantine import QUARANTINE
from provisioning.flows.recover import RECOVER
from provisioning.flows.remove_placement import REMOVE_PLACEMENT
from provisioning.flows.renew_credential import RENEW_CREDENTIAL
from provisioning.flows.restore import RESTORE
from provisioning.flows.revoke_access import REVOKE_ACCESS
from provisioning.flows.sleep import SLEEP
from provisioning.flows.upgrade import UPGRADE
from provisioning.flows.wake import WAKE

FLOWS: Final[Mapping[OperationKind, Flow]] = {
    flow.kind: flow
    for flow in (
        CONNECT,
        RENEW_CREDENTIAL,
        PROVISION,
        ADOPT,
        CONFIGURE,
        SLEEP,
        WAKE,
        DELETE,
        EXPORT,
        ISSUE_KUBECONFIG,
        REVOKE_ACCESS,
        RESTORE,
        PREFLIGHT,
        UPGRADE,
        MIGRATE,
        REMOVE_PLACEMENT,
        RECOVER,
        QUARANTINE,
    )
}
