"""How the API shows who uses a virtual cluster."""

from typing import Any, ClassVar

from rest_framework import serializers

from clusters.api.operation_serializers import PersonSerializer
from clusters.models import ClusterUse


class LastUserSerializer(serializers.Serializer[Any]):
    """Who used a cluster last, and with what program."""

    id = serializers.CharField()
    handle = serializers.CharField()
    name = serializers.CharField()
    client = serializers.CharField()


class ClusterUseSerializer(serializers.ModelSerializer[ClusterUse]):
    """What one person or service account did with one kind of client."""

    user = PersonSerializer()
    first_used_at = serializers.DateTimeField(source="created_at", help_text="When that was first noted.")
    last_read_at = serializers.DateTimeField(help_text="Null: nothing was read.", allow_null=True)
    last_write_at = serializers.DateTimeField(help_text="Null: nothing was changed.", allow_null=True)

    class Meta:
        model = ClusterUse
        fields: ClassVar[list[str]] = [
            "id",
            "user",
            "client",
            "last_used_at",
            "last_read_at",
            "last_write_at",
            "reads",
            "writes",
            "first_used_at",
        ]
