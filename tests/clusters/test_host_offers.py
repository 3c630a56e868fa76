"""To whom a host is offered: nobody gets one by being left out, and no tenant lets another onto its hardware."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import AuditEvent, Organization
from clusters.access import hosts_offered
from clusters.models import HostCluster, HostScope
from tests.accounts.conftest import give, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import host_row
from tests.clusters.test_hosts import URL, change, connect

OWN = {"scope": "organization", "organization": "acme"}
NOBODY = {"all": False, "organizations": [], "projects": []}


def offered(answer) -> dict[str, object]:
    body = answer.json()
    return dict(body.get("host_cluster", body)["offered_to"])


def to(*organizations, projects=()) -> dict[str, object]:
    return {"all": False, "organizations": list(organizations), "projects": list(projects)}


@pytest.fixture
def own(world):
    return host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)


# --- whom an organization may let onto its hosts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"organizations": ["acme", "globex"]}, "offered_to.organizations[1]"),
        ({"projects": ["acme/search", "globex/payments"]}, "offered_to.projects[1]"),
    ],
)
def test_an_admin_offers_an_own_host_to_no_other_tenant_though_they_see_it(world, own, body, field):
    give(world.olivia, "member", world.globex)
    give(world.olivia, "admin", world.foreign)
    olivia = signed_in(world.olivia)
    for answer in (change(olivia, own, offered_to=body), connect(olivia, **OWN, offered_to=body)):
        found = problem(answer, 403, "forbidden")
        assert found["errors"][0]["field"] == field
        assert found["detail"] == "You may offer this host within acme only."
        assert "platform staff" in found["hint"]
    assert HostCluster.objects.count() == 1, "nothing was connected"
    assert not hosts_offered(world.foreign).exists()
    assert not AuditEvent.objects.filter(action="host.update").exists()


def test_an_admin_offers_an_own_host_within_the_organization(world, own):
    olivia = signed_in(world.olivia)
    answer = change(olivia, own, offered_to={"organizations": ["acme"], "projects": ["acme/search"]})
    assert answer.status_code == 200, answer.content
    assert offered(answer) == to("acme", projects=["acme/search"])
    assert offered(connect(olivia, **OWN, offered_to={"projects": ["acme/search"]})) == to(projects=["acme/search"])


def test_whom_an_admin_does_not_see_is_not_even_there(world, own):
    answer = change(signed_in(world.olivia), own, offered_to={"organizations": ["globex"]})
    refused(answer, "offered_to.organizations[0]")


def test_platform_staff_offer_an_organizations_host_elsewhere(world, op, own):
    assert offered(change(op, own, offered_to={"organizations": ["globex"]})) == to("globex")
    assert list(hosts_offered(world.foreign)) == [own]


# --- whom platform staff may name -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "id"])
def test_platform_staff_name_tenants_in_which_they_have_no_role(world, op, host, by):
    acme, search = ("acme", "acme/search") if by == "name" else (str(world.acme.pk), str(world.search.pk))
    answer = change(op, host, offered_to={"organizations": [acme], "projects": [search]})
    assert answer.status_code == 200, answer.content
    assert offered(answer) == to("acme", projects=["acme/search"])
    answer = connect(op, scope="organization", organization=acme, name="theirs")
    assert answer.status_code == 202, answer.content
    assert answer.json()["host_cluster"]["organization"] == "acme"


def test_naming_a_tenant_shows_platform_staff_nothing_of_it(world, op, host):
    change(op, host, offered_to={"organizations": ["acme"]})
    for noun in ("organizations", "projects"):
        assert op.get(f"/api/v1/{noun}").json()["results"] == []
    problem(op.get(f"/api/v1/organizations/{world.acme.pk}"), 404)
    created = op.post("/api/v1/virtual-clusters", {"project": "acme/payments", "name": "x"}, "json")
    refused(created, "project")


# --- to all, to some, to nobody ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"all": True, "organizations": [], "projects": []}),
        ({"offered_to": {}}, {"all": True, "organizations": [], "projects": []}),
        ({"offered_to": {"all": True}}, {"all": True, "organizations": [], "projects": []}),
        ({"offered_to": {"all": False}}, NOBODY),
        ({"offered_to": {"organizations": ["acme"]}}, to("acme")),
        ({"offered_to": {"organizations": [], "projects": ["acme/search"]}}, to(projects=["acme/search"])),
        (OWN, NOBODY),
    ],
)
def test_a_new_host_is_offered_to_all_only_where_nobody_is_named_and_it_is_the_platforms(world, op, body, expected):
    answer = connect(op, **body)
    assert answer.status_code == 202, answer.content
    assert offered(answer) == expected


@pytest.mark.parametrize("noun", ["organizations", "projects"])
def test_naming_somebody_ends_that_all_have_it_and_taking_the_name_back_does_not_open_it(world, op, host, noun):
    named = {"organizations": ["globex"], "projects": ["globex/payments"]}[noun]
    assert offered(change(op, host, offered_to={noun: named}))["all"] is False
    assert not hosts_offered(world.payments).exists()
    assert offered(change(op, host, offered_to={noun: []})) == NOBODY
    for project in (world.payments, world.foreign):
        assert not hosts_offered(project).exists()


def test_a_host_whose_only_tenant_is_deleted_is_offered_to_nobody(world, op, host):
    other = Organization.objects.create(name="initech")
    change(op, host, offered_to={"organizations": ["initech"]})
    other.delete()
    assert offered(op.get(f"{URL}/{host.pk}")) == NOBODY
    for project in (world.payments, world.foreign):
        assert not hosts_offered(project).exists()


def test_offering_a_host_to_all_forgets_the_names(world, op, host):
    change(op, host, offered_to={"organizations": ["globex"], "projects": ["globex/payments"]})
    answer = change(op, host, offered_to={"all": True})
    assert offered(answer) == {"all": True, "organizations": [], "projects": []}
    assert list(hosts_offered(world.payments)) == [host]


def test_what_is_not_sent_stays(world, op, host):
    change(op, host, offered_to={"organizations": ["acme"], "projects": ["acme/search"]})
    assert offered(change(op, host, offered_to={"organizations": []})) == to(projects=["acme/search"])
    assert offered(change(op, host, region="eu")) == to(projects=["acme/search"])


def test_to_all_and_to_some_at_once_is_refused(world, op, host):
    both = {"all": True, "organizations": ["acme"]}
    refused(change(op, host, offered_to=both), "offered_to.all")
    refused(connect(op, "west", offered_to=both), "offered_to.all")


def test_an_organizations_own_host_is_never_offered_to_all(world, op, own):
    for client in (op, signed_in(world.olivia)):
        refused(change(client, own, offered_to={"all": True}), "offered_to.all")
        refused(connect(client, **OWN, offered_to={"all": True}), "offered_to.all")
    with pytest.raises(IntegrityError), transaction.atomic():
        HostCluster.objects.update(offered_to_all=True)


def test_each_change_of_an_offer_is_recorded(world, op, host):
    change(op, host, offered_to={"organizations": ["acme"], "projects": ["acme/search"]})
    change(op, host, offered_to={"all": True})
    first, second = AuditEvent.objects.filter(action="host.update").order_by("id")
    assert first.before == {"offered_to_all": True, "offered_to_organizations": [], "offered_to_projects": []}
    assert first.after == {
        "offered_to_all": False,
        "offered_to_organizations": ["acme"],
        "offered_to_projects": ["acme/search"],
    }
    assert (second.before, second.after) == ({"offered_to_all": False}, {"offered_to_all": True})


def test_the_admin_site_offers_as_its_form_says(world, op, host, client):
    client.force_login(world.staff, "django.contrib.auth.backends.ModelBackend")
    address = f"/admin/clusters/hostcluster/{host.pk}/change/"
    sent = {"region": "", "labels": "{}", "exposure": "None", "values": "{}"}
    assert 'name="offered_to_all"' in client.get(address).content.decode()
    client.post(address, {**sent, "offered_to_all": "on"})
    assert offered(op.get(f"{URL}/{host.pk}"))["all"] is True
    client.post(address, {**sent, "offered_to_all": "on", "offered_to_organizations": str(world.acme.pk)})
    assert offered(op.get(f"{URL}/{host.pk}")) == to("acme"), "a name counts, also beside the tick"
    client.post(address, sent)
    assert offered(op.get(f"{URL}/{host.pk}")) == NOBODY
