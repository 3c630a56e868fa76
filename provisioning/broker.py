"""The broker's server, for the one thing besides messages that is kept there: heartbeats of workers."""

import functools

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT_SECONDS = 1.5


def broker() -> redis.Redis:
    """One pooled, thread-safe client a process, which gives up at once instead of trying again."""
    return _client(settings.CELERY_BROKER_URL)


@functools.cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
