"""What a host's ingress controller had counted for a virtual cluster when it was read last."""

from django.db import models

from accounts.models.base import Row
from clusters.models.placement import Placement


class TrafficReading(Row):
    """Requests of one placement by whoever counted them; the next reading is compared with it.

    It goes with its placement, and when another place to read from is named.
    """

    placement = models.OneToOneField(Placement, on_delete=models.CASCADE, related_name="traffic_reading")
    read_at = models.DateTimeField(null=True, help_text="When all who count were read last; empty: never.")
    counted = models.JSONField(default=dict, help_text="Requests since each began to count, by who counts.")
    beside = models.JSONField(
        null=True,
        help_text="Services and ingresses whose traffic the controller does not see; null: nobody has looked.",
    )

    def __str__(self) -> str:
        return f"traffic of {self.placement}"
