"""/sign-in, the code that may come after it, /sign-out, and the start page, which sends people to their own."""

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import perform_password_login, record_authentication
from allauth.account.internal.flows.logout import logout
from allauth.account.models import Login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import platform_staff
from accounts.api.actor import actor_of
from accounts.models import User
from accounts.oidc.issuers import issuers
from accounts.services.sign_ins import sign_out_record
from accounts.stages import SecondFactorStage
from accounts.ui.answers import next_of, where_to
from accounts.ui.forms import CodeForm, SignInForm
from accounts.ui.refusals import refusal


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Platform staff go to the admin site, others to their account, strangers to the sign-in page."""
    user = request.user
    if not isinstance(user, User):
        return redirect("account_login")
    return redirect("admin:index" if platform_staff(user) else "account")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Handle and password, or a button for each issuer."""
    if request.user.is_authenticated:
        return redirect(where_to(request))
    form = SignInForm(request, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and form.user is not None:
        login = Login(user=form.user, redirect_url=next_of(request) or None)
        answer: HttpResponse = perform_password_login(request, {"username": form.user.handle}, login)
        return answer
    offered = issuers()
    page = render(request, "marina/sign_in.html", {"form": form, "issuers": offered, "next": next_of(request)})
    page.sends_on = bool(offered)  # type: ignore[attr-defined]
    return page


@login_stage_required(stage=SecondFactorStage.key, redirect_urlname="account_login")  # type: ignore[untyped-decorator]
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second factor of who has given a right password, or came from an issuer."""
    stage = request._login_stage  # type: ignore[attr-defined]
    form = CodeForm(request, stage.login.user, request.POST if request.method == "POST" else None)
    form.fields["code"].widget.attrs["autofocus"] = True
    if form.is_bound and form.is_valid():
        record_authentication(request, stage.login.user, "mfa", type=form.factor.type)
        answer: HttpResponse = stage.exit()
        return answer
    return render(request, "marina/sign_in_code.html", {"form": form})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends this session; a link only asks."""
    if request.method != "POST":
        return render(request, "marina/sign_out.html") if request.user.is_authenticated else redirect("account_login")
    if isinstance(request.user, User):
        sign_out_record(actor=actor_of(request), user=request.user)
    logout(request, show_message=False)
    messages.success(request, "You are signed out.")
    return redirect("account_login")


@require_safe
def inactive(request: HttpRequest) -> HttpResponse:
    """Where allauth sends who was deactivated in the midst of signing in."""
    return refusal(request, "You cannot sign in.", "Your user was deactivated.", status=403)


@never_cache
def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin site has no sign-in page of its own. Who is no platform staff is told so."""
    user = request.user
    if not isinstance(user, User):
        return redirect(f"/sign-in?{urlencode({'next': next_of(request) or '/admin/'})}")
    if not platform_staff(user):
        detail = f"You are signed in as {user.handle}, who is not platform staff."
        return refusal(request, "The admin site is for platform staff.", detail, status=403)
    return redirect(next_of(request) or "admin:index")
