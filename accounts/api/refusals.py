"""Which refused requests leave an audit row: what somebody may not do, and changes that were tried and failed."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Model
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.api.actor import actor_of
from accounts.api.dry_run import dry_run_asked
from accounts.errors import Conflict, MarinaError, NotAllowed, PreconditionFailed
from accounts.models import User
from accounts.services.audit import Actor
from accounts.services.audit_refusals import DENIED, FAILED, Attempt, audit_refused, kind_of

if TYPE_CHECKING:  # REST framework's views import modules of this package
    from rest_framework.views import APIView

_READING: Final = ("GET", "HEAD", "OPTIONS")
_VERBS: Final = {"partial_update": "update", "destroy": "delete"}
_UNEXPECTED: Final = "internal"


def request_refused(exc: Exception, *, view: "APIView | None", request: Request) -> None:
    """Records a refused request to the API, after everything that it did was undone."""
    result = _result(exc, reading=request.method in _READING or dry_run_asked(request))
    if result is not None and isinstance(getattr(request, "user", None), User):
        refusal_record(exc, actor=actor_of(request), result=result, attempt=_attempt_of(exc, view))


def item_refused(exc: MarinaError, *, request: Request, attempt: Attempt) -> None:
    """Records one item of a request for several that was refused, whatever became of the others."""
    result = _result(exc, reading=dry_run_asked(request))
    if result is not None:
        refusal_record(exc, actor=actor_of(request), result=result, attempt=attempt)


def admin_refused(exc: MarinaError, *, actor: Actor, model: type[Model], request: HttpRequest) -> None:
    """Records what a service refused to the admin site."""
    result = _result(exc, reading=False)
    if result is None:
        return
    kind, match = kind_of(model), request.resolver_match
    action = f"{kind.replace('-', '')}.{_admin_verb(request)}"
    # on a list's page the rows that were chosen there; they are done together or not at all
    key = match.kwargs.get("object_id") if match else None
    keys = [key] if key else request.POST.getlist("_selected_action")
    rows = list(model._default_manager.filter(pk__in=keys))
    for attempt in [Attempt.on(action, row) for row in rows] or [Attempt(action=action, kind=kind)]:
        refusal_record(exc, actor=actor, result=result, attempt=attempt)


def _admin_verb(request: HttpRequest) -> str:
    chosen = request.POST.get("action", "").removesuffix("_selected")
    if re.fullmatch(r"[a-z_]{1,20}", chosen):
        return chosen.replace("_", "-")
    return {"add": "create", "delete": "delete"}.get(request.path.rstrip("/").rpartition("/")[2], "update")


def refusal_record(exc: Exception, *, actor: Actor, result: str, attempt: Attempt) -> None:
    """One row. What the error itself knows of action and object goes before what the interface knows."""
    if isinstance(exc, NotAllowed):
        action = exc.action or attempt.action
        subject = exc.subject if isinstance(exc.subject, Model) else None
        attempt = Attempt.on(action, subject) if subject else replace(attempt, action=action)
    audit_refused(actor=actor, attempt=attempt, result=result, details=_details(exc, attempt))


def _result(exc: Exception, *, reading: bool) -> str | None:
    if isinstance(exc, NotAllowed):
        return DENIED
    if reading or (isinstance(exc, MarinaError) and not isinstance(exc, Conflict | PreconditionFailed)):
        return None
    return FAILED


def _attempt_of(exc: Exception, view: "APIView | None") -> Attempt:
    noun = str(getattr(view, "basename", None) or type(view).__name__)
    verb = str(getattr(view, "action", None) or "request")
    action = f"{noun.replace('-', '')}.{_VERBS.get(verb, verb.replace('_', '-'))}"
    row = getattr(view, "looked_at", None)
    if not isinstance(row, Model):
        return Attempt(action=action, kind=noun)
    # of one that was deleted, before that was undone, only the address still says the id
    key = getattr(view, "kwargs", {}).get("pk", row.pk)
    return replace(Attempt.on(action, row), object_id=str(key))


def _details(exc: Exception, attempt: Attempt) -> dict[str, Any]:
    if not isinstance(exc, MarinaError):
        return {"code": _UNEXPECTED}
    # a sentence may name things of a tenant, and rows without an organization are read by the platform's staff
    tellable = attempt.organization_id is not None or isinstance(exc, NotAllowed)
    return {"code": exc.code, **({"sentence": exc.message} if tellable else {})}
