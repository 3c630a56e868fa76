"""Offers of regions: all hosts of the platform there, also those that come later, and nobody else's."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, User
from clusters.access import hosts_offered
from clusters.models import HostScope, RegionOffer
from clusters.services.hosts import host_update
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import host_row
from tests.clusters.test_host_offers import NOBODY, offered
from tests.clusters.test_hosts import change, connect

URL = "/api/v1/region-offers"


def offer(client, region="eu-west", **to):
    return client.post(URL, {"region": region, **to}, "json")


def names(project) -> set[str]:
    return set(hosts_offered(project).values_list("name", flat=True))


def closed(name, **fields):
    """A host of the platform in eu-west, offered to nobody."""
    return host_row(name, **{"offered_to_all": False, "region": "eu-west", **fields})


# --- who gets what ----------------------------------------------------------------------------------------------------


def test_a_region_offered_to_an_organization_opens_its_platform_hosts_present_and_future(world, op):
    closed("there")
    closed("elsewhere", region="us-east")
    closed("nowhere", region="")
    closed("of-globex", scope=HostScope.ORGANIZATION, organization=world.globex)
    assert names(world.payments) == set()
    answer = offer(op, organization="acme")
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["region"], body["organization"]["name"], body["project"], body["hosts"]) == (
        "eu-west",
        "acme",
        None,
        1,
    )
    closed("later")
    for project in (world.payments, world.search):
        assert names(project) == {"there", "later"}
    assert names(world.foreign) == {"of-globex"}


def test_a_region_offered_to_a_project_opens_its_hosts_to_that_project_only(world, op):
    closed("there")
    assert offer(op, project="acme/payments").status_code == 201
    assert (names(world.payments), names(world.search), names(world.foreign)) == ({"there"}, set(), set())


def test_a_host_restricted_by_name_is_for_the_named_and_those_of_its_regions_offers(world, op):
    host = closed("there")
    offer(op, project="acme/payments")
    assert offered(change(op, host, offered_to={"organizations": ["globex"]}))["organizations"] == ["globex"]
    assert (names(world.payments), names(world.foreign), names(world.search)) == ({"there"}, {"there"}, set())


def test_a_host_that_moves_out_of_the_region_is_no_longer_offered_by_it(world, op):
    host = closed("there")
    offer(op, organization="acme")
    host_update(host=host, actor=MARINA, region="us-east")
    assert names(world.payments) == set()


def test_who_works_where_a_region_is_offered_sees_its_hosts(world, people, op):
    closed("there")
    offer(op, project="acme/payments")
    seen = {
        who: len(signed_in(getattr(people, who)).get("/api/v1/host-clusters").json()["results"])
        for who in ("dan", "mia", "eve")
    }
    assert seen == {"dan": 1, "mia": 0, "eve": 0}


def test_a_connected_host_is_offered_to_all_unless_it_is_said_otherwise(world, op):
    assert offered(connect(op))["all"] is True
    assert offered(connect(op, "west", offered_to={"all": False})) == NOBODY
    own = connect(op, "own", scope="organization", organization="acme")
    assert offered(own) == NOBODY
    assert {"east", "own"} == names(world.payments)
    assert {"east"} == names(world.foreign)


def test_a_host_tells_its_keepers_whom_its_region_is_offered_to(world, people, op):
    host = closed("there")
    offer(op, organization="acme")
    offer(op, project="globex/payments")
    assert op.get(f"/api/v1/host-clusters/{host.pk}").json()["offered_by_region"] == ["acme", "globex/payments"]
    assert signed_in(people.dan).get(f"/api/v1/host-clusters/{host.pk}").json()["offered_by_region"] is None


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["olivia", "mia"])
def test_only_platform_staff_offer_regions_and_end_that(world, people, op, who):
    client = signed_in(getattr(people, who, None) or world.olivia)
    assert "platform staff" in problem(offer(client, organization="acme"), 403, "forbidden")["detail"]
    made = offer(op, organization="acme").json()
    assert "platform staff" in problem(client.delete(f"{URL}/{made['id']}"), 403, "forbidden")["detail"]
    assert RegionOffer.objects.count() == 1


def test_whom_somebody_does_not_see_is_not_even_there(world, people, dan, op):
    refused(offer(dan, organization="globex"), "organization")
    made = offer(op, organization="globex").json()
    problem(dan.delete(f"{URL}/{made['id']}"), 404)


def test_an_offer_is_seen_by_staff_and_by_whom_it_is_for(world, people, op):
    offer(op, organization="acme")
    offer(op, project="acme/payments")
    offer(op, organization="globex")

    def seen(client) -> set[str]:
        results = client.get(URL).json()["results"]
        return {(each["organization"] or each["project"])["name"] for each in results}

    assert seen(op) == {"acme", "payments", "globex"}
    assert seen(signed_in(people.mia)) == {"acme"}
    assert seen(signed_in(people.dan)) == {"payments"}
    assert seen(signed_in(world.greta)) == {"globex"}
    assert [each["project"]["name"] for each in op.get(f"{URL}?project=acme/payments").json()["results"]] == [
        "payments"
    ]
    assert op.get(f"{URL}?region=us-east").json()["results"] == []


def test_offers_that_make_no_sense_are_refused_by_field(world, op):
    offer(op, organization="acme")
    problem(offer(op, organization="acme"), 409)
    refused(offer(op), "organization")
    refused(offer(op, organization="acme", project="acme/payments"), "organization")
    refused(offer(op, region="", organization="acme"), "region")
    refused(offer(op, region="x" * 61, organization="acme"), "region")
    refused(offer(op, organization="nobody"), "organization")
    with pytest.raises(IntegrityError), transaction.atomic():
        RegionOffer.objects.create(region="", organization=world.acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        RegionOffer.objects.create(region="eu-west", organization=world.acme, project=world.payments)
    assert RegionOffer.objects.count() == 1


def test_an_offer_that_is_ended_closes_the_region_and_both_are_recorded(world, op):
    closed("there")
    made = offer(op, project="acme/payments").json()
    assert op.delete(f"{URL}/{made['id']}").status_code == 204
    assert names(world.payments) == set()
    rows = AuditEvent.objects.filter(object_kind="region-offer").order_by("id")
    assert [row.action for row in rows] == ["region-offer.create", "region-offer.delete"]
    for row in rows:
        assert row.organization_id == world.acme.pk
        assert row.details == {"region": "eu-west", "offered_to": "acme/payments"}


def test_an_offer_goes_with_the_organization_it_was_for(world, op):
    RegionOffer.objects.create(region="eu-west", project=world.search)
    world.search.delete()
    assert not RegionOffer.objects.exists()


def test_the_list_costs_the_same_number_of_queries_with_5_and_with_50_offers(world, op):
    counts = []
    for start, end in ((0, 5), (5, 50)):
        for number in range(start, end):
            RegionOffer.objects.create(region=f"r-{number}", project=world.payments)
        with CaptureQueriesContext(connection) as captured:
            assert len(op.get(f"{URL}?page_size=200").json()["results"]) == end
        counts.append(len(captured))
    assert counts[0] >= counts[1]


def test_the_admin_site_makes_and_ends_offers_by_the_services(world, client):
    client.force_login(world.staff, "django.contrib.auth.backends.ModelBackend")
    address = "/admin/clusters/regionoffer/"
    assert client.get(f"{address}add/").status_code == 200
    client.post(f"{address}add/", {"region": "eu-west", "organization": "", "project": str(world.search.pk)})
    row = RegionOffer.objects.get()
    assert (row.region, row.project) == ("eu-west", world.search)
    assert "eu-west" in client.get(address).content.decode()
    both = {"region": "us", "organization": str(world.acme.pk), "project": str(world.search.pk)}
    assert "not both" in client.post(f"{address}add/", both).content.decode()
    client.post(f"{address}{row.pk}/delete/", {"post": "yes"})
    assert not RegionOffer.objects.exists()
    assert AuditEvent.objects.filter(object_kind="region-offer").count() == 2


# --- with no host offered ---------------------------------------------------------------------------------------------


def create(client):
    return client.post("/api/v1/virtual-clusters", {"project": "acme/payments", "name": "hello"}, "json")


def test_with_no_host_offered_create_is_refused_naming_who_can_offer_one(world, dan):
    closed("hidden")
    told = problem(create(dan), 400)
    assert told["detail"].endswith("No host cluster is offered to this project.")
    assert told["hint"] == "An admin of acme (olivia) or your platform team can offer or connect one."
    assert "hidden" not in str(told)


def test_at_most_three_admins_are_named_by_team_too_and_the_contact_is_the_settings(world, dan, settings):
    settings.PLATFORM_CONTACT = "#platform (harbor@acme.example)"
    give(person("ada2"), "admin", world.acme)
    give(person("ben"), "admin", world.acme)
    give(person("admin-of-a-project"), "admin", world.payments)
    assert "(ada2, ben and olivia) or #platform (harbor@acme.example)" in problem(create(dan), 400)["hint"]
    gone = person("gone")
    world.dockers.members.add(person("cleo"), person("zoe"), gone)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    give(world.dockers, "admin", world.acme)
    assert "(ada2, ben, cleo and 2 others) or" in problem(create(dan), 400)["hint"]
