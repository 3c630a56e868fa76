"""Invitations and requests to join, to look at: they are made and decided by the people themselves."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.service_admin import ReadOnlyAdmin, ServiceAdmin, admin_actor
from accounts.models import Invitation
from accounts.services.invitations import invitation_revoke


class InvitationAdmin(ReadOnlyAdmin, ServiceAdmin):
    """Who invited whom to what; never the link or its digest."""

    list_display = ("role", "organization", "project", "email", "created_by", "expires_at", "used_by", "revoked_at")
    list_filter = ("role", "organization")
    list_select_related = ("organization", "project__organization", "created_by", "used_by")
    search_fields = ("email", "created_by__handle", "organization__name", "project__name")
    fields = (*list_display, "mail_state", "used_at", "created_at")
    actions = ("revoke",)

    @admin.display(description="Mail")
    def mail_state(self, row: Invitation) -> str:
        """What became of it."""
        mail = getattr(row, "mail", None)
        return f"{mail.state}. {mail.error}" if mail else "none: it was made without an address"

    @admin.action(description="Revoke at once", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        """Ends the selected ones that are open."""
        for invitation in queryset.select_related("organization", "project__organization"):
            invitation_revoke(actor=admin_actor(request), invitation=invitation, now=timezone.now())
        messages.success(request, "The selected invitations are revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change invitations by Django's own permissions; the service asks for more."""
        return bool(request.user.has_perm("accounts.change_invitation"))


class JoinRequestAdmin(ReadOnlyAdmin):
    """Who asks to join what, and what became of it."""

    list_display = ("user", "project", "state", "role", "decided_by", "decided_at", "created_at")
    list_filter = ("state",)
    list_select_related = ("user", "project__organization", "decided_by")
    search_fields = ("user__handle", "project__name")
    fields = (*list_display, "message")
