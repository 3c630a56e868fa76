"""/invitations"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.access import require
from accounts.api.fields import OrganizationField, ProjectField, RoleNameField
from accounts.api.filters import InvitationFilters
from accounts.api.idempotency import idempotent
from accounts.api.references import OrganizationReference, ProjectReference, UserReference
from accounts.api.resources import ListedResource
from accounts.api.role_bindings import one_of
from accounts.api.strict import StrictSerializer
from accounts.models import Invitation, InvitationMail
from accounts.selectors import invitations_visible_to
from accounts.services.invitations import (
    InvitationMade,
    invitation_accept,
    invitation_create,
    invitation_resend,
    invitation_revoke,
)
from accounts.services.role_bindings import members_action

STATES = ("open", "used", "revoked", "expired")


class InvitationMailSerializer(serializers.ModelSerializer[InvitationMail]):
    """What became of the mail with the link."""

    class Meta:
        model = InvitationMail
        fields = ("state", "sent_at", "error")
        read_only_fields = fields
        extra_kwargs = {
            "state": {"help_text": "skipped: nothing is sent; the error says why."},
            "error": {"help_text": "Why it was not sent, or not yet."},
        }


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """An invitation, without its link. `project` is null where it is one into the organization."""

    organization = OrganizationReference(read_only=True)
    project = ProjectReference(read_only=True, allow_null=True)
    created_by = UserReference(read_only=True)
    used_by = UserReference(read_only=True, allow_null=True)
    email = serializers.CharField(read_only=True, help_text="Only who has it may accept; empty: whoever has the link.")
    mail = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()

    class Meta:
        model = Invitation
        fields: tuple[str, ...] = (
            "id",
            "organization",
            "project",
            "role",
            "email",
            "mail",
            "state",
            "expires_at",
            "created_by",
            "used_by",
            "used_at",
            "revoked_at",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field(InvitationMailSerializer(allow_null=True))
    def get_mail(self, invitation: Invitation) -> Any:
        """null where it was made without an address."""
        mail = getattr(invitation, "mail", None)
        return InvitationMailSerializer(mail).data if mail else None

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, invitation: Invitation) -> str:
        return invitation.state(now=timezone.now())


class InvitationMadeSerializer(InvitationSerializer):
    """A new invitation, with its link: the only time that it is shown."""

    link = serializers.CharField(read_only=True, help_text="For the person who is invited. Whoever has it may use it.")

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "link")
        read_only_fields = fields


class InvitationCreate(StrictSerializer):
    """An invitation into an organization or a project."""

    organization = OrganizationField(required=False, help_text="Id or name.")
    project = ProjectField(required=False, help_text="Id, or organization/name.")
    role = RoleNameField(help_text="A built-in role, or one of the organization's own.")
    email = serializers.EmailField(
        required=False, allow_blank=True, help_text="Then only who has this address may, and the link is mailed there."
    )
    expires_in = serializers.IntegerField(
        required=False, min_value=0, max_value=2**31, help_text="Seconds; 7 days where it is left out, 30 at most."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one_of(attrs, "organization", "project")
        return attrs


class InvitationResend(StrictSerializer):
    """For how long the new link is good."""

    expires_in = serializers.IntegerField(
        required=False, min_value=0, max_value=2**31, help_text="Seconds; 7 days where it is left out, 30 at most."
    )


class InvitationAccept(StrictSerializer):
    """What stands in the link behind /invitations/."""

    token = serializers.CharField(max_length=100)


class InvitationResource(ListedResource[Invitation]):
    """Invitations into what you may give roles in."""

    serializer_class = InvitationSerializer
    filterset_class = InvitationFilters
    search_fields = ("email",)
    ordering_fields = ("created_at", "expires_at")
    secret_fields = ("link",)
    further_refusals = {"accept": ("404", "410")}

    def visible(self) -> QuerySet[Invitation]:
        return invitations_visible_to(self.user)

    @extend_schema(request=InvitationCreate, responses={201: InvitationMadeSerializer})
    def create(self, request: Request) -> Response:
        """Makes an invitation. Its link is shown once. For who may give the role."""
        body = self.body(InvitationCreate)
        scope = body.pop("organization", None) or body.pop("project")
        require(self.user, members_action(scope), scope)
        made = invitation_create(actor=self.actor, scope=scope, now=timezone.now(), **body)
        return self._with_link(made, status=HTTP_201_CREATED, Location=f"{request.path}/{made.invitation.pk}")

    @extend_schema(request=InvitationResend, responses=InvitationMadeSerializer)
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Gives an open or expired invitation a new link, and mails it. The link before is worth nothing any more."""
        invitation, body = self.get_object(), self.body(InvitationResend)
        made = invitation_resend(actor=self.actor, invitation=invitation, now=timezone.now(), **body)
        return self._with_link(made)

    def _with_link(self, made: InvitationMade, *, status: int = 200, **headers: str) -> Response:
        answer = {**self.shown(made.invitation), "link": made.link}
        return Response(answer, status=status, headers={"Cache-Control": "no-store", **headers})

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revokes an invitation at once."""
        invitation = self.get_object()
        self.no_body()
        invitation_revoke(actor=self.actor, invitation=invitation, now=timezone.now())
        return Response(status=204)

    @extend_schema(request=InvitationAccept, responses=InvitationSerializer)
    @action(detail=False, methods=["post"])
    @idempotent
    def accept(self, request: Request) -> Response:
        """Accepts an invitation: you have its role from now on."""
        body = self.body(InvitationAccept)
        accepted = invitation_accept(actor=self.actor, secret=body["token"], now=timezone.now())
        return Response(InvitationSerializer(accepted).data)
