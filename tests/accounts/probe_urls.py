"""A small API with every way to be refused, on the framework that the real one uses."""

from typing import Any

from django.db import transaction
from django.http import Http404
from django.urls import include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.accepted import accepted
from accounts.api.actor import actor_of
from accounts.api.idempotency import idempotent
from accounts.api.preconditions import etag_set, if_match_check
from accounts.api.strict import StrictSerializer
from accounts.errors import Conflict, InvalidInput, NotAllowed, NotFound, PreconditionFailed
from accounts.models import Project
from accounts.models.base import new_id
from accounts.services.projects import project_create

handler400 = "accounts.api.problems.bad_request"
handler404 = "accounts.api.problems.page_not_found"
handler500 = "accounts.api.problems.server_error"

OPERATION = new_id()
ERRORS: dict[str, Exception] = {
    "invalid": InvalidInput("The size is unknown.", field="spec.size", accepted="small, medium or large"),
    "forbidden": NotAllowed("You may not.", hint="Roles: project admin."),
    "not-found": NotFound("Not there."),
    "conflict": Conflict("hello is being deleted.", hint="Wait.", operation_id=OPERATION),
    "precondition-failed": PreconditionFailed("Changed."),
    "http404": Http404("a secret detail of the inside"),
    "bug": RuntimeError("postgres://user:password@inside"),
}


class Part(StrictSerializer):
    size = serializers.ChoiceField(choices=["small", "medium"])
    replicas = serializers.IntegerField(min_value=1, max_value=3, required=False)


class Body(StrictSerializer):
    name = serializers.CharField(max_length=10)
    spec = Part(required=False)
    ports = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False)


class Probe(APIView):
    def get(self, request: Request, name: str) -> Response:
        raise ERRORS[name]


class Strict(APIView):
    def post(self, request: Request) -> Response:
        body = Body(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


class Versioned:
    generation = 3


class Changed(APIView):
    def get(self, request: Request) -> Response:
        return etag_set(Response({}), Versioned())

    def patch(self, request: Request) -> Response:
        if_match_check(request, Versioned())
        return Response({})


class Work(APIView):
    """Makes a project for each request that acts."""

    @idempotent
    def post(self, request: Request) -> Response:
        with transaction.atomic():
            from accounts.models import Organization

            body: Any = request.data
            organization = Organization.objects.get(name="acme")
            number = Project.objects.count()
            project = project_create(
                actor=actor_of(request), organization=organization, name=body.get("name") or f"p-{number}"
            )
            if body.get("refuse"):
                return Response({"refused": True}, status=409)
        return accepted({"project": {"id": project.pk}}, operation_url=f"/api/v1/operations/{project.pk}")


urlpatterns = [
    path("api/v1/", include("accounts.api.urls")),
    path("api/probe/strict", Strict.as_view()),
    path("api/probe/changed", Changed.as_view()),
    path("api/probe/work", Work.as_view()),
    path("api/probe/<str:name>", Probe.as_view()),
]
