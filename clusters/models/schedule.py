"""Schedules: what is done again and again, and when it was done last."""

from django.db import models


class Schedule(models.Model):
    """The last tick of one schedule. It is claimed in the database, so that two schedulers never run one twice.

    How often, and what is done, stands in provisioning/schedules.py.
    """

    name = models.CharField(primary_key=True, max_length=60)
    ticked_at = models.DateTimeField(null=True, help_text="Empty: never yet, so at once.")

    def __str__(self) -> str:
        return self.name
