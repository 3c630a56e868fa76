"""What is looked at and not edited: access tokens and the audit log."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.service_admin import ReadOnlyAdmin, admin_actor
from accounts.models import AccessToken
from accounts.services.tokens import token_revoke


class AccessTokenAdmin(ReadOnlyAdmin):
    """Tokens, never their text or digest. They are made by who uses them."""

    list_display = ("prefix", "name", "user", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__handle")
    fields = (
        "user",
        "name",
        "prefix",
        "actions",
        "projects",
        "created_by",
        "federation_rule",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = ("revoke",)

    @admin.action(description="Revoke at once", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AccessToken]) -> None:
        """Ends the selected tokens."""
        for token in queryset.select_related("user"):
            token_revoke(actor=admin_actor(request), token=token, now=timezone.now())
        messages.success(request, "The selected tokens are revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change tokens by Django's own permissions."""
        return bool(request.user.has_perm("accounts.change_accesstoken"))


class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what to what."""

    list_display = (
        "created_at",
        "actor",
        "action",
        "object_kind",
        "object_name",
        "result",
        "source",
        "address",
        "token_prefix",
    )
    list_filter = ("action", "object_kind", "result", "source", "created_at")
    search_fields = ("actor", "object_name", "object_id", "token_prefix", "request_id")
    date_hierarchy = "created_at"


class ServiceAccountAdmin(ReadOnlyAdmin):
    """Programs that work in projects. Whoever manages a project makes and deletes them, by command or API."""

    list_display = ("name", "project", "user", "description", "created_at", "deleted_at")
    list_filter = ("deleted_at", "project__organization")
    list_select_related = ("project__organization", "user")
    search_fields = ("name", "project__name", "user__handle")
    fields = ("name", "project", "user", "description", "created_at", "deleted_at")


class FederationRuleAdmin(ReadOnlyAdmin):
    """Which tokens of other issuers let in as which service account."""

    list_display = ("name", "service_account", "issuer", "audience", "created_at")
    list_select_related = ("service_account__project__organization",)
    search_fields = ("name", "service_account__name", "issuer")
    fields = ("name", "service_account", "issuer", "audience", "claims", "created_by", "created_at")
