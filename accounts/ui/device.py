"""/device: a person who is signed in allows or denies what a program on another device asks for."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.api.actor import actor_of, address_of
from accounts.device_codes import user_code_read
from accounts.errors import NotFound
from accounts.services.device_logins import device_login_decide, device_login_waiting
from accounts.sign_in import code_count
from accounts.ui.answers import person
from accounts.ui.forms import DeviceForm, too_many


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def device(request: HttpRequest) -> HttpResponse:
    """Asks for the code, then shows who asks and what for; POST with `answer` decides."""
    given = request.POST if request.method == "POST" else request.GET if "code" in request.GET else None
    form = DeviceForm(given)
    if given is None or not form.is_valid():
        return render(request, "marina/device.html", {"form": form})
    code, now = user_code_read(form.cleaned_data["code"]), timezone.now()
    if wait := code_count(handle=person(request).handle, address=address_of(request)):
        form.add_error("code", too_many(wait))
        return render(request, "marina/device.html", {"form": form}, status=429)
    answer = request.POST.get("answer")
    try:
        if answer in ("allow", "deny"):
            login = device_login_decide(
                actor=actor_of(request), user=person(request), user_code=code, allow=answer == "allow", now=now
            )
            return render(request, "marina/device_done.html", {"login": login, "allowed": answer == "allow"})
        login = device_login_waiting(user_code=code, now=now)
    except NotFound as error:
        form.add_error("code", f"{error} {error.hint}")
        return render(request, "marina/device.html", {"form": form})
    seconds = login.token_seconds or settings.ACCESS_TOKEN_DEFAULT_SECONDS
    context = {"login": login, "code": code, "days": round(seconds / 86400, 1), "here": address_of(request)}
    return render(request, "marina/device_confirm.html", context)
