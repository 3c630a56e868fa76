"""Ending access inside a virtual cluster: who lost a role loses the ServiceAccount that was made for it."""

from clusters.models import VirtualClusterPhase
from clusters.services.kubeconfig_grants import access_to_end, grants_end
from provisioning.drivers.kinds import CLUSTER_ROLE_BINDING, SERVICE_ACCOUNT
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Skip, StepResult, step
from provisioning.steps.api_ready import ASLEEP
from provisioning.steps.deleting import placed
from provisioning.steps.kubeconfig import account_name, binding_name
from provisioning.steps.names import ACCESS_NAMESPACE


@step("End the access of those who lost it")
def access_put_right(context: StepContext) -> StepResult:
    """Deletes bindings and ServiceAccounts that no role gives any more; tokens of these are refused from then on.

    Whatever brings a virtual API back (waking, reconnecting) does this before anybody is let to it. It asks nothing of
    the API where nobody lost anything.
    """
    if context.virtual_cluster.sleeping:
        return ASLEEP
    ending = access_to_end(virtual_cluster=context.virtual_cluster, now=context.now)
    if not ending.accounts:
        return Skip("Everybody who has a kubeconfig may have it.")
    if context.virtual_cluster.phase != VirtualClusterPhase.DELETED and placed(context) is not None:
        with context.virtual() as virtual:
            for user, level in ending.accounts:
                name = account_name(user, level)
                # the binding first: without it the account may nothing, from this moment on
                virtual.delete(CLUSTER_ROLE_BINDING, binding_name(name))
                virtual.delete(SERVICE_ACCOUNT, name, ACCESS_NAMESPACE)
    with context.fenced():
        grants_end(ending.grants, now=context.now)
    return None
