"""Tells the workers that there is an operation. They know the task by its name: nothing of provisioning is needed here.

The message may be lost: the waker finds the row anyway, a little later. So a broker that is away never fails a request.
"""

from uuid import UUID

import structlog
from celery import current_app
from kombu.exceptions import OperationalError

from clusters.models import Operation

OPERATION_TASK = "provisioning.operation_run"
log = structlog.get_logger(__name__)


def operation_wake(operation_id: UUID) -> bool:
    """Sends the wake-up for an operation whose row is committed; whether the broker took it. It never raises."""
    try:
        current_app.send_task(OPERATION_TASK, args=[str(operation_id)], retry=False, ignore_result=True)
    except (OperationalError, ConnectionError, TimeoutError) as error:
        log.warning("broker did not take a wake-up; the waker will send it again", error=str(error))
        Operation.objects.filter(pk=operation_id).update(published_at=None)
        return False
    return True
