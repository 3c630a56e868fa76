"""What is bound to a host moves as was chosen: node ports, addresses, names, tokens; and not without a choice."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from clusters.models import Operation
from provisioning.drivers.kinds import INGRESS, SECRET, SERVICE, SERVICE_ACCOUNT, Json
from provisioning.drivers.kube import KubeClient
from provisioning.flows.migrate import MIGRATE
from tests.chosen import CHOSEN
from tests.e2e.moving_here import with_step
from tests.provisioning.moving.conftest import Wanderer
from tests.provisioning.moving.test_carrying import at_source, put, token_secret

PORTS = [{"name": "web", "port": 80, "nodePort": 30080}, {"name": "admin", "port": 81, "nodePort": 30081}]


def open_port(kube: KubeClient, ports: list[Json] = PORTS, **spec: Any) -> None:
    put(kube, SERVICE, "np", spec={"type": "NodePort", "ports": copy.deepcopy(ports), **spec})


def chosen(**choices: str) -> dict[str, str]:
    return {**CHOSEN, **{name.replace("_", "-"): option for name, option in choices.items()}}


def spec_now(wanderer: Wanderer, name: str = "np") -> Json:
    with wanderer.inside() as kube:
        found = kube.get(SERVICE, name, "shop")
    assert found is not None
    spec: Json = found["spec"]
    return spec


def numbers(wanderer: Wanderer) -> list[int | None]:
    return [port.get("nodePort") for port in spec_now(wanderer)["ports"]]


def arrived(operation: Operation, wanderer: Wanderer, where: str = "beyond") -> None:
    assert operation.state == "Succeeded", (operation.error_message, operation.message)
    assert wanderer.placements()["active"] == where


def test_node_ports_are_the_targets_own_and_those_of_before_on_the_way_back(wanderer: Wanderer) -> None:
    with wanderer.inside() as kube:
        open_port(kube)
    arrived(wanderer.move(choices=chosen(node_ports="renumber")), wanderer)
    assert numbers(wanderer) == [None, None], "what it was is not asked for"
    arrived(wanderer.move(back=True, choices=chosen(node_ports="renumber")), wanderer, "east")
    assert numbers(wanderer) == [30080, 30081]


@pytest.mark.parametrize(("option", "left"), [("keep", True), ("remove", False)])
@pytest.mark.parametrize("after", ["", "copy-objects", "look-again"])
def test_addresses_of_the_host_stay_or_go_as_was_chosen(
    wanderer: Wanderer, option: str, left: bool, after: str
) -> None:
    """Whether they were there before or came meanwhile; and what has them at the source is no other object for it."""

    def makes(kube: KubeClient) -> None:
        open_port(kube, externalIPs=["192.0.2.1"])
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "loadBalancerIP": "192.0.2.7"}
        put(kube, SERVICE, "front", spec=spec)
        inner = {"type": "ClusterIP", "externalTrafficPolicy": "Cluster", "externalIPs": ["192.0.2.1"]}
        put(kube, SERVICE, "inner", spec={**inner, "ports": [{"port": 80}]})

    if not after:
        with wanderer.inside() as kube:
            makes(kube)
    flow = with_step(MIGRATE, after, "makes", at_source(makes)) if after else MIGRATE
    arrived(wanderer.move(flow=flow, choices=chosen(addresses=option)), wanderer)
    assert ("externalIPs" in spec_now(wanderer), "loadBalancerIP" in spec_now(wanderer, "front")) == (left, left)
    assert spec_now(wanderer, "front")["type"] == "LoadBalancer"
    inner = spec_now(wanderer, "inner")
    assert ("externalIPs" in inner, "externalTrafficPolicy" in inner) == (left, left), "the second needs the first"


def test_addresses_that_are_removed_and_given_meanwhile_are_not_carried(wanderer: Wanderer) -> None:
    with wanderer.inside() as kube:
        open_port(kube, externalIPs=["192.0.2.1"])
    act = at_source(lambda kube: kube.patch_merge(SERVICE, "np", "shop", {"spec": {"externalIPs": ["192.0.2.2"]}}))
    flow = with_step(MIGRATE, "copy-changes", "gives", act)
    arrived(wanderer.move(flow=flow, choices=chosen(addresses="remove")), wanderer)
    assert "externalIPs" not in spec_now(wanderer)


def address(kube: KubeClient) -> None:
    put(kube, SERVICE, "web", spec={"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]})


def named(kube: KubeClient) -> None:
    put(kube, INGRESS, "web", spec={"rules": [{"host": "shop.example"}]})


def token(kube: KubeClient) -> None:
    put(kube, SERVICE_ACCOUNT, "robot")
    token_secret(kube, "robot")


@pytest.mark.parametrize("after", ["", "raise-revisions", "freeze-source"])
@pytest.mark.parametrize(
    ("makes", "choice", "option"),
    [
        (open_port, "node-ports", "--node-ports renumber"),
        (address, "addresses", "--addresses keep|remove"),
        (named, "names", "--names proceed"),
        (token, "tokens", "--tokens reissue"),
    ],
)
def test_without_a_choice_it_does_not_move(
    wanderer: Wanderer, makes: Callable[[KubeClient], None], choice: str, option: str, after: str
) -> None:
    """Whatever else was chosen: of what was there, of what came before the freeze, and of what came as it began."""
    if not after:
        with wanderer.inside() as kube:
            makes(kube)
    flow = with_step(MIGRATE, after, "makes", at_source(makes)) if after else MIGRATE
    choices = {name: option for name, option in CHOSEN.items() if name != choice}
    operation = wanderer.move(flow=flow, choices=choices)
    assert (operation.state, operation.error_code) == ("Failed", "needs-choice")
    assert option in operation.error_hint
    assert wanderer.placements()["active"] == "east"
    assert (wanderer.cluster.phase, wanderer.cluster.frozen_at) == ("Ready", None)


def test_a_cluster_with_nothing_bound_to_a_host_moves_without_any_choice(wanderer: Wanderer) -> None:
    with wanderer.inside() as kube:
        put(kube, SERVICE_ACCOUNT, "web")
        put(kube, SERVICE, "web", spec={"ports": [{"port": 80}]})
        put(kube, INGRESS, "web", spec={"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}})
        put(kube, SECRET, "plain", type="Opaque", stringData={"a": "b"})
    arrived(wanderer.move(choices={}), wanderer)
