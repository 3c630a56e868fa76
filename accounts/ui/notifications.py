"""/account/notifications: the inbox."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.access import UNSEEN
from accounts.errors import NotFound
from accounts.models import Notification
from accounts.notification_kinds import NOTIFICATION_KINDS
from accounts.notification_links import object_page
from accounts.selectors_notices import notifications_of, unread_first
from accounts.services.notifications import notification_read, notifications_read
from accounts.ui.answers import next_of, person
from accounts.ui.chips import Chip
from accounts.ui.paging import filtered, paged
from accounts.ui.refusals import refusals_shown


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """What the person was told, unread first; `?unread=1` and `?kind=` leave out the rest."""
    rows = notifications_of(person(request)).prefetch_related(None)
    shown = paged(request, unread_first(_wanted(request, rows)))
    context = {
        "list": shown,
        "notifications": [_shown(row) for row in shown.page],
        "reading": _reading_chips(request, rows),
        "kinds": _kind_chips(request, rows),
        "filtered": bool(request.GET.get("kind") or request.GET.get("unread")),
    }
    return render(request, "marina/notifications.html", context)


@login_required
@require_safe
@refusals_shown
def notification(request: HttpRequest, key: UUID) -> HttpResponse:
    """One of them, with what became of it on other channels."""
    row = _own(request, key)
    return render(request, "marina/notification.html", {**_shown(row), "deliveries": row.deliveries.all()})


@login_required
@require_POST
@refusals_shown
def notification_mark(request: HttpRequest, key: UUID) -> HttpResponse:
    """Marks one as read, or with `read=0` as new again."""
    read = request.POST.get("read") != "0"
    notification_read(notification=_own(request, key), read=read, now=timezone.now())
    return redirect(next_of(request) or "notifications")


@login_required
@require_POST
def notifications_mark(request: HttpRequest) -> HttpResponse:
    """Marks everything as read."""
    count = notifications_read(user=person(request), now=timezone.now())
    words = f"{count} notification{'' if count == 1 else 's'} marked as read." if count else "Nothing was unread."
    messages.success(request, words)
    return redirect("notifications")


def _own(request: HttpRequest, key: UUID) -> Notification:
    row = notifications_of(person(request)).filter(pk=key).first()
    if row is None:
        raise NotFound(UNSEEN)
    return row


def _shown(row: Notification) -> dict[str, Any]:
    kind = NOTIFICATION_KINDS.get(row.kind)
    return {"row": row, "title": kind.title if kind else row.kind, "page": object_page(row)}


def _wanted(request: HttpRequest, rows: QuerySet[Notification]) -> QuerySet[Notification]:
    if kind := request.GET.get("kind"):
        rows = rows.filter(kind=kind.replace("\0", ""))
    return rows.filter(read_at=None) if request.GET.get("unread") else rows


def _reading_chips(request: HttpRequest, rows: QuerySet[Notification]) -> list[Chip]:
    unread = bool(request.GET.get("unread"))
    of_kind = rows.filter(kind=request.GET["kind"].replace("\0", "")) if request.GET.get("kind") else rows
    counts = of_kind.aggregate(all=Count("pk"), unread=Count("pk", filter=Q(read_at=None)))
    return [
        Chip("All", filtered(request, unread=""), not unread, str(counts["all"])),
        Chip("Unread", filtered(request, unread=1), unread, str(counts["unread"])),
    ]


def _kind_chips(request: HttpRequest, rows: QuerySet[Notification]) -> list[Chip]:
    """Of the kinds that are in the inbox."""
    chosen = request.GET.get("kind", "")
    counts = dict(rows.order_by().values_list("kind").annotate(count=Count("pk")))
    known = [(name, kind.title) for name, kind in NOTIFICATION_KINDS.items() if name in counts]
    chips = [Chip("Every kind", filtered(request, kind=""), not chosen)]
    chips += [Chip(title, filtered(request, kind=name), name == chosen, str(counts[name])) for name, title in known]
    return chips
