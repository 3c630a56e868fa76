"""How often somebody may ask: per access token, per person where it is a session, per address where nobody signed in.

Counted by all web processes together in the shared cache, in windows of the rate's length. Where that cache does not
answer nobody is refused: a limit protects Marina, and must not take it away.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import redis
import structlog
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.api.actor import address_of
from accounts.models import User
from accounts.sign_in import Rate, place_of

log = structlog.get_logger(__name__)

_META: Final = "marina.rate"
_AWAY_SECONDS: Final = 5.0
"""How long nothing is counted after the cache did not answer, so that not every request waits for it."""
_away_until = 0.0


@dataclass(frozen=True)
class Verdict:
    """What is left of a limit, and the seconds until it begins anew."""

    limit: int
    remaining: int
    reset: int
    exceeded: bool = False


class RateThrottle(BaseThrottle):
    """REST framework's hook, before each view."""

    verdict: Verdict | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        self.verdict = rate_note(request, who=_who(request))
        return self.verdict is None or not self.verdict.exceeded

    def wait(self) -> float | None:
        return self.verdict.reset if self.verdict else None


def rate_note(request: Any, *, who: str) -> Verdict | None:
    """Counts a request; the limit that it is nearest to. None where nothing could be counted."""
    limits = [("all", settings.API_RATE)]
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        limits.append(("write", settings.API_WRITE_RATE))
    found = [verdict for kind, rate in limits if (verdict := _count(f"api:{kind}:{who}", Rate.parse(rate)))]
    verdict = min(found, key=lambda each: (not each.exceeded, each.remaining), default=None)
    request.META[_META] = verdict
    return verdict


def writes_count(request: Request, *, further: int) -> None:
    """Counts what a request for several does beyond its first. Raises Throttled where that is more than is left."""
    if further < 1:
        return
    verdict = _count(f"api:write:{_who(request)}", Rate.parse(settings.API_WRITE_RATE), times=further)
    if verdict is None:
        return
    request.META[_META] = verdict
    if verdict.exceeded:
        raise Throttled(verdict.reset)


def stranger(request: Any) -> str:
    """Whoever did not sign in, by address."""
    return f"address:{place_of(address_of(request))}"


def _who(request: Request) -> str:
    # a token of any kind has a key of its own; two of one person do not take from each other
    if (key := getattr(request.auth, "pk", None)) is not None:
        return f"token:{key}"
    return f"user:{request.user.pk}" if isinstance(request.user, User) else stranger(request)


def _count(key: str, rate: Rate, *, times: int = 1) -> Verdict | None:
    global _away_until
    now = time.time()
    if now < _away_until:
        return None
    window, passed = divmod(now, rate.seconds)
    try:
        asked = _add(f"{key}:{int(window)}", rate.seconds, times)
    except (redis.RedisError, OSError) as error:
        _away_until = now + _AWAY_SECONDS
        log.warning("requests are not counted: the broker does not answer", error=str(error))
        return None
    reset = max(1, round(rate.seconds - passed))
    return Verdict(rate.tries, max(0, rate.tries - asked), reset, exceeded=asked > rate.tries)


def _add(key: str, seconds: int, times: int) -> int:
    cache = caches["sign_in"]
    try:
        return cache.incr(key, times)
    except ValueError:  # the first of this window, or one of the first
        return times if cache.add(key, times, 2 * seconds) else cache.incr(key, times)


class RateHeadersMiddleware:
    """RateLimit-Limit, -Remaining and -Reset (seconds) on each answer to a request that was counted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        verdict: Verdict | None = request.META.get(_META)
        if verdict is not None:
            response["RateLimit-Limit"] = str(verdict.limit)
            response["RateLimit-Remaining"] = str(verdict.remaining)
            response["RateLimit-Reset"] = str(verdict.reset)
        return response
