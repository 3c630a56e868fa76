"""What Marina knows of a version of vcluster's chart."""

from django.db import models

from accounts.models.base import Row


class Chart(Row):
    """A chart that a worker fetched once. Its digest pins it: the same version with another content is refused.

    `schema` is its values.schema.json (empty where it has none): values are checked by it before they are stored.
    """

    source = models.CharField(max_length=500, help_text="The repository's address, or the folder.")
    version = models.CharField(max_length=40)
    app_version = models.CharField(max_length=40, blank=True)
    digest = models.CharField(max_length=80)
    schema = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "version"], name="chart_once_a_version")]

    def __str__(self) -> str:
        return f"vcluster {self.version}"
