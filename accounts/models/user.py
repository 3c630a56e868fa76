"""People who sign in."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models

from accounts.models.base import new_id

if TYPE_CHECKING:
    from accounts.limits import TokenLimits

HANDLE_LENGTH = 40
HANDLE_RULE = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z",
    "A handle has 1 to 40 lower-case letters, digits and dashes, and begins and ends with a letter or digit.",
)


class UserManager(BaseUserManager["User"]):
    """Makes users; handles are looked up as they are, in lower case."""

    def create_user(self, handle: str, password: str | None = None, **fields: object) -> "User":
        """A user with that password, or with none (who then cannot sign in by password)."""
        user = self.model(handle=handle, **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def create_superuser(self, handle: str, password: str | None = None, **fields: object) -> "User":
        """Platform staff who may also use every page of the Django admin."""
        return self.create_user(handle, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The handle never changes and is never given to somebody else; users are deactivated, not deleted.

    `is_staff` makes platform staff: they operate hosts and see operations, but no tenant's object by it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    handle = models.CharField(max_length=40, unique=True, validators=[HANDLE_RULE])
    name = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    is_staff = models.BooleanField("platform staff", default=False)
    is_active = models.BooleanField(default=True)
    is_service_account = models.BooleanField(
        default=False, editable=False, help_text="It stands for a service account; no person signs in as it."
    )
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    limits: "TokenLimits | None" = None
    """No column: of the token that this request came with, where that leaves less than the holder may."""

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "handle"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["handle"]

    def __str__(self) -> str:
        return self.handle

    @property
    def label(self) -> str:
        """What is shown of who made or owns something: the handle, or a service account's own name."""
        return self.name if self.is_service_account else self.handle

    def get_short_name(self) -> str:
        """What pages call this person."""
        return self.name or self.handle
