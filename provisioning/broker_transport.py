"""Celery's transport over the Redis protocol, for which a broker that went away is no reason to end.

kombu 5.7 gives the messages that a worker has fetched and not begun back to the broker when it closes a connection.
If that was lost because the broker died, the giving back raises something that Celery does not expect, and the worker
ends. What cannot be given back is a wake-up, and the waker sends those again.
"""

from typing import Any

import structlog
from kombu.transport import redis

log = structlog.get_logger(__name__)


class QoS(redis.QoS):
    """Which messages were fetched and not acknowledged."""

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Gives them back as far as that is possible."""
        try:
            super().restore_unacked_once(stderr=stderr)
        except Exception as error:  # whatever a client without its connection comes upon
            log.warning("wake-ups could not be given back to the broker; they are sent again", error=str(error))


class Channel(redis.Channel):
    """With the above."""

    QoS = QoS


class Transport(redis.Transport):
    """Named in the settings."""

    Channel = Channel
