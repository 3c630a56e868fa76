"""A hundred clusters over sixty days: who is warned, put to sleep and deleted, and when, stands in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from accounts.models import ServiceAccount, User
from accounts.services.audit import Actor
from accounts.services.projects import project_create
from accounts.services.service_accounts import service_account_create
from clusters.lifecycle.signal import SignalKind
from clusters.models import CleanupRun, LifecyclePolicy, VirtualCluster, VirtualClusterPhase
from clusters.services.cleanup_keeping import cleanup_consent, virtual_cluster_extend
from clusters.services.sleep_schedules import sleep_schedule_create
from clusters.services.sleeping import virtual_cluster_wake
from tests.accounts.conftest import MARINA, World
from tests.clusters.lifecycle.days import DAY, HOUR, Book, Days, Event, Known, told
from tests.clusters.making import cluster_row

SEASONS = {
    "autumn": datetime(2026, 9, 5, 12, tzinfo=UTC),  # clocks go back: 25 October in Berlin, 1 November in New York
    "spring": datetime(2026, 2, 14, 12, tzinfo=UTC),  # clocks go forward: 29 March in Berlin, 8 March in New York
}
"""When the sixty days begin: on Saturdays."""
DOWN = (33.5, 36.5)
"""Days on which no scheduler runs."""
EVERYTHING = {"sleep_after": 5 * 86400, "delete_after": 20 * 86400}
"""What acme wants; the platform's warnings come 7 days and 1 day before."""

SLEEPS_AND_GOES: list[Event] = [("sleep", 5), ("warn", 13), ("warn", 19), ("delete", 20)]


@dataclass(frozen=True)
class Kind:
    """So many clusters of one kind, how they are made, and what is to become of them."""

    count: int
    expected: list[Event]
    make: Callable[["Stage", str], VirtualCluster]
    owner: str = "olivia"


@dataclass
class Stage:
    """Where they live."""

    world: World
    days: Days
    robot: ServiceAccount
    personal: Any

    @property
    def start(self) -> datetime:
        """When all begins."""
        return self.days.start

    def cluster(self, name: str, **fields: Any) -> VirtualCluster:
        """Ready since the beginning, in acme, which has a policy."""
        made = cluster_row(self.world, name, phase=VirtualClusterPhase.READY, **fields)
        VirtualCluster.objects.filter(pk=made.pk).update(created_at=self.start)
        return made

    def elsewhere(self, name: str, **fields: Any) -> VirtualCluster:
        """In globex, where the platform's defaults count."""
        greta = self.world.greta
        return self.cluster(name, **{"project": self.world.foreign, "owner_user": greta, "creator": greta, **fields})

    def known(self, cluster: VirtualCluster) -> Known:
        """What is known of it."""
        return self.days.book.known[cluster.pk]

    def used(self, cluster: VirtualCluster, day: float, kind: SignalKind = SignalKind.GATEWAY_PERSON) -> None:
        """On that day; that wakes it."""
        self.known(cluster).uses.append((self.start + day * DAY, kind, "somebody"))

        def wake(now: datetime) -> None:
            fresh = VirtualCluster.objects.get(pk=cluster.pk)
            if fresh.sleeping:
                virtual_cluster_wake(virtual_cluster=fresh, actor=Actor(user=None, name="marina gateway"), now=now)

        self.days.on(day, wake)


def abandoned(stage: Stage, name: str) -> VirtualCluster:
    return stage.cluster(name)


def in_use(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.known(made).daily = True
    return made


def controllers_only(stage: Stage, name: str) -> VirtualCluster:
    """Argo CD or cert-manager write in it all the time, which is no use: the signal of changes does not move."""
    return stage.cluster(name)


def web_demo(stage: Stage, name: str) -> VirtualCluster:
    """It never sleeps, only its web pages are used, and its host reports no traffic."""
    made = stage.cluster(name)
    LifecyclePolicy.objects.create(virtual_cluster=made, never_sleep=True)
    return made


def web_demo_given_up(stage: Stage, name: str) -> VirtualCluster:
    made = web_demo(stage, name)
    stage.days.on(25, lambda now: cleanup_consent(virtual_cluster=made, actor=by(stage.world.olivia), now=now))
    return made


def web_demo_given_up_early(stage: Stage, name: str) -> VirtualCluster:
    made = web_demo(stage, name)
    stage.days.on(14, lambda now: cleanup_consent(virtual_cluster=made, actor=by(stage.world.olivia), now=now))
    return made


def web_demo_seen(stage: Stage, name: str) -> VirtualCluster:
    """Its host reports the traffic: used until day 6."""
    made = web_demo(stage, name)
    stage.known(made).ingress = True
    stage.known(made).uses.append((stage.start + 6 * DAY, SignalKind.INGRESS, ""))
    return made


def missing_signal(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.known(made).unknown = lambda kind, now: kind is SignalKind.CHANGE
    return made


def optional_signal_missing(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.known(made).unknown = lambda kind, now: kind is SignalKind.INGRESS
    return made


def signal_stuck(stage: Stage, name: str) -> VirtualCluster:
    """Nobody looked inside from day 4 to day 30."""
    made = stage.cluster(name)
    stage.known(made).stuck = (stage.start + 4 * DAY, stage.start + 30 * DAY)
    return made


def protected(stage: Stage, name: str) -> VirtualCluster:
    return stage.cluster(name, deletion_protection=True)


def protected_late(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.days.on(16, lambda now: VirtualCluster.objects.filter(pk=made.pk).update(deletion_protection=True))
    return made


def never_deleted(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    LifecyclePolicy.objects.create(virtual_cluster=made, never_delete=True)
    return made


def ends(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name, expires_at=stage.start + 15 * DAY)
    stage.known(made).daily = True
    return made


def ends_later(stage: Stage, name: str) -> VirtualCluster:
    made = ends(stage, name)
    stage.days.on(9, lambda now: extend(made, stage.world.olivia, now))
    return made


def ends_protected(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name, expires_at=stage.start + 15 * DAY, deletion_protection=True)
    stage.known(made).daily = True
    return made


def extended(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.days.on(14, lambda now: extend(made, stage.world.olivia, now))
    return made


def used_again(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.used(made, 10)
    return made


def used_after_a_warning(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.used(made, 16, SignalKind.CHANGE)
    return made


def due_while_nobody_sweeps(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.used(made, 14, SignalKind.CREDENTIAL)
    return made


def last_warning_due_while_nobody_sweeps(stage: Stage, name: str) -> VirtualCluster:
    made = stage.cluster(name)
    stage.used(made, 15, SignalKind.GATEWAY_CI)
    return made


def by_a_program(stage: Stage, name: str) -> VirtualCluster:
    return stage.elsewhere(name, creator=stage.robot.user, owner_user=stage.robot.user)


def somebodys_own(stage: Stage, name: str) -> VirtualCluster:
    return stage.elsewhere(name, project=stage.personal)


def by_the_platforms_defaults(stage: Stage, name: str) -> VirtualCluster:
    return stage.elsewhere(name)


def by(user: User) -> Actor:
    return Actor(user=user)


def extend(cluster: VirtualCluster, user: User, now: datetime) -> None:
    virtual_cluster_extend(virtual_cluster=cluster, seconds=7 * 86400, actor=by(user), now=now)


TABLE: dict[str, Kind] = {
    "in-use": Kind(8, [], in_use),
    "abandoned": Kind(10, SLEEPS_AND_GOES, abandoned),
    "argocd": Kind(4, SLEEPS_AND_GOES, controllers_only),
    "cert-manager": Kind(4, SLEEPS_AND_GOES, controllers_only),
    "web": Kind(4, [("warn", 13), ("warn", 19), ("ask", 20)], web_demo),
    "web-given-up": Kind(2, [("warn", 13), ("warn", 19), ("ask", 20), ("delete", 25)], web_demo_given_up),
    "web-given-up-early": Kind(2, [("warn", 13), ("warn", 19), ("delete", 20)], web_demo_given_up_early),
    "web-seen": Kind(2, [("warn", 19), ("warn", 25), ("delete", 26)], web_demo_seen),
    "missing": Kind(4, [], missing_signal),
    "optional-missing": Kind(4, SLEEPS_AND_GOES, optional_signal_missing),
    # known again on day 30: unused for so long that it is warned of at once, and deleted 7 days later; meanwhile nobody
    # sweeps, so the second warning comes late, and the deletion a day after that
    "stuck": Kind(4, [("warn", 30), ("sleep", 30), ("warn", 36.5), ("delete", 37.5)], signal_stuck),
    "protected": Kind(4, [("sleep", 5)], protected),
    "protected-late": Kind(2, [("sleep", 5), ("warn", 13), ("clear", 16)], protected_late),
    "never": Kind(4, [("sleep", 5)], never_deleted),
    "ends": Kind(4, [("warn", 8), ("warn", 14), ("delete", 15)], ends),
    "ends-later": Kind(2, [("warn", 8), ("warn", 15), ("warn", 21), ("delete", 22)], ends_later),
    "ends-protected": Kind(2, [], ends_protected),
    "extended": Kind(4, [("sleep", 5), ("warn", 13), ("warn", 20), ("warn", 26), ("delete", 27)], extended),
    "used-again": Kind(4, [("sleep", 5), ("sleep", 15), ("warn", 23), ("warn", 29), ("delete", 30)], used_again),
    "used-after-warning": Kind(
        4,
        [("sleep", 5), ("warn", 13), ("clear", 16), ("sleep", 21), ("warn", 29), ("warn", 36.5), ("delete", 37.5)],
        used_after_a_warning,
    ),
    "due-while-down": Kind(
        4,
        [
            ("sleep", 5),
            ("warn", 13),
            ("clear", 14),
            ("sleep", 19),
            ("warn", 27),
            ("warn", 33),
            ("warn", 36.5),
            ("delete", 37.5),
        ],
        due_while_nobody_sweeps,
    ),
    "warned-while-down": Kind(
        4,
        [("sleep", 5), ("warn", 13), ("clear", 15), ("sleep", 20), ("warn", 28), ("warn", 36.5), ("delete", 37.5)],
        last_warning_due_while_nobody_sweeps,
    ),
    "ci": Kind(6, [("sleep", 0.25), ("warn", 7), ("warn", 13), ("delete", 14)], by_a_program, owner="greta"),
    "personal": Kind(4, [("sleep", 2), ("warn", 38), ("warn", 44), ("delete", 45)], somebodys_own, owner="greta"),
    "standard": Kind(4, [("sleep", 7)], by_the_platforms_defaults, owner="greta"),
}


# --- schedules, over the nights in which clocks are turned ------------------------------------------------------------


@dataclass(frozen=True)
class Nights:
    """A schedule of Saturday nights, and when it puts to sleep and wakes, in UTC: each Sunday, or the night before it.

    `turned`: the Sunday on which clocks are turned, with its own times. None: never.
    """

    zone: str
    sleep: str
    before: tuple[str, str]
    turned: tuple[str, str, str] | None = None
    after: tuple[str, str] | None = None
    wake: str = "0 9 * * SUN"

    def wanted(self) -> dict[str, str]:
        """As a schedule says it."""
        return {"sleep_cron": self.sleep, "wake_cron": self.wake, "time_zone": self.zone}

    def times(self, sunday: date) -> tuple[datetime, datetime]:
        """When it acts then."""
        told = self.before
        if self.turned is not None and sunday >= date.fromisoformat(self.turned[0]):
            told = self.turned[1:] if sunday.isoformat() == self.turned[0] else (self.after or self.before)
        sleep, wake = (datetime.combine(sunday, time.fromisoformat(each), UTC) for each in told)
        return (sleep if sleep < wake else sleep - DAY, wake)


NIGHTS = {
    "autumn": {
        "berlin": Nights(
            "Europe/Berlin", "30 2 * * SUN", ("00:30", "07:00"), ("2026-10-25", "00:30", "08:00"), ("01:30", "08:00")
        ),
        "new-york": Nights(
            "America/New_York", "30 1 * * SUN", ("05:30", "13:00"), ("2026-11-01", "05:30", "14:00"), ("06:30", "14:00")
        ),
        "kolkata": Nights("Asia/Kolkata", "30 2 * * SUN", ("21:00", "03:30")),
    },
    "spring": {
        "berlin": Nights(
            "Europe/Berlin", "30 2 * * SUN", ("01:30", "08:00"), ("2026-03-29", "01:00", "07:00"), ("00:30", "07:00")
        ),
        "new-york": Nights(
            "America/New_York", "30 2 * * SUN", ("07:30", "14:00"), ("2026-03-08", "07:00", "13:00"), ("06:30", "13:00")
        ),
        "kolkata": Nights("Asia/Kolkata", "30 2 * * SUN", ("21:00", "03:30")),
    },
}
"""Half past two is left out when clocks go forward, and comes twice when they go back; in New York half past one."""


def nightly(nights: Nights) -> Callable[[Stage, str], VirtualCluster]:
    """Used every day, and put to sleep by its schedule all the same."""

    def make(stage: Stage, name: str) -> VirtualCluster:
        made = in_use(stage, name)
        sleep_schedule_create(scope=made, actor=MARINA, now=stage.start, wanted=nights.wanted())
        return made

    return make


def nightly_unused(nights: Nights) -> Callable[[Stage, str], VirtualCluster]:
    """Nobody uses it: what its schedule woke sleeps five days later, and no schedule wakes it any more."""

    def make(stage: Stage, name: str) -> VirtualCluster:
        made = stage.cluster(name)
        sleep_schedule_create(scope=made, actor=MARINA, now=stage.start, wanted=nights.wanted())
        return made

    return make


def nights_expected(nights: Nights, start: datetime, down: tuple[float, float], *, sundays: int = 9) -> list[Event]:
    """Each night once; of one on which nobody was there, nothing is left to do when somebody is again."""
    first = start.date() + timedelta(days=(6 - start.weekday()) % 7)
    found: list[Event] = []
    for number in range(sundays):
        for what, at in zip(("sleep", "wake"), nights.times(first + number * 7 * DAY), strict=True):
            day = round((at - start) / DAY, 3)
            if not down[0] <= day < down[1]:
                found.append((f"schedule: {what}", day))
    return found


def clock_kinds(season: str) -> dict[str, Kind]:
    """The part of the table that is about clocks."""
    start, nights = SEASONS[season], NIGHTS[season]
    kinds = {
        f"nights-{place}": Kind(2, nights_expected(each, start, DOWN), nightly(each)) for place, each in nights.items()
    }
    once = nights_expected(nights["berlin"], start, DOWN, sundays=1)
    unused: list[Event] = [*once, ("sleep", 6), ("warn", 13), ("warn", 19), ("delete", 20)]
    return {**kinds, "nights-unused": Kind(2, unused, nightly_unused(nights["berlin"]))}


@pytest.fixture
def stage(world, settings, season) -> Stage:
    start = SEASONS[season]
    settings.CLEANUP_DELETIONS_PER_RUN = settings.CLEANUP_SLEEPS_PER_RUN = 100
    LifecyclePolicy.objects.create(organization=world.acme, **EVERYTHING)
    personal = project_create(actor=MARINA, organization=world.globex, name="gretas-own")
    personal.personal_of = world.greta
    personal.save()
    robot = service_account_create(actor=by(world.greta), project=world.foreign, name="robot", now=start)
    return Stage(world, Days(start, Book(start), down=DOWN), robot, personal)


@pytest.mark.parametrize("season", ["autumn"])
def test_a_hundred_clusters_over_sixty_days_end_as_the_table_says(stage, season):
    table = {**TABLE, **clock_kinds(season)}
    assert sum(kind.count for kind in table.values()) >= 100
    as_the_table_says(stage, table, every=6 * HOUR)


@pytest.mark.parametrize("season", ["spring"])
def test_nights_over_sixty_days_in_which_clocks_go_forward_are_as_the_table_says(stage, season):
    """Only what goes by a clock on the wall: all else counts days, and ends in spring as it does in autumn."""
    as_the_table_says(stage, clock_kinds(season), every=12 * HOUR)


def as_the_table_says(stage: Stage, table: dict[str, Kind], *, every: timedelta) -> None:
    """Each ends as its kind is to, and its owner was told."""
    clusters = {
        f"{name}-{number}": (kind, kind.make(stage, f"{name}-{number}"))
        for name, kind in table.items()
        for number in range(kind.count)
    }
    stage.days.run(60, every=every)
    became = {name: (stage.days.events[name], kind.expected) for name, (kind, _) in clusters.items()}
    assert {name: each for name, each in became.items() if each[0] != each[1]} == {}
    for name, (kind, cluster) in clusters.items():
        _owner_was_told(name, kind, cluster)
    assert not CleanupRun.objects.filter(state="Running").exists()


def _owner_was_told(name: str, kind: Kind, cluster: VirtualCluster) -> None:
    warnings = [day for what, day in kind.expected if what in ("warn", "ask")]
    assert told(cluster, "cleanup-warning") == [kind.owner for _ in warnings], name
    deleted = [day for what, day in kind.expected if what == "delete"]
    assert told(cluster, "cleanup-deleted") == [kind.owner for _ in deleted], name
    for day in deleted:
        last = [each for each in warnings if each <= day]
        assert len(last) >= 2, f"{name} was deleted after {len(last)} warnings"
    fresh = VirtualCluster.objects.get(pk=cluster.pk)
    assert (fresh.phase == VirtualClusterPhase.DELETED) == bool(deleted), name


@pytest.mark.parametrize("season", SEASONS)
@pytest.mark.parametrize("place", ["berlin", "new-york"])
def test_a_night_of_turned_clocks_on_which_nobody_was_there_is_caught_up_once(world, season, place):
    """Back between its time to sleep and its time to wake: it sleeps at once, and wakes in time."""
    nights = NIGHTS[season][place]
    assert nights.turned is not None
    sleep, wake = nights.times(date.fromisoformat(nights.turned[0]))
    start = sleep - 2 * HOUR
    back = sleep + 3 * HOUR
    days = Days(start, Book(start), down=(0.01, 0.2))
    made = cluster_row(world, "hello", phase=VirtualClusterPhase.READY)
    sleep_schedule_create(scope=made, actor=MARINA, now=start, wanted=nights.wanted())
    days.run(2, every=HOUR)
    assert days.events["hello"] == [("schedule: sleep", days.day(back)), ("schedule: wake", days.day(wake))]
