"""From Kubernetes 1.35.4 to 1.36.3: by Marina, and by `helm upgrade` and a loop that looks until its API says so."""

import statistics
from collections.abc import Iterator
from functools import partial

from tests.bench.figures import Figure, tell
from tests.bench.moved_by_hand import ByHand
from tests.bench.places import seconds
from tests.bench.setup import Bench
from tests.bench.two_hosts import made_with, seconds_of, steps_told, two_hosts
from tests.e2e.belongings import belongings

PAIRS = 3
OLD, NEW = "1.35.4", "1.36.3"
NAMESPACES, FILLING = 20, 15
TARGET = 1.3
"""It also looks beforehand for what the new version no longer serves, and compares with before."""
TARGET_WITH_EXPORT = 1.5


def figures(bench: Bench) -> Iterator[Figure]:
    """One after the other in turns, so that both meet the same machine."""
    with two_hosts(bench) as where:
        whole, bare, theirs = [], [], []
        for number in range(PAIRS):
            upgraded, by_hand = f"upgraded-{number}", f"by-hand-{number}"
            for name in (upgraded, by_hand):
                made_with(where, name, belongings(namespaces=NAMESPACES, filling=FILLING), version=OLD)
            last = where.marina.upgrade(upgraded, to=NEW)
            whole.append(seconds_of(last))
            bare.append(seconds_of(last, without=("export-objects",)))
            theirs.append(seconds(partial(ByHand(where, by_hand).upgrade, NEW)))
            print(f"  marina {whole[-1]:.1f} s: {steps_told(last)}; by hand {theirs[-1]:.1f} s", flush=True)
            for name in (upgraded, by_hand):
                where.marina.purge(name)
        shell = statistics.median(theirs)
        told = f"helm upgrade and a loop {shell:.1f} s, medians of {PAIRS}"
        ours = statistics.median(bare)
        said = f"marina {ours:.1f} s, {told}"
        yield tell(Figure("upgrade_ratio_without_export", ours / shell, TARGET, at_most=True, said=said))
        ours = statistics.median(whole)
        said = f"marina {ours:.1f} s, {told}"
        yield tell(Figure("upgrade_ratio", ours / shell, TARGET_WITH_EXPORT, at_most=True, said=said))
