"""How a virtual cluster is brought to what is wanted of it, whatever was done to it on its host."""

from clusters.models import OperationKind, VirtualClusterPhase
from provisioning.engine.flow import Flow
from provisioning.flows.phases import not_configured, ready, work_begins
from provisioning.steps.api_ready import prepare_inside, wait_for_rollout
from provisioning.steps.endpoint import publish_endpoint
from provisioning.steps.guardrails import apply_guardrails
from provisioning.steps.namespaces import create_namespace
from provisioning.steps.placing import choose_host
from provisioning.steps.release import update_release

CONFIGURE = Flow(
    kind=OperationKind.CONFIGURE,
    steps=(
        choose_host,
        create_namespace,
        apply_guardrails,
        update_release,
        wait_for_rollout,
        prepare_inside,
        publish_endpoint,
    ),
    on_start=work_begins(VirtualClusterPhase.UPDATING),
    on_success=ready,
    on_failure=not_configured,
    on_abort=not_configured,
)
