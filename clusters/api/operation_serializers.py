"""How the API shows operations."""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clusters.models import Operation, OperationEvent


class NamedSerializer(serializers.Serializer[Any]):
    """An object by id and name."""

    id = serializers.UUIDField(source="pk")
    name = serializers.CharField()


class PersonSerializer(serializers.Serializer[Any]):
    """A person by id and handle."""

    id = serializers.UUIDField(source="pk")
    handle = serializers.CharField()


class StepSerializer(serializers.Serializer[Any]):
    """One step; its name is a sentence."""

    key = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(["waiting", "current", "done", "failed"])
    started_at = serializers.DateTimeField(required=False)
    finished_at = serializers.DateTimeField(required=False)
    note = serializers.CharField(required=False)


class OperationErrorSerializer(serializers.Serializer[Any]):
    """Why the newest attempt did not succeed."""

    code = serializers.CharField(source="error_code")
    message = serializers.CharField(source="error_message")
    hint = serializers.CharField(source="error_hint")


class OperationEventSerializer(serializers.ModelSerializer[OperationEvent]):
    """One thing that happened."""

    class Meta:
        model = OperationEvent
        fields: ClassVar[list[str]] = ["time", "step", "level", "text"]


class OperationSerializer(serializers.ModelSerializer[Operation]):
    """An operation without its events."""

    virtual_cluster = NamedSerializer(allow_null=True)
    host_cluster = NamedSerializer(source="host", allow_null=True)
    requested_by = PersonSerializer(allow_null=True)
    steps = StepSerializer(many=True)
    steps_done = serializers.SerializerMethodField()
    steps_total = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    has_sealed_result = serializers.SerializerMethodField()

    class Meta:
        model = Operation
        fields: ClassVar[list[str]] = [
            "id",
            "kind",
            "state",
            "virtual_cluster",
            "host_cluster",
            "steps",
            "steps_done",
            "steps_total",
            "message",
            "error",
            "attempt",
            "run_after",
            "requested_by",
            "created_at",
            "started_at",
            "finished_at",
            "has_sealed_result",
        ]

    def get_steps_done(self, operation: Operation) -> int:
        return sum(step["state"] == "done" for step in operation.steps)

    def get_steps_total(self, operation: Operation) -> int:
        return len(operation.steps)

    @extend_schema_field(OperationErrorSerializer(allow_null=True))
    def get_error(self, operation: Operation) -> dict[str, Any] | None:
        return OperationErrorSerializer(operation).data if operation.error_code else None

    def get_has_sealed_result(self, operation: Operation) -> bool:
        """Whether there is one to fetch: reading it, and time, end that."""
        return operation.sealed_until is not None and operation.sealed_until > timezone.now()


class OperationDetailSerializer(OperationSerializer):
    """An operation with all that happened in it."""

    events = OperationEventSerializer(many=True)

    class Meta(OperationSerializer.Meta):
        fields: ClassVar[list[str]] = [*OperationSerializer.Meta.fields, "events"]
