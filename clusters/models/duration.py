"""How long operations usually take, as measured."""

from django.db import models


class UsualDuration(models.Model):
    """The median of the newest operations of a kind that succeeded; people are told it while they wait."""

    kind = models.CharField(primary_key=True, max_length=30)
    seconds = models.FloatField(help_text="Median, from the first step's start to the end.")
    samples = models.PositiveIntegerField(help_text="How many operations it is the median of.")
    measured_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind}: {self.seconds:.1f} s"
