"""What the views of the pages share: who asks, and where they wanted to go."""

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.api.actor import user_of
from accounts.models import User

__all__ = ["next_of", "person", "where_to"]


def person(request: HttpRequest) -> User:
    """Who is signed in; for views that require it."""
    return user_of(request)


def next_of(request: HttpRequest) -> str:
    """The page below this site that somebody wanted before they had to sign in; empty where there is none."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    hosts, secure = {request.get_host()}, request.is_secure()
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=hosts, require_https=secure) else ""


def where_to(request: HttpRequest) -> str:
    """There, else the start page."""
    return next_of(request) or resolve_url(settings.LOGIN_REDIRECT_URL)
