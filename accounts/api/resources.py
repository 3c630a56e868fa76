"""What the API's nouns have in common: lists with filters, search, order and pages; one object; strict bodies."""

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.filters import SearchFilter
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED
from rest_framework.viewsets import GenericViewSet

from accounts.access import UNSEEN
from accounts.api.actor import actor_of, user_of
from accounts.api.dry_run import DryRun
from accounts.api.field_errors import name_suggested
from accounts.api.filters import Filters
from accounts.api.pagination import StableOrdering
from accounts.api.parsing import BoundedJSONParser
from accounts.api.preconditions import etag_set, has_version, if_match_check
from accounts.api.schema import MarinaSchema
from accounts.api.since import HEADER as REVISION_HEADER
from accounts.api.since import Changes, changes_answer
from accounts.api.sparse_fields import PARAMETER as FIELDS
from accounts.api.sparse_fields import SparseFields
from accounts.api.strict import NoBody, StrictSerializer
from accounts.errors import InvalidInput, NotFound
from accounts.models import User
from accounts.services.audit import Actor
from accounts.services.revisions import revision_settled

M = TypeVar("M", bound=Model)


class Resource(SparseFields, DryRun, GenericViewSet[M]):
    """Base of the API's viewsets. A subclass says what is visible, how it is shown, and calls services to change it."""

    schema = MarinaSchema()
    parser_classes = (BoundedJSONParser,)
    metadata_class = None
    lookup_value_converter = "uuid"
    filter_backends = (Filters, SearchFilter, StableOrdering)
    search_fields: ClassVar[tuple[str, ...]] = ()
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at",)
    looked_at: M | None = None
    """The object of the address, once it was found: the audit row of a refusal names it."""
    further_refusals: ClassVar[dict[str, tuple[str, ...]]] = {}
    """More statuses that an action's operation may answer with, for the OpenAPI document."""
    shown_row: Any = None
    """The object that the answer shows, whose version is the answer's ETag."""

    def visible(self) -> QuerySet[M]:
        """What the person who asks may see, with everything the serializer reads; a selector's answer."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[M]:
        if getattr(self, "swagger_fake_view", False):
            model: type[M] = self.get_serializer_class().Meta.model  # type: ignore[attr-defined]
            return model._default_manager.none()
        return self.visible()

    def get_object(self) -> M:
        """The object of the address. Raises NotFound for what is not there and for what may not be seen."""
        try:
            row: M = super().get_object()
        except Http404:
            raise NotFound(UNSEEN) from None
        self.looked_at = row
        if self._precondition and has_version(type(row)):
            if_match_check(self.request, self._locked(row))
        return row

    @property
    def _precondition(self) -> bool:
        return self.request.method in ("PUT", "PATCH", "DELETE") and "If-Match" in self.request.headers

    def _locked(self, row: M) -> Any:
        """The row as it is now, and stays until the transaction ends."""
        return type(row)._default_manager.select_for_update(of=("self",)).get(pk=row.pk)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if "If-Match" not in request.headers:
            return super().dispatch(request, *args, **kwargs)
        with self.undoable():  # the version that was looked at is the one that is changed
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        if self.shown_row is not None and final.status_code < 300 and not final.has_header("ETag"):
            etag_set(final, self.shown_row)
        return final

    def body(self, serializer: type[StrictSerializer]) -> dict[str, Any]:
        """The request's body, read strictly. With PATCH, what was not sent is not in it."""
        partial = self.request.method == "PATCH"
        read = serializer(data=self.request.data, partial=partial, context=self.get_serializer_context())
        read.is_valid(raise_exception=True)
        found: dict[str, Any] = read.validated_data
        return found

    def no_body(self) -> None:
        """Refuses a body where none is expected."""
        self.body(NoBody)

    def shown(self, row: M) -> dict[str, Any]:
        """The object as the API shows it, with whatever its serializer reads loaded afresh."""
        fresh = self.get_queryset().filter(pk=row.pk).first() or row
        self.shown_row = fresh if has_version(type(fresh)) else None
        data: dict[str, Any] = self.get_serializer(fresh).data
        return data

    def created(self, row: M) -> Response:
        """201 with the object and its address."""
        location = f"{self.request.path}/{row.pk}"
        return Response(self.shown(row), status=HTTP_201_CREATED, headers={"Location": location})

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        self.rows_listed(page or ())
        return page

    def rows_listed(self, rows: Sequence[Any]) -> None:
        """Told of the rows that a list is about to show."""

    @property
    def actor(self) -> Actor:
        """Who asks, for the services."""
        return actor_of(self.request)

    @property
    def user(self) -> User:
        """Who asks, for the selectors."""
        return user_of(self.request)


class ListedResource(ListModelMixin, RetrieveModelMixin, Resource[M]):
    """A noun with a list and single objects."""

    changes: ClassVar[Changes | None] = None
    """How the list answers `?since=`; None: not at all. The model needs a `changed_in` (accounts/models/revisions)."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self._parameters_check(request)
        if self.changes is None:
            return super().list(request, *args, **kwargs)
        if "since" in request.query_params:
            return self._changed(self.changes)
        settled = revision_settled()  # before the list is read: what is committed meanwhile comes with `since`
        response = super().list(request, *args, **kwargs)
        response[REVISION_HEADER] = str(settled)
        return response

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        self.shown_row = row if has_version(type(row)) else None
        return Response(self.get_serializer(row).data)

    def _changed(self, changes: Changes) -> Response:
        parameters = self.request.query_params
        fixed = ("since", "page_size", FIELDS, *changes.filters)
        for name in parameters:
            if name not in fixed:
                raise InvalidInput(
                    f"`{name}` cannot be asked together with `since`: what no longer fits would be missed.",
                    field=name,
                    accepted=f"with `since` only: {', '.join(fixed[1:])}",
                )
        return changes_answer(
            changes=changes,
            user=self.user,
            since=parameters["since"],
            visible=self.filter_queryset(self.get_queryset()),
            size=self.paginator.get_page_size(self.request),  # type: ignore[union-attr]
            show=self._changes_shown,
        )

    def _changes_shown(self, rows: Sequence[M]) -> Any:
        self.rows_listed(rows)
        return self.get_serializer(rows, many=True).data

    def _parameters_check(self, request: Request) -> None:
        # a misspelt filter would otherwise list everything
        known = ["cursor", "page_size", "search", "ordering", FIELDS, *(["since"] if self.changes else [])]
        filterset = getattr(self, "filterset_class", None)
        known += list(filterset.base_filters) if filterset else []
        for name in request.query_params:
            if name not in known:
                raise InvalidInput(
                    "There is no such parameter here.", field=name[:80], accepted=name_suggested(name, known)
                )
            if "\0" in request.query_params[name]:
                raise InvalidInput("A parameter cannot contain a NUL character.", field=name)
