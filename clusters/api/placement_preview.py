"""How the API tells where a virtual cluster would go."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import ProjectField
from accounts.api.strict import StrictSerializer
from clusters.api.fields import HostField
from clusters.api.operation_serializers import NamedSerializer
from clusters.api.virtual_cluster_serializers import SpecSerializer
from clusters.placing import HostChoice


class PlacementPreviewRequest(StrictSerializer):
    """A virtual cluster that somebody thinks of."""

    project = ProjectField()
    host = HostField(required=False, allow_null=True)
    spec = SpecSerializer(required=False)


class WeighedHostSerializer(serializers.Serializer[Any]):
    """A host, and what was found of it."""

    host = NamedSerializer()
    why = serializers.CharField()


class PlacementPreviewSerializer(serializers.Serializer[Any]):
    """The hosts that fit, best first, and why each other one does not. Hosts that are not offered are not told of."""

    message = serializers.CharField(help_text="In a sentence: which would be chosen and why, or why none.")
    candidates = WeighedHostSerializer(many=True)
    left_out = WeighedHostSerializer(many=True)


def preview_shown(choice: HostChoice) -> dict[str, Any]:
    """As the API answers."""
    shown = {
        "message": choice.why() if choice.candidates else f"No host cluster can take it. {choice.explain()}",
        "candidates": [{"host": each.host, "why": f"{each.standing}."} for each in choice.candidates],
        "left_out": [{"host": each.host, "why": each.refusal.why} for each in choice.refused],
    }
    data: dict[str, Any] = PlacementPreviewSerializer(shown).data
    return data
