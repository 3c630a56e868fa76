"""The address under which people reach a virtual cluster's API."""

from clusters.models import Exposure
from provisioning.drivers.kinds import SERVICE, Json
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Skip, StepResult, Wait, step
from provisioning.steps.guardrails import exposure_of

LOCAL_ENDPOINT = "localkube.marina.dev/endpoint"
"""The annotation by which local hosts say where the API listens on this machine."""


@step("Publish its address")
def publish_endpoint(context: StepContext) -> StepResult:
    """Reads the address off the Service, as the exposure has it."""
    exposure, placement = exposure_of(context), context.placement
    if exposure == Exposure.NONE:
        if placement.endpoint:
            context.write(placement, endpoint="")
        return Skip("Its exposure is None: no address is published.")
    service = context.kube().get(SERVICE, placement.release, placement.namespace)
    endpoint = service and address_of(service, exposure)
    if not endpoint:
        return Wait(1.0, f"The host has given the Service {placement.release} no address yet ({exposure}).")
    context.write(placement, endpoint=endpoint)
    return None


def address_of(service: Json, exposure: Exposure) -> str:
    """The API's address as the exposure publishes it; "" while there is none."""
    if exposure == Exposure.LOCAL:
        return str(service["metadata"].get("annotations", {}).get(LOCAL_ENDPOINT, ""))
    given = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    host = next((entry.get("hostname") or entry.get("ip") for entry in given), "")
    return f"https://[{host}]:443" if host and ":" in host else f"https://{host}:443" if host else ""
