"""How the API shows operations."""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clusters.api.restored_serializers import RestoredSerializer
from clusters.api.shown import operation_shown
from clusters.models import Operation, OperationEvent, OperationKind
from clusters.preflight import REPORT, Weight
from clusters.restoration import RESULT


class NamedSerializer(serializers.Serializer[Any]):
    """An object by id and name."""

    id = serializers.UUIDField(source="pk")
    name = serializers.CharField()


class PersonSerializer(serializers.Serializer[Any]):
    """A person or service account. `name` is what to show: a service account's own name, else the handle."""

    id = serializers.UUIDField(source="pk")
    handle = serializers.CharField()
    name = serializers.CharField(source="label")


class StepSerializer(serializers.Serializer[Any]):
    """One step; its name is a sentence."""

    key = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(["waiting", "current", "done", "failed"])
    started_at = serializers.DateTimeField(required=False)
    finished_at = serializers.DateTimeField(required=False)
    note = serializers.CharField(required=False)


class LeftBehindSerializer(serializers.Serializer[Any]):
    """An object on a host that an operation made, or has yet to remove."""

    kind = serializers.CharField()
    name = serializers.CharField()
    namespace = serializers.CharField(allow_blank=True, help_text="Empty for what lives in none.")
    host = serializers.CharField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """One field that an operation changes of what it found. `path` is empty for an object that comes or goes."""

    object = serializers.CharField()
    path = serializers.CharField(allow_blank=True)
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


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


class FindingSerializer(serializers.Serializer[Any]):
    """One thing that was found before an upgrade or a move."""

    weight = serializers.ChoiceField(list(Weight), help_text="blocks, choice (somebody has to choose) or note.")
    code = serializers.CharField()
    about = serializers.CharField(help_text="The object.")
    message = serializers.CharField()
    hint = serializers.CharField(allow_blank=True)
    choice = serializers.CharField(allow_blank=True, help_text="The name of the choice.")
    options = serializers.DictField(child=serializers.CharField(), help_text="What may be chosen, and what it means.")


class ReportSerializer(serializers.Serializer[Any]):
    """What an upgrade or a move would meet."""

    plan = serializers.ListField(child=serializers.CharField(), help_text="What will be done, in sentences.")
    findings = FindingSerializer(many=True)
    expected = serializers.DictField(child=serializers.FloatField(), help_text="Seconds, by what they are of.")


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
    waiting_for_host = NamedSerializer(
        source="waiting_host", allow_null=True, help_text="The host whose slot or answer it waits for."
    )
    usual_seconds = serializers.SerializerMethodField()
    left_behind = LeftBehindSerializer(many=True)

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
            "waiting_for_host",
            "usual_seconds",
            "left_behind",
        ]

    def to_representation(self, instance: Operation) -> dict[str, Any]:
        return operation_shown(instance)

    def get_steps_done(self, operation: Operation) -> int:
        return sum(step["state"] == "done" for step in operation.steps)

    def get_steps_total(self, operation: Operation) -> int:
        return len(operation.steps)

    @extend_schema_field(OperationErrorSerializer(allow_null=True))
    def get_error(self, operation: Operation) -> dict[str, Any] | None:
        return OperationErrorSerializer(operation).data if operation.error_code else None

    def get_usual_seconds(self, operation: Operation) -> float | None:
        """How long one of its kind usually takes in all; null while too little is known."""
        return getattr(operation, "usual_seconds", None)  # as the selector fetched it along

    def get_has_sealed_result(self, operation: Operation) -> bool:
        """Whether there is one to fetch: reading it, and time, end that."""
        return operation.sealed_until is not None and operation.sealed_until > timezone.now()


class OperationDetailSerializer(OperationSerializer):
    """An operation with all that happened in it."""

    events = OperationEventSerializer(many=True)
    difference = DifferenceSerializer(many=True)
    restored = serializers.SerializerMethodField()

    @extend_schema_field(RestoredSerializer(allow_null=True))
    def get_restored(self, operation: Operation) -> dict[str, Any] | None:
        """What came of a restore, once it has succeeded; null for all other operations."""
        return operation.params.get(RESULT) if operation.kind == OperationKind.RESTORE else None

    report = serializers.SerializerMethodField()

    @extend_schema_field(ReportSerializer(allow_null=True))
    def get_report(self, operation: Operation) -> dict[str, Any] | None:
        """What an upgrade or a move would meet, once that was looked at; null for all other operations."""
        report: dict[str, Any] | None = operation.params.get(REPORT)
        return report

    def to_representation(self, instance: Operation) -> dict[str, Any]:
        return serializers.ModelSerializer.to_representation(self, instance)

    class Meta(OperationSerializer.Meta):
        fields: ClassVar[list[str]] = [*OperationSerializer.Meta.fields, "difference", "restored", "report", "events"]
