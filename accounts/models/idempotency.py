"""Requests that must act once, however often a client sends them."""

from django.db import models

from accounts.models.base import Row
from accounts.models.user import User


class IdempotentRequest(Row):
    """The answer to a request with an Idempotency-Key. Written in the transaction of the change itself."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    headers = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_a_user")]

    def __str__(self) -> str:
        return self.key
