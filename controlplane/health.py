"""`/livez`: this process answers. `/readyz`: what it needs answers too: database, broker, and at least one worker."""

from concurrent.futures import Future, ThreadPoolExecutor, wait

import redis
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from provisioning.heartbeat import ALIVE_SECONDS, workers_alive

OK = "ok"
DEADLINE_SECONDS = 2.0
"""An answer comes within this time, whatever hangs behind it."""

# Few threads, so that checks that hang cannot pile up; those after them are answered by the deadline.
_checks = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readyz")


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as the process serves requests: asks nobody else, so that it is not restarted for others' faults."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when all is "ok", else 503 with a sentence for each part that is not."""
    answers = {
        "database": _checks.submit(_database),
        "broker": _checks.submit(_broker),
        "worker": _checks.submit(_worker),
    }
    wait(answers.values(), timeout=DEADLINE_SECONDS)
    parts = {name: _sentence(answer) for name, answer in answers.items()}
    ready = all(sentence == OK for sentence in parts.values())
    return JsonResponse(parts, status=200 if ready else 503)


def _sentence(answer: Future[str]) -> str:
    if answer.cancel() or not answer.done():
        return f"No answer within {DEADLINE_SECONDS:.0f} s."
    return answer.result()


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"The database does not answer: {_first_line(error)}"
    finally:
        connection.close()
    return OK


def _broker() -> str:
    try:
        workers_alive()
    except (redis.RedisError, OSError) as error:
        return f"The broker does not answer: {_first_line(error)}"
    return OK


def _worker() -> str:
    try:
        if workers_alive("operations"):
            return OK
    except (redis.RedisError, OSError):
        return "Not known, as the broker does not answer."
    return f"No worker of operations has reported for {ALIVE_SECONDS} s: work is accepted, but waits until one runs."


def _first_line(error: Exception) -> str:
    """The cause in its own words; PostgreSQL adds lines of hints."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
