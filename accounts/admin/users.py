"""Users: made with a password, deactivated instead of deleted."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.admin.service_admin import ServiceAdmin, admin_actor
from accounts.models import User
from accounts.services.audit import Actor
from accounts.services.second_factors import second_factor_reset
from accounts.services.users import (
    user_activate,
    user_create,
    user_deactivate,
    user_password_changed,
    user_update,
)


class NewUserForm(UserCreationForm):  # type: ignore[misc]
    """Handle and password, or no password."""

    class Meta:
        model = User
        fields = ("handle", "name", "email", "is_staff", "is_superuser")


class UserForm(UserChangeForm):  # type: ignore[misc]
    """What may change."""

    class Meta:
        model = User
        fields = ("name", "email", "is_staff", "is_superuser")


class UserAdmin(ServiceAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    """People. Roles are given under role bindings."""

    form = UserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("handle", "name", "email", "is_staff", "is_active", "last_login", "created_at")
    list_filter = ("is_staff", "is_superuser", "is_active")
    search_fields = ("handle", "name", "email")
    ordering = ("handle",)
    filter_horizontal = ()
    readonly_fields = ("is_active", "last_login", "created_at")
    fixed_fields = ("handle",)
    fieldsets = (
        (None, {"fields": ("handle", "password", "name", "email")}),
        ("Platform", {"fields": ("is_staff", "is_superuser", "is_active", "last_login", "created_at")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "handle",
                    "name",
                    "email",
                    "is_staff",
                    "is_superuser",
                    "usable_password",
                    "password1",
                    "password2",
                )
            },
        ),
    )
    actions = ("deactivate", "activate", "remove_second_factor")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request).filter(is_service_account=False)
        return people

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = super().get_readonly_fields(request, obj)
        # who is no superuser makes none
        is_superuser = isinstance(request.user, User) and request.user.is_superuser
        return fields if is_superuser else (*fields, "is_staff", "is_superuser")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> User:
        return user_create(
            actor=actor,
            handle=cleaned["handle"],
            password=cleaned.get("password1") or None,
            name=cleaned["name"],
            email=cleaned["email"],
            is_staff=cleaned.get("is_staff", False),
            is_superuser=cleaned.get("is_superuser", False),
        )

    def service_update(self, actor: Actor, row: User, cleaned: dict[str, Any]) -> User:
        return user_update(
            actor=actor,
            user=row,
            name=cleaned["name"],
            email=cleaned["email"],
            is_staff=cleaned.get("is_staff", row.is_staff),
            is_superuser=cleaned.get("is_superuser", row.is_superuser),
        )

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Django's page; the change is recorded with it."""
        with transaction.atomic():
            before = User.objects.filter(pk=id).values_list("password", flat=True).first()
            answer: HttpResponse = super().user_change_password(request, id, form_url)
            user = User.objects.filter(pk=id).first()
            if user is not None and user.password != before:
                user_password_changed(actor=admin_actor(request), user=user, now=timezone.now())
        return answer

    @admin.action(description="Deactivate: ends sessions and tokens at once", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Locks out the selected users and says which organizations need a new admin."""
        for user in queryset:
            orphaned = user_deactivate(actor=admin_actor(request), user=user, now=timezone.now())
            messages.success(request, f"{user.handle} was deactivated.")
            for organization in orphaned:
                messages.warning(request, f"{organization.name} has no admin now. Make somebody its admin.")

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Lets the selected users in again."""
        for user in queryset:
            user_activate(actor=admin_actor(request), user=user)
            messages.success(request, f"{user.handle} was activated. Their tokens stay revoked.")

    @admin.action(description="Remove the second factor: for who lost it", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Lets the selected users in by their password alone, until they set up a new one."""
        for user in queryset:
            removed = second_factor_reset(actor=admin_actor(request), user=user, now=timezone.now())
            said = "has no second factor any more." if removed else "had no second factor."
            messages.success(request, f"{user.handle} {said}")
