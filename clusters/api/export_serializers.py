"""How the API shows exports."""

from typing import Any, ClassVar

from rest_framework import serializers

from clusters.api.operation_serializers import NamedSerializer, OperationSerializer, PersonSerializer
from clusters.models import Export


class ExportProjectSerializer(NamedSerializer):
    """The project of its cluster."""

    organization = NamedSerializer()


class ExportSerializer(serializers.ModelSerializer[Export]):
    """An export. Its file is encrypted; `content` gives what is in it to those who may read it."""

    virtual_cluster = NamedSerializer()
    project = ExportProjectSerializer()
    requested_by = PersonSerializer(allow_null=True, help_text="Empty: Marina itself.")
    operation_id = serializers.UUIDField(allow_null=True, help_text="That makes it.")
    objects = serializers.IntegerField(source="objects_count", help_text="How many are in it.")

    class Meta:
        model = Export
        fields: ClassVar[list[str]] = [
            "id",
            "virtual_cluster",
            "project",
            "cause",
            "state",
            "message",
            "requested_by",
            "operation_id",
            "created_at",
            "started_at",
            "finished_at",
            "expires_at",
            "size",
            "objects",
            "kubernetes_version",
            "chart_version",
        ]
        read_only_fields = fields


class LeftOutNameSerializer(serializers.Serializer[Any]):
    """One of what was left out; the name is * of a kind that is not read at all."""

    kind = serializers.CharField()
    namespace = serializers.CharField(allow_blank=True)
    name = serializers.CharField()


class LeftOutSerializer(serializers.Serializer[Any]):
    """What one rule left out."""

    rule = serializers.CharField()
    reason = serializers.CharField()
    count = serializers.IntegerField(help_text="0 of kinds that are not read at all.")
    first = LeftOutNameSerializer(many=True)


class ExportDetailSerializer(ExportSerializer):
    """One export, with what its manifest tells."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Objects by APIVERSION/KIND.")
    left_out = LeftOutSerializer(many=True)

    class Meta:
        model = Export
        fields: ClassVar[list[str]] = [*ExportSerializer.Meta.fields, "counts", "left_out", "digest"]
        read_only_fields = fields


class ExportAnswer(serializers.Serializer[Any]):
    """The operation at work, and the export that it makes."""

    operation = OperationSerializer()
    export = ExportSerializer()
