"""How the API shows what came of a restore."""

from typing import Any

from rest_framework import serializers


class RestoredObjectSerializer(serializers.Serializer[Any]):
    """One object that is not as it was exported."""

    object = serializers.CharField(help_text="KIND.GROUP NAMESPACE/NAME.")
    what = serializers.CharField(
        help_text="differing, conflict (it was there and is otherwise), missing, refused, not-run (it had ended), or "
        "equal where something is worth knowing all the same."
    )
    why = serializers.CharField(allow_blank=True, help_text="In the server's own words where it was refused.")
    paths = serializers.ListField(child=serializers.CharField(), help_text="The first of the fields that differ.")


class RestoredSerializer(serializers.Serializer[Any]):
    """What came of a restore, compared by digest."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="By what is said of the objects.")
    listed = RestoredObjectSerializer(many=True, help_text="At most 500 of those that are not as they were exported.")
