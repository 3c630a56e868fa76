"""A program that asks to act for a person who is signed in elsewhere (the shape of RFC 8628)."""

from django.db import models

from accounts.models.base import Row
from accounts.models.user import User


class DeviceLoginState(models.TextChoices):
    """What became of the request."""

    PENDING = "pending", "waits for a person"
    ALLOWED = "allowed", "allowed"
    DENIED = "denied", "denied"
    USED = "used", "its token was handed out"


class DeviceLogin(Row):
    """One request to log in. Of both codes only keyed hashes are stored: who reads the table can use neither."""

    device_digest = models.CharField(max_length=64, unique=True, editable=False)
    user_digest = models.CharField(max_length=64, unique=True, editable=False)
    client_name = models.CharField(max_length=100, help_text="As the program calls itself.")
    address = models.GenericIPAddressField(null=True, blank=True)
    token_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long the token is to hold; null: the default."
    )
    expires_at = models.DateTimeField(db_index=True)
    state = models.CharField(max_length=10, choices=DeviceLoginState.choices, default=DeviceLoginState.PENDING)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="device_logins", help_text="Who decided."
    )
    interval = models.PositiveSmallIntegerField(help_text="Seconds between two polls.")
    polled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.client_name} ({self.state})"
