"""The way of an upgrade: never down, never over a minor nor over what host and chart can run; or why there is none."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidInput
from clusters.removed_apis import REMOVED, kinds_of, removed_between, removed_of
from clusters.upgrade_hops import next_steps
from clusters.upgrade_versions import Ground, Offer, Versions, Way, chart_parse, k3s_of
from clusters.upgrading import can_go_back, minors_of, newest_reachable, way_find
from clusters.versions import KubernetesVersion, chart_support, check_chart_can_run, check_host_can_run

KUBERNETES = ["1.33.9", "1.34.2", "1.34.9", "1.35.4", "1.36.3", "1.37.1"]
CHARTS = {"0.34.2": "1.31-1.34", "0.35.1": "1.32-1.35", "0.36.1": "1.32-1.36", "0.37.0": "1.34-1.37"}


def offer(kubernetes: list[str] = KUBERNETES, charts: dict[str, str] | None = None) -> Offer:
    said = CHARTS if charts is None else charts
    support = {version: chart_support(version, minors) for version, minors in said.items() if minors}
    return Offer.of(kubernetes, list(said), support)


def versions(text: str) -> Versions:
    kubernetes, _, chart = text.partition("/")
    return Versions.parse(kubernetes, chart or "0.36.1")


def way(has: str, wants: str, *, offered: Offer | None = None, host: str = "1.36.0", k3s: bool = False) -> Way:
    ground = Ground(host=KubernetesVersion.parse(host) if host else None, host_name="east", k3s=k3s)
    return way_find(has=versions(has), wants=versions(wants), offer=offered or offer(), ground=ground)


def told(found: Way) -> list[str]:
    assert found.refusal is None, found.refusal
    return [f"{hop.kubernetes}/{hop.chart}" for hop in found.hops]


def refused(found: Way, code: str) -> str:
    assert found.refusal is not None, told(found)
    assert found.refusal.code == code, found.refusal
    return f"{found.refusal.message} Accepted: {found.refusal.accepted}"


# --- the way ----------------------------------------------------------------------------------------------------------


def test_one_minor_is_one_hop():
    assert told(way("1.35.4", "1.36.3")) == ["1.36.3/0.36.1"]


def test_it_goes_one_minor_at_a_time_over_the_newest_patch_of_each():
    assert told(way("1.34.2", "1.36.3")) == ["1.35.4/0.36.1", "1.36.3/0.36.1"]


def test_the_last_hop_is_what_was_asked_for_though_a_newer_patch_is_offered():
    offered = offer(["1.36.9", "1.36.3", "1.35.4"])
    assert told(way("1.35.4", "1.36.3", offered=offered)) == ["1.36.3/0.36.1"]


def test_the_chart_goes_first_and_one_of_its_minors_at_a_time():
    found = told(way("1.34.2/0.34.2", "1.36.3/0.36.1"))
    assert found == ["1.34.2/0.35.1", "1.34.2/0.36.1", "1.35.4/0.36.1", "1.36.3/0.36.1"]


def test_kubernetes_goes_first_where_the_newer_chart_does_not_run_the_old_one():
    assert told(way("1.33.9/0.36.1", "1.34.9/0.37.0", host="1.33.0")) == ["1.34.9/0.36.1", "1.34.9/0.37.0"]


def test_both_go_at_once_where_the_charts_have_no_kubernetes_in_common():
    offered = offer(charts={"0.35.1": "1.34-1.35", "0.36.1": "1.36-1.37"})
    assert told(way("1.35.4/0.35.1", "1.36.3/0.36.1", offered=offered)) == ["1.36.3/0.36.1"]


def test_what_it_has_already_is_no_way_at_all():
    assert told(way("1.36.3", "1.36.3")) == []


def test_a_version_that_is_no_longer_offered_can_be_left():
    assert told(way("1.35.1", "1.35.4")) == ["1.35.4/0.36.1"]


def test_what_a_chart_runs_is_not_asked_where_nobody_has_said():
    offered = offer(charts={"0.36.1": "1.32-1.36", "0.37.0": ""})
    assert told(way("1.36.3", "1.37.1/0.37.0", offered=offered)) == ["1.36.3/0.37.0", "1.37.1/0.37.0"]


# --- why there is none ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "wants"), [("1.36.3", "1.35.4"), ("1.36.3", "1.36.1"), ("1.36.3/0.36.1", "1.36.3/0.35.1")]
)
def test_nothing_goes_down(has, wants):
    assert "never goes down" in refused(way(has, wants), "downgrade")


def test_what_would_be_down_is_told_with_what_there_is_above():
    assert "Accepted: 1.36.3, or leave it out" in refused(way("1.35.4", "1.34.9"), "downgrade")


def test_a_skipped_minor_is_told_with_the_one_that_is_missing():
    found = refused(way("1.34.2", "1.36.3", offered=offer(["1.36.3", "1.34.9"])), "skipped-minor")
    assert "1.35 comes first, and none of it is offered" in found
    assert "Accepted: Kubernetes 1.34.9" in found


def test_a_skipped_minor_of_the_chart_too():
    offered = offer(charts={"0.34.2": "", "0.36.1": ""})
    assert "0.35 comes first" in refused(way("1.34.9/0.34.2", "1.34.9/0.36.1", offered=offered), "skipped-minor")


def test_what_the_host_cannot_run_is_told_with_the_next_step_that_it_can():
    found = refused(way("1.35.4", "1.37.1/0.37.0", host="1.35.2"), "host-version")
    assert "east: Kubernetes 1.37.1 is too new for this host, which has 1.35.2: it takes up to 1.36." in found
    assert "Accepted: Kubernetes 1.36.3 or chart 0.37.0, as the next step" in found


def test_what_the_chart_cannot_run_is_told_with_the_next_step():
    assert "runs Kubernetes 1.32 to 1.36, and this is 1.37.1" in refused(way("1.36.3", "1.37.1"), "chart-support")


def test_what_is_not_offered_is_told_with_what_is():
    assert "Accepted: one of 1.36.3, 1.37.1" in refused(way("1.35.4", "1.36.9"), "not-offered")


def test_old_charts_go_the_way_that_upstream_says():
    offered = offer(charts={"0.23.0": "", "0.24.0": "", "0.25.0": ""})
    assert "goes to 0.24.2 first" in refused(way("1.34.2/0.23.0", "1.34.2/0.25.0", offered=offered), "chart-path")
    mended = offer(charts={"0.23.0": "", "0.24.2": "", "0.25.0": ""})
    assert told(way("1.34.2/0.23.0", "1.34.2/0.25.0", offered=mended)) == ["1.34.2/0.24.2", "1.34.2/0.25.0"]


def test_the_distribution_k3s_ends_with_chart_0_32():
    offered = offer(charts={"0.32.0": "", "0.33.0": ""})
    assert "distribution k3s" in refused(way("1.34.2/0.32.0", "1.34.2/0.33.0", offered=offered, k3s=True), "k3s")
    assert k3s_of({"controlPlane": {"distro": {"k3s": {"enabled": True}}}})
    assert not k3s_of({"controlPlane": {"distro": {"k8s": {"enabled": True}}}})


def test_a_version_of_the_chart_is_read_or_refused():
    assert str(chart_parse("0.36.1")) == "0.36.1"
    with pytest.raises(InvalidInput, match="no version of the chart"):
        chart_parse("newest")


# --- whatever is offered ----------------------------------------------------------------------------------------------

MINORS = st.integers(30, 39)
OFFERED = st.lists(st.builds(lambda minor, patch: f"1.{minor}.{patch}", MINORS, st.integers(0, 3)), max_size=12)
RANGES = st.tuples(MINORS, st.integers(0, 4)).map(lambda pair: f"1.{pair[0]}-1.{pair[0] + pair[1]}")
OFFERED_CHARTS = st.dictionaries(
    st.builds(lambda minor, patch: f"0.{minor}.{patch}", st.integers(30, 36), st.integers(0, 2)),
    st.just("") | RANGES,
    min_size=1,
    max_size=8,
)


@st.composite
def journeys(draw):
    """What there is, and from where to where."""
    kubernetes, charts = draw(OFFERED), draw(OFFERED_CHARTS)
    some = st.sampled_from([*kubernetes, "1.34.1"])
    has = Versions.parse(draw(some), draw(st.sampled_from(sorted(charts))))
    wants = Versions.parse(draw(some), draw(st.sampled_from(sorted(charts))))
    host = draw(st.none() | MINORS)
    ground = Ground(host=KubernetesVersion(1, host, 0) if host is not None else None)
    return has, wants, offer(kubernetes, charts), ground


@given(journeys())
def test_each_hop_is_allowed_and_the_last_is_what_was_asked_for(journey):
    has, wants, offered, ground = journey
    found = way_find(has=has, wants=wants, offer=offered, ground=ground)
    if found.refusal:
        assert found.hops == ()
        return
    assert ([has, *found.hops])[-1] == wants
    for before, after in pairwise([has, *found.hops]):
        assert before != after
        assert after.kubernetes >= before.kubernetes
        assert after.chart >= before.chart
        assert after.kubernetes.minor - before.kubernetes.minor <= 1
        assert after.chart.minor - before.chart.minor <= 1
        assert after == wants or after.kubernetes in (*offered.kubernetes, has.kubernetes)
        support = offered.support.get(after.chart)
        assert support is None or check_chart_can_run(after.kubernetes, support) is None
        if ground.host and after.kubernetes != before.kubernetes:
            assert check_host_can_run(after.kubernetes, ground.host) is None


@given(journeys())
def test_nothing_leads_down(journey):
    has, wants, offered, ground = journey
    if wants.kubernetes < has.kubernetes or wants.chart < has.chart:
        found = way_find(has=has, wants=wants, offer=offered, ground=ground)
        assert found.refusal
        assert found.refusal.code == "downgrade"


@given(journeys())
def test_every_refusal_says_of_what_and_what_would_be_accepted(journey):
    has, wants, offered, ground = journey
    refusal = way_find(has=has, wants=wants, offer=offered, ground=ground).refusal
    if refusal:
        assert refusal.field in ("kubernetes_version", "chart_version")
        assert refusal.message.endswith(".")
        assert refusal.accepted


@given(journeys())
def test_each_next_step_is_a_way_of_one_hop(journey):
    has, _, offered, ground = journey
    for step in next_steps(has=has, offer=offered, ground=ground):
        found = way_find(has=has, wants=step, offer=offered, ground=ground)
        assert found.hops == (step,)


@given(journeys())
def test_the_newest_that_is_proposed_has_a_way_to_it_and_is_never_older(journey):
    has, _, offered, ground = journey
    newest = newest_reachable(has=has, offer=offered, ground=ground)
    assert newest.kubernetes >= has.kubernetes
    assert newest.chart >= has.chart
    assert newest == has or way_find(has=has, wants=newest, offer=offered, ground=ground).refusal is None


@given(journeys())
def test_what_is_kept_of_versions_is_read_back(journey):
    has = journey[0]
    assert Versions.of_json(has.as_json()) == has


# --- back, and what is gone -------------------------------------------------------------------------------------------


def test_only_within_a_minor_there_is_a_way_back():
    assert can_go_back(versions("1.36.1"), versions("1.36.3"))
    assert not can_go_back(versions("1.35.4"), versions("1.36.3"))
    assert not can_go_back(versions("1.36.3/0.35.1"), versions("1.36.3/0.36.1"))


def test_minors_are_counted_hop_by_hop():
    hops = tuple(versions(each) for each in ("1.34.9/0.35.1", "1.35.4/0.35.1", "1.36.3/0.35.1"))
    assert minors_of(versions("1.34.2/0.35.1"), hops) == (2, 0)


def test_what_a_release_removed_is_found_between_the_minors():
    found = removed_between((1, 33), (1, 34))
    assert [each.api_version for each in found] == ["admissionregistration.k8s.io/v1beta1"]
    assert removed_between((1, 35), (1, 36)) == ()
    policy = removed_of(found, "admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy")
    assert policy
    assert policy.instead == "admissionregistration.k8s.io/v1"
    assert removed_of(found, "admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy") is None
    assert ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") in list(kinds_of(found))


def test_the_table_is_ordered_by_release_and_names_each_version_of_a_kind_once():
    assert [each.removed_in for each in REMOVED] == sorted(each.removed_in for each in REMOVED)
    named = [(each.api_version, kind) for each in REMOVED for kind in each.kinds]
    assert len(named) == len(set(named))
