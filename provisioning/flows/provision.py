"""How a virtual cluster comes to be."""

from clusters.models import OperationKind, VirtualClusterPhase
from provisioning.engine.flow import Flow
from provisioning.flows.phases import aborted, failed, ready, work_begins
from provisioning.left_behind import of_bringing
from provisioning.steps.api_ready import prepare_inside, wait_for_api
from provisioning.steps.endpoint import publish_endpoint
from provisioning.steps.guardrails import apply_guardrails
from provisioning.steps.namespaces import create_namespace
from provisioning.steps.placing import choose_host
from provisioning.steps.release import install_release

PROVISION = Flow(
    kind=OperationKind.PROVISION,
    steps=(
        choose_host,
        create_namespace,
        apply_guardrails,
        install_release,
        wait_for_api,
        prepare_inside,
        publish_endpoint,
    ),
    on_start=work_begins(VirtualClusterPhase.PROVISIONING),
    on_success=ready,
    on_failure=failed,
    on_abort=aborted,
    left_behind=of_bringing,
)
