"""What counters of ingress controllers say of which namespace, whatever their labels are."""

import pytest

from clusters.lifecycle.ingress_metrics import IngressMetrics
from provisioning.traffic_counters import NotCounters, namespaces_named, scrape_read, scrapes_merge

MINE = frozenset({"marina-hello", "marina-hello-two", "team"})
NGINX = "nginx_ingress_controller_requests"


def read(text: str, **how: str) -> dict[str, dict[str, float]]:
    metrics = IngressMetrics(service="a/b:1", **how)
    return scrapes_merge({"": scrape_read(text, metrics, namespaces=MINE)}, metrics)


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ("marina-hello", {"marina-hello"}),
        ("marina-hello-two", {"marina-hello-two"}),
        ("marina-hello-web-80@kubernetes", {"marina-hello"}),
        # it may be `web` of the one or `two-web` of the other
        ("marina-hello-two-web-80@kubernetes", {"marina-hello", "marina-hello-two"}),
        ("marina-hello_svc_http", {"marina-hello"}),
        ("httproute/marina-hello/web/rule/0", {"marina-hello"}),
        ("marina-hello.web.svc", {"marina-hello"}),
        ("marina-hellos-web-80@kubernetes", set()),
        ("kube-team-80@kubernetes", set()),
        ("", set()),
    ],
)
def test_a_namespace_is_found_in_the_names_that_controllers_make_up(told, named):
    assert namespaces_named(told, MINE) == named


def test_of_a_prometheus_the_label_that_it_kept_from_the_controller_counts():
    text = f'{NGINX}{{exported_namespace="marina-hello",namespace="ingress-nginx",pod="a"}} 3 1764150000000\n'
    assert read(text) == {"marina-hello": {"a": 3.0}}


def test_series_of_one_source_are_added_up_and_those_of_others_are_kept_apart():
    text = "".join(
        f'{NGINX}{{controller_pod="{pod}",namespace="marina-hello",status="{status}"}} {count}\n'
        for pod, status, count in (("a", 200, 3), ("a", 404, 4), ("b", 200, "1e3"))
    )
    assert read(text) == {"marina-hello": {"a": 7.0, "b": 1000.0}}


@pytest.mark.parametrize(
    ("metric", "label", "line"),
    [
        ("traefik_service_requests_total", "service", '{code="200",service="marina-hello-web-80@kubernetes"} 5'),
        ("haproxy_backend_http_requests_total", "proxy", '{proxy="marina-hello_web_80"} 5'),
        (
            "envoy_cluster_upstream_rq_total",
            "envoy_cluster_name",
            '{envoy_cluster_name="httproute/marina-hello/w/rule/0"} 5',
        ),
    ],
)
def test_other_controllers_are_read_by_the_names_of_their_metric_and_label(metric, label, line):
    assert read(f"{metric}{line}\n{metric}_other{line}\n", metric=metric, namespace_label=label) == {
        "marina-hello": {"": 5.0}
    }


def test_who_has_no_name_is_known_by_when_it_began():
    text = f'process_start_time_seconds 1.7e9\n{NGINX}{{namespace="marina-hello"}} 1\n'
    assert scrape_read(text, IngressMetrics(service="a/b:1"), namespaces=MINE).of == "1.7e9"


def test_what_two_tell_of_one_source_counts_once():
    metrics = IngressMetrics(service="a/b:1")
    both = {
        name: scrape_read(f'{NGINX}{{namespace="team",pod="p"}} {count}\n', metrics, namespaces=MINE)
        for name, count in (("one", 5), ("other", 6))
    }
    assert scrapes_merge(both, metrics) == {"team": {"p": 6.0}}


def test_requests_of_others_are_not_kept():
    assert read(f'{NGINX}{{namespace="secret-project"}} 5\n') == {}


def test_a_counter_that_is_not_there_says_nothing():
    with pytest.raises(NotCounters, match="tells nothing of"):
        read("up 1\n")
