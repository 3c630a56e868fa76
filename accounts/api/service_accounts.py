"""/service-accounts"""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import UNSEEN, require
from accounts.api.access_tokens import AccessTokenCreate, AccessTokenMade, AccessTokenSerializer, token_made_answer
from accounts.api.fields import NameField, ProjectField, RoleNameField
from accounts.api.filters import ServiceAccountFilters
from accounts.api.idempotency import idempotent
from accounts.api.references import ProjectReference, UserReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.errors import NotFound
from accounts.models import ServiceAccount
from accounts.selectors import service_account_tokens, service_accounts_visible_to
from accounts.services.service_accounts import (
    DEFAULT_ROLE,
    service_account_create,
    service_account_delete,
    service_account_update,
)
from accounts.services.tokens import token_create, token_revoke


class ServiceAccountSerializer(serializers.ModelSerializer[ServiceAccount]):
    """A program that works in a project. `user` is what it owns things as."""

    project = ProjectReference(read_only=True)
    user = UserReference(read_only=True)

    class Meta:
        model = ServiceAccount
        fields = ("id", "name", "description", "project", "user", "created_at")
        read_only_fields = fields


class ServiceAccountUpdate(StrictSerializer):
    """What can be changed of a service account."""

    description = serializers.CharField(max_length=200, allow_blank=True, required=False)


class ServiceAccountCreate(ServiceAccountUpdate):
    """A new service account."""

    project = ProjectField(help_text="Id, or organization/name.")
    name = NameField()
    role = RoleNameField(required=False, help_text=f"In the project; {DEFAULT_ROLE} where it is left out.")


class ServiceAccountResource(ListedResource[ServiceAccount]):
    """Programs that sign in by tokens of their own, in the projects that you see."""

    serializer_class = ServiceAccountSerializer
    filterset_class = ServiceAccountFilters
    search_fields = ("name", "description")
    ordering_fields = ("name", "created_at")
    secret_fields = ("token",)
    further_refusals = {"tokens": ("403",)}

    def visible(self) -> QuerySet[ServiceAccount]:
        return service_accounts_visible_to(self.user)

    @extend_schema(request=ServiceAccountCreate, responses={201: ServiceAccountSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Makes a service account with a role in its project. For admins of the project."""
        body = self.body(ServiceAccountCreate)
        return self.created(service_account_create(actor=self.actor, now=timezone.now(), **body))

    @extend_schema(request=ServiceAccountUpdate, responses=ServiceAccountSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes the description of a service account."""
        account, body = self.get_object(), self.body(ServiceAccountUpdate)
        if "description" in body:
            account = service_account_update(actor=self.actor, account=account, **body)
        return Response(self.shown(account))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deletes a service account: its tokens end at once, its roles are gone, its name is not free again."""
        account = self.get_object()
        self.no_body()
        service_account_delete(actor=self.actor, account=account, now=timezone.now())
        return Response(status=204)

    @extend_schema(responses=AccessTokenSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filter_backends=[])
    def tokens(self, request: Request, pk: str) -> Response:
        """The tokens of a service account that were not revoked. For who manages it."""
        account = self._managed()
        page: Any = self.paginate_queryset(service_account_tokens(account))
        return self.get_paginated_response(AccessTokenSerializer(page, many=True).data)

    @extend_schema(request=AccessTokenCreate, responses={201: AccessTokenMade})
    @tokens.mapping.post
    def token_create(self, request: Request, pk: str) -> Response:
        """Makes a token of a service account. Its text is shown once."""
        account, body = self._managed(), self.body(AccessTokenCreate)
        expires_in = body.pop("expires_in", None)
        made = token_create(actor=self.actor, user=account.user, expires_in=expires_in, now=timezone.now(), **body)
        return token_made_answer(made, request.path)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["delete"], url_path="tokens/<uuid:token>")
    def token(self, request: Request, pk: str, token: UUID) -> Response:
        """Revokes a token of a service account at once."""
        account = self._managed()
        self.no_body()
        found = service_account_tokens(account).select_related("user").filter(pk=token).first()
        if found is None:
            raise NotFound(UNSEEN)
        token_revoke(actor=self.actor, token=found, now=timezone.now())
        return Response(status=204)

    def _managed(self) -> ServiceAccount:
        account = self.get_object()
        require(self.user, "serviceaccount.manage", account.project)
        return account
