"""How the API shows whether a virtual cluster is used, and who writes in it."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.strict import StrictSerializer
from clusters.api.operation_serializers import PersonSerializer
from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.models import KnownWriter, Verdict
from clusters.selectors_idle import verdict_reason
from clusters.services.known_writers import CORRECTIONS


class SignalSerializer(serializers.Serializer[Any]):
    """One kind of use: when last, by whom, and until when it is known that nothing newer happened."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in SignalKind])
    required = serializers.BooleanField(  # type: ignore[assignment]  # a declared field is no attribute of the class
        help_text="Its host needs it: while it is not known, nothing is idle."
    )
    state = serializers.ChoiceField(choices=[state.value for state in SignalState])
    reason = serializers.CharField(help_text="Why it is not known; empty where it is.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Null: never, as far as is known.")
    who = serializers.CharField(help_text="Who or what that was, in words.")
    observed_at = serializers.DateTimeField(
        allow_null=True, help_text="Nothing newer happened until then; null: nobody ever looked."
    )


class IdleSerializer(serializers.Serializer[Any]):
    """What all signals come to together."""

    last_used_at = serializers.DateTimeField(allow_null=True, help_text="The newest use of all; null: none is known.")
    last_used_by = serializers.CharField(help_text="Who or what that was, in words.")
    complete = serializers.BooleanField(help_text="Whether every required signal is known.")
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="Required signals that are not known, each with the reason."
    )
    signals = SignalSerializer(many=True)


class KnownWriterSerializer(serializers.ModelSerializer[KnownWriter]):
    """One field manager that writes in the cluster."""

    reason = serializers.SerializerMethodField(help_text="Why that was learnt.")
    counts = serializers.BooleanField(help_text="Whether what it writes is use.")
    kinds = serializers.ListField(child=serializers.CharField(), help_text="Kinds of objects, as KIND.GROUP.")
    last_use_at = serializers.DateTimeField(allow_null=True, help_text="Its last write that counted; null: none did.")
    verdict = serializers.ChoiceField(choices=Verdict.choices, help_text="What was learnt.")
    corrected = serializers.SerializerMethodField(help_text="What people said; null: as learnt.")
    corrected_by = PersonSerializer(allow_null=True)
    corrected_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = KnownWriter
        fields: ClassVar[list[str]] = [
            "id",
            "manager",
            "verdict",
            "reason",
            "counts",
            "corrected",
            "corrected_by",
            "corrected_at",
            "first_seen_at",
            "last_write_at",
            "last_use_at",
            "wrote",
            "kinds",
        ]

    def get_reason(self, writer: KnownWriter) -> str:
        return verdict_reason(writer)

    @extend_schema_field(serializers.ChoiceField(choices=Verdict.choices, allow_null=True))
    def get_corrected(self, writer: KnownWriter) -> str | None:
        return writer.corrected or None


class WriterCorrection(StrictSerializer):
    """Whose a field manager is, whatever was learnt of it."""

    verdict = serializers.ChoiceField(
        choices=[(each.value, each.label) for each in CORRECTIONS],
        allow_null=True,
        help_text="person or ci: what it writes is use. inside or steady: it is not. Null: as learnt.",
    )
