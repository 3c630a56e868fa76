"""What a host's row and a probe's answer mean for placing something there."""

from uuid import uuid4

import pytest

from clusters.models import Breaker, HostCluster
from clusters.versions import chart_support
from provisioning.host_conditions import Answer, Nodes, Offered, schedulable, version_supported

WELL = Answer(uuid4(), version="1.36.3")
REFUSED = Answer(uuid4(), code="unauthorized", why="Host east answered: Unauthorized.")


@pytest.mark.parametrize(
    ("fields", "answer", "nodes", "status", "reason", "words"),
    [
        ({}, WELL, Nodes(3, 2), "True", "TakesPlacements", ""),
        ({}, WELL, Nodes(), "True", "TakesPlacements", ""),
        ({"cordoned": True}, WELL, Nodes(3, 3), "False", "Cordoned", "cordoned"),
        ({"breaker": Breaker.OPEN}, WELL, Nodes(3, 3), "False", "DoesNotAnswer", "has not answered"),
        ({"breaker": Breaker.HALF_OPEN}, WELL, Nodes(3, 3), "True", "TakesPlacements", ""),
        ({}, REFUSED, Nodes(3, 3), "False", "CredentialRefused", "refuses Marina's credential"),
        ({}, WELL, Nodes(3, 0), "False", "NoNodeReady", "None of its 3 nodes"),
        ({}, WELL, Nodes(0, 0), "False", "NoNodeReady", "no node"),
        ({"cordoned": True, "breaker": Breaker.OPEN}, REFUSED, Nodes(3, 0), "False", "Cordoned", "cordoned"),
    ],
)
def test_a_host_takes_placements_unless_something_named_stands_in_the_way(fields, answer, nodes, status, reason, words):
    found = schedulable(HostCluster(name="east", **fields), answer, nodes)
    assert (found.status, found.reason) == (status, reason)
    assert words in found.message


@pytest.mark.parametrize(
    ("host", "versions", "status", "words"),
    [
        ("1.36.3", ["1.36.3", "1.35.4"], "True", "It can run 1.36.3, 1.35.4."),
        ("1.34.1+k3s1", ["1.36.3", "1.35.4"], "True", "It can run 1.35.4."),
        ("1.30.0", ["1.36.3", "1.35.4"], "False", "too new for this host, which has 1.30.0"),
        ("1.36.3", ["1.31.0"], "False", "1.31.0"),
        ("1.36.3", ["1.37.0"], "False", "chart 0.36.1 runs Kubernetes 1.32 to 1.36"),
        ("1.36.3", [], "False", "Marina offers no Kubernetes version."),
        ("", ["1.36.3"], "Unknown", "did not tell"),
        ("main", ["1.36.3"], "Unknown", "did not tell"),
    ],
)
def test_a_host_is_supported_when_it_can_run_at_least_one_version_that_is_offered(host, versions, status, words):
    found = version_supported(host, Offered(versions, chart_support("0.36.1", "1.32-1.36")))
    assert found.status == status
    assert words in found.message
