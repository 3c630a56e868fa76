"""/virtual-clusters/{id}/extend: keeps a cluster that is to be deleted, with one click. Warnings lead here."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.api.actor import actor_of
from accounts.errors import MarinaError
from accounts.models import User
from accounts.ui.answers import person
from clusters.models import VirtualCluster
from clusters.selectors import virtual_clusters_list
from clusters.services.cleanup_keeping import cleanup_consent, extension_possible, virtual_cluster_extend
from clusters.services.ownership import is_owner

DAYS: Final = (7, 14, 30)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def extend(request: HttpRequest, key: UUID) -> HttpResponse:
    """Shows its date; POST with `days` keeps it for so long, with `consent` says yes to its deletion."""
    context = _shown(_seen(person(request), key))
    if request.method != "POST":
        return render(request, "marina/extend.html", context)
    try:
        done = _answer(request, context["cluster"])
    except MarinaError as error:
        context["refused"] = f"{error} {error.hint}".strip()
        return render(request, "marina/extend.html", context, status=error.status)
    context = {**_shown(_seen(person(request), key)), "done": done}
    return render(request, "marina/extend.html", context)


def _shown(cluster: VirtualCluster) -> dict[str, Any]:
    """Only what is taken is offered."""
    most = extension_possible(cluster, now=timezone.now())
    offered = [each for each in DAYS if timedelta(days=each) <= most]
    return {"cluster": cluster, "days": offered or ([most.days] if most.days else [])}


def _answer(request: HttpRequest, cluster: VirtualCluster) -> str:
    actor, now = actor_of(request), timezone.now()
    if request.POST.get("consent"):
        cleanup_consent(virtual_cluster=cluster, actor=actor, now=now)
        return "Thank you. It is deleted on its date."
    given = request.POST.get("days", "")
    days = int(given) if given.isdecimal() and len(given) < 5 else 0
    kept = virtual_cluster_extend(virtual_cluster=cluster, seconds=days * 86400, actor=actor, now=now)
    if kept.expires_at is not None:
        return f"It lives until {kept.expires_at:%Y-%m-%d %H:%M} UTC."
    return f"It is kept until {kept.kept_until:%Y-%m-%d %H:%M} UTC, used or not."


def _seen(user: User, key: UUID) -> VirtualCluster:
    found = virtual_clusters_list(user).filter(pk=key).first()
    if found is None:  # whoever owns one may have no role for it
        found = VirtualCluster.objects.select_related("project__organization").filter(pk=key).first()
        if found is None or not is_owner(user, found):
            raise Http404
    return found
