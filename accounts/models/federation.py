"""Federation: which tokens of other issuers a service account is given a token of Marina's for."""

from django.db import models

from accounts.models.base import Row
from accounts.models.organization import NAME_RULE
from accounts.models.service_account import ServiceAccount
from accounts.models.user import User


class FederationRule(Row):
    """Whoever holds a token of `issuer` for `audience` in which every one of `claims` is as said gets in as the

    service account. A claim's value is text (`*` stands for any part of it), a number, true or false, or a list of
    these of which one must fit.
    """

    service_account = models.ForeignKey(ServiceAccount, on_delete=models.CASCADE, related_name="federation_rules")
    name = models.CharField(max_length=40, validators=[NAME_RULE])
    issuer = models.CharField(max_length=300)
    audience = models.CharField(max_length=300)
    claims = models.JSONField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["service_account", "name"], name="federation_rule_name_unique_in_service_account"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SpentAssertion(models.Model):
    """A token of another issuer that was used, by a digest of its issuer and id: it is not taken a second time."""

    digest = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True, help_text="From then on its own expiry refuses it.")

    def __str__(self) -> str:
        return self.digest[:12]
