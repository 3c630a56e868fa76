"""How the API shows what becomes of clusters that nobody uses."""

from typing import Any

from rest_framework import serializers

from accounts.api.references import UserReference
from accounts.api.strict import StrictSerializer
from clusters.api.idle_serializers import SignalSerializer
from clusters.api.scoped import ClusterReference
from clusters.lifecycle.policy import FIELDS
from clusters.models import CleanupAction, CleanupCause, CleanupItem, CleanupRun, CleanupState, CleanupSwitch
from clusters.services.cleanup import signals_shown
from clusters.services.cleanup_notices import Decided


class PolicyShownSerializer(serializers.Serializer[Any]):
    """What counts for a cluster, in seconds; null: never."""

    sleep_after = serializers.IntegerField(allow_null=True)
    delete_after = serializers.IntegerField(allow_null=True)
    warn_before = serializers.ListField(child=serializers.IntegerField())
    extension_maximum = serializers.IntegerField()
    origins = serializers.DictField(child=serializers.CharField(), help_text="Where each field is from.")


class OutlookSerializer(serializers.Serializer[Any]):
    """What the next sweep does to a cluster, why, and by which signals."""

    virtual_cluster = ClusterReference()
    action = serializers.ChoiceField(CleanupAction.choices, help_text="What is due now.")
    why = serializers.CharField()
    next_at = serializers.DateTimeField(allow_null=True, help_text="When something is due of its own accord.")
    cleanup_at = serializers.DateTimeField(allow_null=True, help_text="When it is to be deleted.")
    cleanup_cause = serializers.ChoiceField(CleanupCause.choices, allow_null=True)
    cleanup_state = serializers.ChoiceField(CleanupState.choices, allow_null=True)
    warned_at = serializers.ListField(child=serializers.DateTimeField())
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used = serializers.CharField(help_text="That use, in words.")
    unknown = serializers.ListField(child=serializers.CharField(), help_text="Why nobody can say that it is unused.")
    kept_until = serializers.DateTimeField(allow_null=True)
    signals = SignalSerializer(many=True)
    policy = PolicyShownSerializer()


def outlook_shown(decided: Decided) -> dict[str, Any]:
    """As OutlookSerializer shows it."""
    case, decision = decided
    plan, use, policy = decision.plan, decision.use, case.policy
    return {
        "virtual_cluster": ClusterReference(case.cluster).data,
        "action": decision.action.value,
        "why": decision.why,
        "next_at": decision.next_at,
        "cleanup_at": plan.at if plan else None,
        "cleanup_cause": plan.cause.value if plan else None,
        "cleanup_state": plan.state.value if plan else None,
        "warned_at": list(plan.warned) if plan else [],
        "last_used_at": use.last_at if use else None,
        "last_used": use.last if use else "",
        "unknown": list(decision.unknown),
        "kept_until": case.facts.kept_until,
        "signals": signals_shown(case),
        "policy": {
            "sleep_after": policy.sleep_after and int(policy.sleep_after.total_seconds()),
            "delete_after": policy.delete_after and int(policy.delete_after.total_seconds()),
            "warn_before": [int(each.total_seconds()) for each in policy.warn_before],
            "extension_maximum": int(policy.extension_maximum.total_seconds()),
            "origins": {name: policy.origins[name] for name in FIELDS},
        },
    }


class PreviewSerializer(serializers.Serializer[Any]):
    """What the next sweep does to the clusters that you see."""

    stopped = serializers.BooleanField(help_text="Whether all of it is stopped.")
    after_gap = serializers.BooleanField(help_text="Nobody swept for long: it deletes nothing and warns anew.")
    last_run_at = serializers.DateTimeField(allow_null=True)
    clusters = OutlookSerializer(many=True)


class CleanupRunSerializer(serializers.ModelSerializer[CleanupRun]):
    """The report of one sweep, counted over all clusters."""

    class Meta:
        model = CleanupRun
        fields = (
            *("id", "state", "started_at", "finished_at", "after_gap", "looked_at", "warned", "asked"),
            *("put_to_sleep", "deleted", "cleared", "unknown", "left", "message"),
        )
        read_only_fields = fields


class CleanupItemSerializer(serializers.ModelSerializer[CleanupItem]):
    """What one sweep did to one cluster, why, and by which signals."""

    virtual_cluster = ClusterReference(read_only=True)
    signals = SignalSerializer(many=True, read_only=True)

    class Meta:
        model = CleanupItem
        fields = (
            *("id", "run", "virtual_cluster", "action", "cleanup_at", "why", "signals", "operation", "refused"),
            "created_at",
        )
        read_only_fields = fields


class CleanupSwitchSerializer(serializers.ModelSerializer[CleanupSwitch]):
    """Whether all cleanup is stopped, by whom and why."""

    changed_by = UserReference(read_only=True, allow_null=True)

    class Meta:
        model = CleanupSwitch
        fields = ("stopped", "reason", "changed_by", "changed_at")
        read_only_fields = fields


class CleanupSwitchChange(StrictSerializer):
    """Stops it or lets it go on."""

    stopped = serializers.BooleanField()
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300, help_text="Needed to stop it.")


class ExtensionRequest(StrictSerializer):
    """For how much longer."""

    by = serializers.IntegerField(help_text="Seconds beyond its date, or where none is set, from now.")
