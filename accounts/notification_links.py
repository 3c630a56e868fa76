"""Which page shows what a notification is about: the object's own where Marina has one, else the notification's."""

from urllib.parse import urlsplit

from django.urls import Resolver404, resolve, reverse

from accounts.models import Notification


def object_page(row: Notification) -> str:
    """The path of the page of what it is about; empty where there is none to open in a browser."""
    if not row.link:
        return ""
    try:
        resolve(urlsplit(row.link).path)
    except Resolver404:
        return ""
    return row.link


def notification_page(row: Notification) -> str:
    """A path that always leads somewhere: for mails, which are opened long after they were written."""
    return object_page(row) or reverse("notification", args=[row.pk])
