"""Times as people read them, with the exact one behind."""

from datetime import datetime

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from accounts.models import User
from accounts.selectors_notices import unread_count

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


@register.simple_tag(takes_context=True)
def unread(context: Context) -> str:
    """How many notifications were not read: "3", "99+", or nothing. Counted once a request."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if request is None or not isinstance(user, User):
        return ""
    if not hasattr(request, "marina_unread"):
        request.marina_unread = unread_count(user)
    count: int = request.marina_unread
    return "99+" if count > 99 else str(count or "")


def _time(moment: datetime, words: str) -> SafeString:
    exact = moment.astimezone(timezone.get_current_timezone())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        f"{exact:%Y-%m-%d %H:%M %Z}",
        words,
    )
