"""Following a rollout until nothing more happens by itself."""

from __future__ import annotations

from marina_cli.commands.rollout_views import progress_line
from marina_cli.durations import span
from marina_cli.errors import CliError, ExitCode, Stopped
from marina_cli.output import note
from marina_cli.session import Session
from marina_cli.text import Json, word

RESTS = ("Succeeded", "Completed", "Aborted", "Halted", "Paused")
FIRST_POLL, LONGEST_POLL = 0.5, 5.0


def rollout_follow(session: Session, item: Json, timeout: float | None) -> Json:
    """Says each change of its counts until it ends, is halted or paused, and nothing of it is at work.

    A server that does not answer is asked again. CliError (7) after `timeout` seconds, Stopped (130) on Ctrl-C: the
    rollout goes on.
    """
    try:
        return _poll(session, item, timeout)
    except KeyboardInterrupt:
        raise Stopped(
            "Stopped watching; the rollout goes on.",
            hint=f"Watch it again with `marina rollout watch {word(item.get('name'))}`.",
        ) from None


def _poll(session: Session, item: Json, timeout: float | None) -> Json:
    clock, pause, said = session.clock, FIRST_POLL, ""
    start = clock.monotonic()
    while True:
        if (line := progress_line(item)) != said:
            note(line)
            said, pause = line, FIRST_POLL
        if _rests(item):
            return item
        if timeout is not None and clock.monotonic() - start >= timeout:
            raise _late(item, timeout)
        clock.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL)
        item = _asked(session, item)


def _rests(item: Json) -> bool:
    counts = item.get("clusters") or {}
    return item.get("state") in RESTS and not (counts.get("running") or counts.get("soaking"))


def _asked(session: Session, item: Json) -> Json:
    try:
        return session.api.get(f"/rollouts/{item['id']}")
    except CliError as error:
        if error.exit_code != ExitCode.UNREACHABLE:
            raise
        return item


def _late(item: Json, timeout: float) -> CliError:
    name = word(item.get("name"))
    return CliError(
        f"The rollout {name} did not end within {span(timeout)}; it goes on. {progress_line(item)}.",
        hint=f"Watch it with `marina rollout watch {name}`.",
        exit_code=ExitCode.TIMED_OUT,
    )
