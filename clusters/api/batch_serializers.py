"""Bodies and answers of creating and deleting several virtual clusters at once."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.schema import ProblemSerializer
from accounts.api.strict import StrictSerializer
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.virtual_cluster_serializers import VirtualClusterCreateSerializer, VirtualClusterSerializer
from clusters.services.batches import BATCH_MAXIMUM

WHOLE_HELP: Final = (
    "If one is refused, refuse them all: 400 with the code batch-refused, `errors` naming each. Else each is done or "
    "refused on its own."
)


class BatchDeleteItem(StrictSerializer):
    """One to delete."""

    id = serializers.UUIDField()
    generation = serializers.IntegerField(
        required=False, min_value=1, help_text="Only if it is still at this one, as with If-Match."
    )
    purge = serializers.BooleanField(required=False, help_text="For good: without an export of what is in it.")


@extend_schema_field(
    serializers.ListSerializer(child=VirtualClusterCreateSerializer(), min_length=1, max_length=BATCH_MAXIMUM)
)
class CreateItemsField(serializers.ListField):
    """What to make; each is read on its own, so that one that cannot be does not keep the others from it."""


@extend_schema_field(serializers.ListSerializer(child=BatchDeleteItem(), min_length=1, max_length=BATCH_MAXIMUM))
class DeleteItemsField(serializers.ListField):
    """What to delete; each is read on its own."""


class BatchCreateSerializer(StrictSerializer):
    """Several virtual clusters to make."""

    items = CreateItemsField(min_length=1, max_length=BATCH_MAXIMUM, help_text=f"At most {BATCH_MAXIMUM}.")
    all_or_nothing = serializers.BooleanField(required=False, help_text=WHOLE_HELP)


class BatchDeleteSerializer(StrictSerializer):
    """Several virtual clusters to delete."""

    items = DeleteItemsField(min_length=1, max_length=BATCH_MAXIMUM, help_text=f"At most {BATCH_MAXIMUM}.")
    all_or_nothing = serializers.BooleanField(required=False, help_text=WHOLE_HELP)


class BatchResultSerializer(serializers.Serializer[Any]):
    """What became of one: `virtual_cluster` and `operation`, or `problem`."""

    status = serializers.IntegerField(help_text="The status that it would have had alone.")
    virtual_cluster = VirtualClusterSerializer(allow_null=True)
    operation = OperationSerializer(allow_null=True)
    problem = ProblemSerializer(allow_null=True)


class BatchAnswerSerializer(serializers.Serializer[Any]):
    """What became of each, in the order of the items."""

    accepted = serializers.IntegerField(help_text="How many were, or are under way already.")
    refused = serializers.IntegerField()
    results = BatchResultSerializer(many=True)
