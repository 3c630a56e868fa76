"""/notifications and /notification-preferences: what one was told, and how one wants to be told."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.resources import ListedResource, Resource
from accounts.api.strict import StrictSerializer
from accounts.errors import NotFound
from accounts.models import Notification, NotificationDelivery, NotificationPreference
from accounts.notification_kinds import NOTIFICATION_KINDS
from accounts.notification_links import notification_page
from accounts.selectors_notices import notifications_of
from accounts.services.notification_preferences import preference_update, preferences_of
from accounts.services.notifications import notification_read, notifications_read


class NotificationSubject(serializers.Serializer[Notification]):
    """What a notification is about. It may be gone by now."""

    kind = serializers.CharField(source="subject_kind")
    id = serializers.CharField(source="subject_id")
    name = serializers.CharField(source="subject_name")


class NotificationChannel(serializers.ModelSerializer[NotificationDelivery]):
    """What became of it on one channel besides the inbox."""

    class Meta:
        model = NotificationDelivery
        fields = ("channel", "state", "sent_at", "error")
        read_only_fields = fields
        extra_kwargs = {"channel": {"help_text": "mail or webhook."}}


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """One thing that you were told. `link` is a path of Marina's pages, `command` does the next step."""

    kind = serializers.ChoiceField(choices=sorted(NOTIFICATION_KINDS), read_only=True)
    subject = serializers.SerializerMethodField()
    link = serializers.SerializerMethodField()
    read = serializers.SerializerMethodField()
    channels = NotificationChannel(source="deliveries", many=True, read_only=True)

    class Meta:
        model = Notification
        fields = ("id", "kind", "subject", "text", "link", "command", "read", "read_at", "channels", "created_at")
        read_only_fields = fields

    @extend_schema_field(NotificationSubject)
    def get_subject(self, row: Notification) -> Any:
        return NotificationSubject(row).data

    def get_link(self, row: Notification) -> str:
        """The path of the page of what it is about, else of the notification; empty where there is nothing to see."""
        return notification_page(row) if row.link else ""

    def get_read(self, row: Notification) -> bool:
        """Whether it was read."""
        return row.read_at is not None


class NotificationUpdate(StrictSerializer):
    """What can be changed of a notification."""

    read = serializers.BooleanField()


class NotificationsRead(serializers.Serializer[Any]):
    """How many were marked."""

    read = serializers.IntegerField()


class NotificationFilters(django_filters.FilterSet):
    """Of /notifications."""

    unread = django_filters.BooleanFilter(field_name="read_at", lookup_expr="isnull")

    class Meta:
        model = Notification
        fields = ("unread", "kind")


class NotificationResource(ListedResource[Notification]):
    """Your own inbox."""

    serializer_class = NotificationSerializer
    further_refusals = {"list": ("403",), "retrieve": ("403",)}
    filterset_class = NotificationFilters
    search_fields = ("text", "subject_name")

    def visible(self) -> QuerySet[Notification]:
        return notifications_of(self.user)

    @extend_schema(request=NotificationUpdate, responses=NotificationSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Marks a notification as read, or as new again."""
        row, body = self.get_object(), self.body(NotificationUpdate)
        if "read" in body:
            row = notification_read(notification=row, read=body["read"], now=timezone.now())
        return Response(self.shown(row))

    @extend_schema(request=None, responses=NotificationsRead, filters=False)
    @action(detail=False, methods=["post"], url_path="read-all", filter_backends=[], pagination_class=None)
    @idempotent
    def read_all(self, request: Request) -> Response:
        """Marks everything in your inbox as read."""
        self.no_body()
        return Response({"read": notifications_read(user=self.user, now=timezone.now())})


class PreferenceSerializer(serializers.Serializer[Any]):
    """How one kind of notification reaches you."""

    kind = serializers.CharField(source="kind.name")
    tells = serializers.CharField(source="kind.tells", help_text="What it tells, in a sentence.")
    inbox = serializers.BooleanField(help_text="Off: it is kept, but as read.")
    mail = serializers.BooleanField()


class PreferenceUpdate(StrictSerializer):
    """What can be changed of it."""

    inbox = serializers.BooleanField(required=False)
    mail = serializers.BooleanField(required=False)


@extend_schema_serializer(many=False)
class PreferenceList(serializers.Serializer[Any]):
    """All of them; there are no further pages."""

    results = PreferenceSerializer(many=True)


class PreferenceResource(Resource[Any]):
    """Which kinds of notifications reach you by which channel."""

    serializer_class = PreferenceSerializer
    further_refusals = {"list": ("403",)}
    lookup_field = "kind"
    lookup_value_converter = "str"
    pagination_class = None

    def get_queryset(self) -> QuerySet[NotificationPreference]:
        return NotificationPreference.objects.none()  # the document is made by it; the kinds are no rows

    @extend_schema(operation_id="notification_preferences_list", responses=PreferenceList, filters=False)
    def list(self, request: Request) -> Response:
        """Every kind there is, with what you chose or what it has by itself."""
        shown = PreferenceSerializer(preferences_of(self.user), many=True).data
        return Response({"results": shown})

    @extend_schema(request=PreferenceUpdate, responses=PreferenceSerializer)
    def partial_update(self, request: Request, kind: str) -> Response:
        """Switches channels for a kind on or off."""
        if kind not in NOTIFICATION_KINDS:
            raise NotFound("There is no such kind of notification.", hint=f"One of: {', '.join(NOTIFICATION_KINDS)}")
        body = self.body(PreferenceUpdate)
        changed = preference_update(user=self.user, kind=NOTIFICATION_KINDS[kind], **body)
        return Response(PreferenceSerializer(changed).data)
