"""Forms for schedules and policies: whose they are, and what they say in the words of the command line."""

from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.errors import InvalidInput
from clusters.lifecycle.spans import SPAN_ACCEPTED, span_read, span_text
from clusters.models import LifecyclePolicy, SleepSchedule
from clusters.services.lifecycle_policies import lifecycle_policy_check
from clusters.services.sleep_schedules import FIELDS as TIMES
from clusters.services.sleep_schedules import sleep_schedule_check

SAYS: Final = ("sleep_after", "delete_after", "warn_before", "never_sleep", "never_delete", "extension_maximum")


class OfOne(forms.ModelForm):  # type: ignore[type-arg]
    """A row of exactly one scope, which is fixed once it is made. What the service would refuse is told by field."""

    scopes: tuple[str, ...] = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.instance._state.adding and sum(bool(cleaned.get(name)) for name in self.scopes) != 1:
            self.add_error(self.scopes[0], f"Choose one of {', '.join(self.scopes)}, and not more.")
        if not self.errors:
            self._refusals(cleaned)
        return cleaned

    def _refusals(self, cleaned: dict[str, Any]) -> None:
        try:
            self.service_check(cleaned)
        except InvalidInput as error:
            told = f"{error} Accepted: {error.accepted}." if error.accepted else str(error)
            self.add_error(error.field if error.field in self.fields else None, told)

    def service_check(self, cleaned: dict[str, Any]) -> None:
        """Raises InvalidInput as the service would."""
        raise NotImplementedError

    def scope_fields(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """Whose it is, by column; of one that is there as it stands."""
        return {name: cleaned.get(name, getattr(self.instance, name)) for name in self.scopes}


class SleepScheduleForm(OfOne):
    """Of a project or a cluster."""

    scopes = ("project", "virtual_cluster")

    class Meta:
        model = SleepSchedule
        fields = ("project", "virtual_cluster", *TIMES)
        help_texts: ClassVar[dict[str, str]] = {
            "enabled": "One of a cluster that is off keeps its project's away from it."
        }

    def service_check(self, cleaned: dict[str, Any]) -> None:
        sleep_schedule_check(SleepSchedule(**{name: cleaned[name] for name in TIMES}))


class SpanField(forms.CharField):
    """Seconds, shown and typed as on the command line; empty says nothing."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, *, help_text: str) -> None:
        super().__init__(required=False, help_text=help_text)

    def prepare_value(self, value: Any) -> Any:
        return span_text(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        return _read(value) if value not in (None, "") else None


class SpansField(SpanField):
    """Several of them, with commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(span_text, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [_read(each) for each in value.split(",")] if value not in (None, "") else None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


def _read(text: str) -> int:
    try:
        return span_read(text, field="")
    except InvalidInput as error:
        raise ValidationError(f"{error} Accepted: {SPAN_ACCEPTED}.") from None


class NeverField(forms.TypedChoiceField):
    """Never, it may, or nothing said."""

    widget = UnfoldAdminSelectWidget

    def __init__(self, *, help_text: str) -> None:
        choices = (("", "says nothing"), ("True", "never"), ("False", "it may"))
        super().__init__(
            choices=choices,
            coerce=lambda value: value == "True",
            empty_value=None,
            required=False,
            help_text=help_text,
        )


class LifecyclePolicyForm(OfOne):
    """Of an organization, a project or a cluster."""

    scopes = ("organization", "project", "virtual_cluster")
    sleep_after = SpanField(help_text="Without use, such as 3d. Empty: the wider scope counts.")
    delete_after = SpanField(help_text="Without use, such as 60d; asleep is unused.")
    warn_before = SpansField(help_text="Before a deletion, such as 7d, 1d; at least two.")
    never_sleep = NeverField(help_text="For lack of use.")
    never_delete = NeverField(help_text="For lack of use; a lifetime ends all the same.")
    extension_maximum = SpanField(
        help_text="How far from now an extension reaches, and by how much in all a lifetime is made longer. Not of a "
        "cluster."
    )

    class Meta:
        model = LifecyclePolicy
        fields = ("organization", "project", "virtual_cluster", *SAYS)

    def service_check(self, cleaned: dict[str, Any]) -> None:
        says = {name: cleaned[name] for name in SAYS}
        lifecycle_policy_check(LifecyclePolicy(**self.scope_fields(cleaned)), says)
