"""A notification as a mail: subject, text and simple HTML, with absolute links."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.models import NotificationDelivery
from accounts.notification_kinds import kind_named
from accounts.notification_links import notification_page

_OFF: Final = "To get no more mail of this kind: marina inbox prefer {kind} mail off"
_SUBJECT_LENGTH: Final = 150


def mail_of(delivery: NotificationDelivery) -> EmailMultiAlternatives:
    """The mail for its recipient. Sent twice it carries the same Message-ID, by which mail programs show it once."""
    row = delivery.notification
    kind = kind_named(row.kind)
    public_url = settings.PUBLIC_URL.rstrip("/")
    context = {
        "title": kind.title,
        "tells": kind.tells,
        "name": row.subject_name,
        "text": row.text,
        "link": public_url + notification_page(row) if row.link else "",
        "command": row.command,
        "marina": public_url,
        "why_mail": _OFF.format(kind=kind.name),
    }
    mail = EmailMultiAlternatives(
        subject=subject_line("mail/notification.subject.txt", context),
        body=render_to_string("mail/notification.txt", context).strip() + "\n",
        to=[row.recipient.email],
        headers={
            "Message-ID": f"<{delivery.pk}@{urlsplit(public_url).hostname or 'marina'}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("mail/notification.html", context), "text/html")
    return mail


def subject_line(template: str, context: Mapping[str, Any]) -> str:
    """One line, whatever the names in it are."""
    text = " ".join(render_to_string(template, dict(context)).split())
    return text if len(text) <= _SUBJECT_LENGTH else text[: _SUBJECT_LENGTH - 3] + "..."
