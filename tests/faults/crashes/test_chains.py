"""How places are put together in cases in which one worker after the other is killed."""

from tests.faults.crashes.chains import Spot, chains_of, spots_of
from tests.faults.crashes.workers import HELM, Place, recorded

RECORD = """\
step.before look
step.after look
step.before make
kube.apply
kube.apply
step.after make
step.before wait
step.after wait
step.before wait
step.after wait
"""
STEPS = ["look", "make", "wait"]


def test_what_a_thread_passes_is_of_the_step_that_was_begun_before():
    assert [place.step for place in recorded(RECORD)][2:6] == ["make"] * 4


def test_a_step_that_waited_has_its_places_once_more():
    spots = spots_of([*recorded(RECORD), Place(HELM, 1)], STEPS)
    assert list(spots.values())[-2:] == [Spot(2, "step.before", 2), Spot(2, "step.after", 2)]
    assert len(spots) == 10, "helm's requests are of no step"


def test_each_place_is_in_one_case_and_no_case_kills_twice_in_a_step():
    spots = list(spots_of(recorded(RECORD), STEPS).values())
    chains = chains_of(spots)
    assert sorted(map(str, (spot for chain in chains for spot in chain))) == sorted(map(str, spots))
    for chain in chains:
        steps = [spot.index for spot in chain]
        assert steps == sorted(set(steps))
    assert len(chains) == 4, "as many as the longest step has places"


def test_who_begins_with_a_later_step_passes_fewer_places_before():
    spots = spots_of(recorded(RECORD), STEPS)
    wait_ends = Spot(2, "step.after", 1)
    assert wait_ends.place_from(0, spots) == Place("step.after", 3)
    assert wait_ends.place_from(1, spots) == Place("step.after", 2)
    assert wait_ends.place_from(2, spots) == Place("step.after", 1)
