"""A wish for region and labels of the host, and what is told of a placement before and after it is made."""

import pytest

from clusters.models import Operation, Placement, VirtualCluster
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import host_row, ready_row
from tests.clusters.test_placing_room import sized

URL = "/api/v1/virtual-clusters"
PREVIEW = f"{URL}/placement-preview"


def create(client, **spec):
    return client.post(URL, {"project": "acme/payments", "name": "hello", "spec": spec}, "json")


def preview(client, **body):
    return client.post(PREVIEW, {"project": "acme/payments", **body}, "json")


# --- the wish ---------------------------------------------------------------------------------------------------------


def test_region_and_labels_are_kept_and_shown(world, dan):
    host_row("gpus", region="eu-west", labels={"gpu": "true", "topology.kubernetes.io/zone": "a"})
    wish = {"region": "eu-west", "host_labels": {"gpu": "true", "topology.kubernetes.io/zone": "a"}}
    answer = create(dan, **wish)
    assert answer.status_code == 202, answer.content
    spec = answer.json()["virtual_cluster"]["spec"]
    assert {key: spec[key] for key in wish} == wish
    row = VirtualCluster.objects.get()
    assert (row.wanted_region, row.wanted_host_labels) == (wish["region"], wish["host_labels"])


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"region": "x" * 61}, "spec.region"),
        ({"region": 5.5}, "spec.region"),
        ({"host_labels": {"a b": "c"}}, "spec.host_labels.a b"),
        ({"host_labels": {"gpu": "y e s"}}, "spec.host_labels.gpu"),
        ({"host_labels": {"gpu": ["true"]}}, "spec.host_labels.gpu"),
        ({"host_labels": "gpu=true"}, "spec.host_labels"),
        ({"region": "us-east"}, "spec.region"),
        ({"host_labels": {"gpu": "true"}}, "spec.host_labels"),
    ],
)
def test_a_wish_that_cannot_be_or_that_no_host_has_is_refused_by_its_field(world, host, dan, spec, field):
    refused(create(dan, **spec), field)
    assert not VirtualCluster.objects.exists()


def test_where_no_host_has_the_wish_each_one_is_told_with_its_reason(world, dan):
    host_row("east", region="us-east")
    message = refused(create(dan, region="eu-west"), "spec.region")["message"]
    assert message == "No host cluster can take it. east: It is in region us-east, not in eu-west."


def test_a_host_without_room_is_told_with_its_numbers_and_the_size_is_the_field(world, dan):
    sized("tight", cpu=(16, 16))
    assert "tight: 0 CPU free of 16, 0.22 needed." in refused(create(dan), "spec.size")["message"]


def test_the_wish_is_not_changed_once_it_is_made(world, host, people, dan):
    cluster = ready_row(world, host, wanted_region="eu-west")
    change = {"spec": {"region": "us-east"}}
    refused(dan.patch(f"{URL}/{cluster.pk}", change, "json"), "spec.region")
    refused(dan.patch(f"{URL}/{cluster.pk}", {"spec": {"host_labels": {"a": "b"}}}, "json"), "spec.host_labels")
    shown = dan.get(f"{URL}/{cluster.pk}").json()["spec"]
    assert dan.patch(f"{URL}/{cluster.pk}", {"spec": shown}, "json").status_code == 202, (
        "what is shown can be sent back"
    )


def test_why_a_host_was_chosen_is_shown_with_the_placement(world, host, dan, client):
    cluster = ready_row(world, host, wanted_region="eu-west", wanted_host_labels={"gpu": "true"})
    Placement.objects.update(why="east: the only one that fits.")
    assert dan.get(f"{URL}/{cluster.pk}").json()["placement"]["why"] == "east: the only one that fits."
    client.force_login(world.staff, "django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/admin/clusters/virtualcluster/{cluster.pk}/change/").content.decode()
    for text in ("east: the only one that fits.", "eu-west", "gpu"):
        assert text in page


# --- the preview ------------------------------------------------------------------------------------------------------


def test_a_preview_tells_the_candidates_in_order_and_each_other_host_with_its_reason_and_makes_nothing(world, dan):
    sized("busy", cpu=(16, 12))
    empty = sized("empty", cpu=(16, 2))
    sized("full", cpu=(16, 16))
    host_row("hidden", offered_to_all=False)
    answer = preview(dan)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["candidates"][0]["host"] == {"id": str(empty.pk), "name": "empty"}
    assert [(each["host"]["name"], each["why"]) for each in body["candidates"]] == [
        ("empty", "14 of 16 CPU free."),
        ("busy", "4 of 16 CPU free."),
    ]
    assert [(each["host"]["name"], each["why"]) for each in body["left_out"]] == [
        ("full", "0 CPU free of 16, 0.22 needed.")
    ]
    assert body["message"].startswith("empty: most free (14 of 16 CPU).")
    assert "hidden" not in str(body)
    assert not VirtualCluster.objects.exists()
    assert not Operation.objects.exists()


def test_a_preview_takes_the_same_wish_as_create(world, dan):
    host_row("a", region="eu-west", labels={"gpu": "true"})
    host_row("b", region="us-east")
    spec = {"region": "eu-west", "host_labels": {"gpu": "true"}, "size": "medium", "kubernetes_version": "1.35"}
    assert [each["host"]["name"] for each in preview(dan, spec=spec).json()["candidates"]] == ["a"]
    assert [each["host"]["name"] for each in preview(dan, host="b").json()["candidates"]] == ["b"]
    refused(preview(dan, spec={"size": "huge"}), "spec.size")
    refused(preview(dan, spec={"host_labels": {"a b": ""}}), "spec.host_labels.a b")
    refused(preview(dan, spec={"kubernetes_version": "1.2"}), "spec.kubernetes_version")
    refused(preview(dan, name="x"), "name")


def test_a_preview_with_no_host_that_fits_says_so_and_is_no_error(world, dan):
    host_row("east", cordoned=True)
    body = preview(dan).json()
    assert body["candidates"] == []
    assert body["message"] == "No host cluster can take it. east: It is cordoned: it takes nothing new."


@pytest.mark.parametrize("who", ["vera", "mia", "eve", "op"])
def test_a_preview_is_for_who_may_create_there(world, host, people, who):
    answer = preview(signed_in(getattr(people, who)))
    if who == "vera":
        problem(answer, 403, "forbidden")
    else:
        refused(answer, "project")


def test_a_host_that_is_seen_elsewhere_is_not_weighed_for_this_project(world, people, dan):
    elsewhere = host_row("elsewhere", offered_to_all=False)
    elsewhere.offered_to_projects.add(world.search)
    refused(preview(dan, host="elsewhere"), "host")
