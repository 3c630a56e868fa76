"""The form of a webhook: for whom it is, where it goes, and what it is told of."""

from typing import Any, Final

from django import forms

from accounts.ui.forms import PageForm
from accounts.webhook_event_types import EVENT_GROUPS, EVENT_TYPES, EVERYTHING, PING

_NAMES: Final = {EVERYTHING: "Everything", **dict.fromkeys(EVENT_GROUPS, "All of these")}

EVENT_CHOICES: Final = [
    *_NAMES.items(),
    *((name, sentence) for name, sentence in EVENT_TYPES.items() if name != PING),
]


class WebhookForm(PageForm):
    """What can be changed of one."""

    url = forms.CharField(
        label="Address",
        max_length=2000,
        help_text="An https address without name and password. Marina sends a POST with JSON there.",
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "autocapitalize": "none"}),
    )
    description = forms.CharField(
        label="What is it for?", max_length=200, required=False, help_text="Shown in lists, mails and the audit log."
    )
    events = forms.MultipleChoiceField(
        choices=EVENT_CHOICES, error_messages={"required": "Choose at least one event: else it is never told anything."}
    )

    def event_groups(self) -> list[dict[str, Any]]:
        """The events as the page shows them: a box for the whole group, and one for each of its types."""
        chosen = set(self["events"].value() or [])
        groups = []
        for group in EVENT_GROUPS:
            prefix = group.removesuffix("*")
            types = [(name, EVENT_TYPES[name], name in chosen) for name in EVENT_TYPES if name.startswith(prefix)]
            types = [each for each in types if each[0] != PING]
            count = sum(each[2] for each in types)
            groups.append({"name": group, "words": prefix.rstrip("."), "whole": group in chosen, "types": types,
                           "count": count, "open": count > 0})  # fmt: skip
        return groups

    def everything(self) -> bool:
        """Whether it is told of all there is."""
        return EVERYTHING in (self["events"].value() or [])


class WebhookNewForm(WebhookForm):
    """A new one."""

    of = forms.CharField(
        label="Of",
        max_length=200,
        help_text="An organization (acme), of all in which it is told, or one project (acme/payments).",
        widget=forms.TextInput(
            attrs={"list": "places", "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
        ),
    )
    field_order = ("of", "url", "description", "events")
