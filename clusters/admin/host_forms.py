"""The forms by which hosts are connected and changed. What the services would refuse is shown at its field."""

from collections.abc import Callable
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from accounts.errors import InvalidInput
from clusters.kubeconfig import kubeconfig_parse
from clusters.lifecycle.ingress_metrics import ingress_metrics_told
from clusters.lifecycle.required_signals import required_signals_check, signals_needed
from clusters.models import HostCluster
from clusters.services.hosts import HostSettings, host_change_check, host_settings_check

READ_MOST = 2 * 1024 * 1024
"""Bytes: more than any kubeconfig may have, so that a larger file is refused for its size."""

SAID = (
    "region",
    "labels",
    "exposure",
    "values",
    "concurrency",
    "offered_to_all",
    "offered_to_organizations",
    "offered_to_projects",
)
FIXED = ("name", "mode", "namespaces", "scope", "organization")


class _HostForm(forms.ModelForm):  # type: ignore[type-arg]
    """What both have in common."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["concurrency"].required = False

    def clean_concurrency(self) -> int:
        """As it is, or as it is by default, where nothing is said."""
        given = self.cleaned_data["concurrency"]
        return self.instance.concurrency if given is None else int(given)

    def clean_kubeconfig(self) -> bytes:
        """The file's content; empty where none was given."""
        file = self.cleaned_data["kubeconfig"]
        text: bytes = file.read(READ_MOST) if file else b""
        if text:
            self.check(lambda: kubeconfig_parse(text))
        return text

    def check(self, rule: Callable[[], object]) -> None:
        """Adds what the rule refuses to the fields that it names."""
        try:
            rule()
        except InvalidInput as error:
            for each in error.errors:
                field = each.field.split(".")[0].split("[")[0]
                accepted = f" Accepted: {each.accepted}." if each.accepted else ""
                self.add_error(field if field in self.fields else None, f"{each.field}: {each.message}{accepted}")


class HostConnectForm(_HostForm):
    """Connects a host."""

    kubeconfig = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="Server, CA and token or client certificate. Where it uses exec: run `marina host connect` instead.",
    )
    namespaces = forms.CharField(
        required=False, widget=UnfoldAdminTextareaWidget, help_text="Mode namespaces: those Marina may use, one a line."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["offered_to_all"].initial = True

    class Meta:
        model = HostCluster
        fields = (*FIXED, *SAID)

    def clean_namespaces(self) -> list[str]:
        """Each line's word."""
        return str(self.cleaned_data["namespaces"]).split()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            self.check(lambda: host_settings_check(settings_of(cleaned)))
        return cleaned


class HostChangeForm(_HostForm):
    """Changes what an administrator says of a host, and gives it a new credential where a file is chosen."""

    kubeconfig = forms.FileField(
        required=False, widget=UnfoldAdminFileFieldWidget, help_text="Only to replace the credential."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # all of them, also those that are as by default: what is left out stays as it is
        self.initial["required_signals"] = signals_needed(self.instance.required_signals)

    class Meta:
        model = HostCluster
        fields = (*SAID, "required_signals", "ingress_metrics")

    def clean_required_signals(self) -> dict[str, str]:
        """Kinds that the service would refuse are told at the field."""
        told = self.cleaned_data["required_signals"] or {}
        if not isinstance(told, dict):
            raise forms.ValidationError('It is no object of kinds and what each is: {"cpu": "required"}.')
        self.check(lambda: required_signals_check(told))
        return told

    def clean_ingress_metrics(self) -> dict[str, str]:
        """In full, as the service keeps it; what it would refuse is told at the field."""
        told = self.cleaned_data["ingress_metrics"] or {}
        if not isinstance(told, dict):
            raise forms.ValidationError('It is no object: {"service": "ingress-nginx/controller-metrics:10254"}.')
        self.check(lambda: ingress_metrics_told(told))
        return told

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            labels, values = cleaned["labels"] or {}, cleaned["values"] or {}
            concurrency = cleaned["concurrency"]
            self.check(lambda: host_change_check(labels=labels, values=values, concurrency=concurrency))
        return cleaned


def offered_to_all(cleaned: dict[str, Any]) -> bool:
    """What the tick says, unless the form names somebody: names count, as they do everywhere."""
    named = cleaned["offered_to_organizations"] or cleaned["offered_to_projects"]
    # the form that changes a host has no field for whose it is: there the service refuses
    return bool(cleaned["offered_to_all"]) and not named and cleaned.get("organization") is None


def settings_of(cleaned: dict[str, Any]) -> HostSettings:
    """What the connect form says."""
    return HostSettings(
        name=cleaned["name"],
        mode=cleaned["mode"],
        namespaces=tuple(cleaned["namespaces"]),
        scope=cleaned["scope"],
        organization=cleaned["organization"],
        region=cleaned["region"],
        labels=cleaned["labels"] or {},
        exposure=cleaned["exposure"],
        values=cleaned["values"] or {},
        concurrency=cleaned["concurrency"],
        offered_to_all=offered_to_all(cleaned),
        offered_to_organizations=tuple(cleaned["offered_to_organizations"]),
        offered_to_projects=tuple(cleaned["offered_to_projects"]),
    )
