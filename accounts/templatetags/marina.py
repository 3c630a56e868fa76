"""Times as people read them, with the exact one behind."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

register = template.Library()


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """ "3 hours ago"; the absolute time stands in the title. Empty for none."""
    if moment is None:
        return ""
    seconds = (timezone.now() - moment).total_seconds()
    return _time(moment, "just now" if seconds < 60 else f"{timesince(moment, depth=1)} ago")


@register.filter
def ahead(moment: datetime) -> SafeString:
    """ "in 4 weeks"."""
    return _time(moment, f"in {timeuntil(moment, depth=1)}")


def _time(moment: datetime, words: str) -> SafeString:
    exact = moment.astimezone(timezone.get_current_timezone())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        f"{exact:%Y-%m-%d %H:%M %Z}",
        words,
    )
