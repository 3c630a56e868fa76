"""How much CPU the pods of a virtual cluster take on its host: a signal of use where the host measures it."""

from datetime import datetime
from typing import Final

from django.conf import settings

from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.models import Placement
from clusters.services.idle_signals import Noted
from provisioning.drivers.errors import ForbiddenError, NotFound
from provisioning.drivers.kinds import POD_METRICS, Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.quantities import millicores
from provisioning.engine.errors import StepError

CONTROL_PLANE_MILLICORES: Final = 44
"""What an idle control plane takes itself: 42 to 44 were measured (vcluster 0.36.1)."""


def cpu_noted(placement: Placement, kube: KubeClient, *, now: datetime) -> Noted:
    """The signal, as the host's metrics.k8s.io tells it now. Raises nothing."""
    host = placement.host.name
    try:
        measured = kube.list(POD_METRICS, placement.namespace)
    except NotFound:
        return _untold(placement, SignalState.UNSUPPORTED, f"{host} does not measure pods (metrics.k8s.io).")
    except ForbiddenError as error:
        told = f"{host} does not let Marina read how much CPU pods take: {error} Apply `marina host manifest` anew."
        return _untold(placement, SignalState.UNSUPPORTED, told)
    except StepError as error:
        return _untold(placement, SignalState.UNKNOWN, str(error))
    if not measured:
        return _untold(placement, SignalState.UNKNOWN, f"{host} has measured none of its pods yet.")
    used = sum(_millicores(pod) for pod in measured)
    beyond = used - CONTROL_PLANE_MILLICORES * placement.virtual_cluster.replicas
    in_use = beyond >= settings.IDLE_CPU_MILLICORES
    return Noted(
        cluster_id=placement.virtual_cluster_id,
        kind=SignalKind.CPU,
        last_used_at=now if in_use else None,
        who=f"{used} millicores in all its pods" if in_use else "",
        observed_at=now,
    )


def _untold(placement: Placement, state: SignalState, reason: str) -> Noted:
    return Noted(cluster_id=placement.virtual_cluster_id, kind=SignalKind.CPU, state=state, reason=reason)


def _millicores(pod: Json) -> int:
    return sum(millicores((each.get("usage") or {}).get("cpu")) for each in pod.get("containers") or [])
