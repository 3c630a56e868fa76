"""A version that host or chart cannot run is refused with a sentence that says why."""

import pytest

from accounts.errors import InvalidInput
from clusters.versions import (
    ChartSupport,
    KubernetesVersion,
    check_chart_can_run,
    check_host_can_run,
    kubernetes_version_resolve,
    kubernetes_versions_order,
)

SUPPORTED = ("1.35.4", "1.36.3", "1.36.0")


def version(text: str) -> KubernetesVersion:
    return KubernetesVersion.parse(text)


@pytest.mark.parametrize("text", ["1.36.3", "v1.36.3", "v1.36.3+k3s1", "v1.36.3-eks-abc1234", "1.36.3-gke.100+x"])
def test_what_hosts_report_is_read(text: str) -> None:
    assert str(version(text)) == "1.36.3"
    assert version(text).tag == "v1.36.3"
    assert version(text) == version("1.36.3")


@pytest.mark.parametrize("text", ["", "1", "1.36", "latest", "1.36.3 ", "1.36.3\n", "v1.٣.1", "1.99999.1", None])
def test_another_text_is_no_version(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        version(text)
    assert caught.value.field == "spec.kubernetes_version"


def test_versions_are_ordered_by_number_the_newest_first() -> None:
    assert [str(each) for each in kubernetes_versions_order(["1.9.1", "1.36.3", "v1.10.0", "1.36.3"])] == [
        "1.36.3",
        "1.10.0",
        "1.9.1",
    ]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [("", "1.36.3"), ("1.36.0", "1.36.0"), ("v1.35.4", "1.35.4"), ("1.36", "1.36.3"), ("v1.35", "1.35.4")],
)
def test_a_wish_is_resolved_to_a_supported_version(wanted: str, meant: str) -> None:
    assert str(kubernetes_version_resolve(wanted, supported=SUPPORTED)) == meant


@pytest.mark.parametrize("wanted", ["1.34", "1.36.9", "nonsense", "1"])
def test_another_wish_is_refused_with_the_list(wanted: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        kubernetes_version_resolve(wanted, supported=SUPPORTED)
    assert caught.value.accepted == "one of 1.36.3, 1.36.0, 1.35.4"


@pytest.mark.parametrize(("virtual", "host"), [("1.33.9", "1.34.0"), ("1.30.1", "1.36.3"), ("1.37.0", "1.35.9")])
def test_a_pair_known_to_fail_is_refused_naming_both(virtual: str, host: str) -> None:
    sentence = check_host_can_run(version(virtual), version(host))
    assert sentence is not None
    assert virtual in sentence
    assert host in sentence


@pytest.mark.parametrize(
    ("virtual", "host"), [("1.36.3", "1.36.3"), ("1.34.0", "1.36.3"), ("1.36.3", "1.35.4+k3s1"), ("1.32.0", "1.33.1")]
)
def test_any_other_pair_may_run(virtual: str, host: str) -> None:
    assert check_host_can_run(version(virtual), version(host)) is None


def test_a_chart_runs_only_its_own_range() -> None:
    chart = ChartSupport(chart_version="0.36.1", oldest=(1, 33), newest=(1, 36))
    assert check_chart_can_run(version("1.36.9"), chart) is None
    assert check_chart_can_run(version("1.33.0"), chart) is None
    assert "0.36.1 runs Kubernetes 1.33 to 1.36" in (check_chart_can_run(version("1.37.0"), chart) or "")
    assert check_chart_can_run(version("1.32.9"), chart)
