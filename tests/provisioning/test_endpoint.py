"""The address of a virtual cluster, read off its Service."""

import pytest

from clusters.models import Exposure
from provisioning.steps.endpoint import LOCAL_ENDPOINT, address_of


def service(*ingress, annotations=None):
    return {"metadata": {"annotations": annotations or {}}, "status": {"loadBalancer": {"ingress": list(ingress)}}}


@pytest.mark.parametrize(
    ("ingress", "address"),
    [
        ([{"ip": "203.0.113.7"}], "https://203.0.113.7:443"),
        ([{"ip": "2001:db8::7"}], "https://[2001:db8::7]:443"),
        ([{"hostname": "lb.example.com", "ip": "203.0.113.7"}], "https://lb.example.com:443"),
        ([], ""),
    ],
)
def test_a_load_balancers_address_is_taken_once_it_has_one(ingress, address):
    assert address_of(service(*ingress), Exposure.LOAD_BALANCER) == address


def test_a_service_without_any_status_has_no_address_yet():
    assert address_of({"metadata": {}}, Exposure.LOAD_BALANCER) == ""
    assert address_of({"metadata": {}}, Exposure.LOCAL) == ""


def test_a_local_host_writes_the_address_on_the_service():
    found = service(annotations={LOCAL_ENDPOINT: "https://127.0.0.1:4443"})
    assert address_of(found, Exposure.LOCAL) == "https://127.0.0.1:4443"
