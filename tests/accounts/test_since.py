"""`?since=`: what changed is told at least once, whatever the order of commits; what went, as tombstones."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Project, RoleBinding, Tombstone
from accounts.services.projects import project_create, project_delete, project_update
from accounts.services.revisions import revision_settled, revisions_tidy
from accounts.services.role_bindings import role_binding_delete
from accounts.services.teams import team_delete, team_update
from tests.accounts.conftest import MARINA, World, give, person, signed_in, world_make
from tests.accounts.following import Copy, Writer

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "UPDATE accounts_project SET display_name = %s WHERE id = %s"


@pytest.fixture
def world(transactional_db) -> World:
    return world_make()


@pytest.fixture
def writers() -> Iterator[list[Writer]]:
    made = [Writer() for _ in range(3)]
    yield made
    for writer in made:
        writer.close()


def shown(copy: Copy) -> dict[str, str]:
    return {row["id"]: row["display_name"] for row in copy.rows.values()}


def real(world: World) -> dict[str, str]:
    rows = Project.objects.filter(organization=world.acme)
    return {str(row.pk): row.display_name for row in rows}


def test_of_two_writers_that_commit_in_reverse_order_neither_is_missed(world, writers):
    copy = Copy(signed_in(world.olivia), "projects")
    first, second, _ = writers
    first.write(NAME, "of the first", world.payments.pk)
    second.write(NAME, "of the second", world.search.pk)
    second.commit()
    assert copy.ask() == [str(world.search.pk)]
    assert copy.ask() == [str(world.search.pk)], "the first is still open: nothing of it may be passed by"
    first.commit()
    assert str(world.payments.pk) in copy.ask()
    assert shown(copy) == real(world)
    assert copy.ask() == []


def test_a_list_begins_before_what_is_committed_while_it_is_read(world, writers):
    first, *_ = writers
    first.write(NAME, "late", world.payments.pk)
    copy = Copy(signed_in(world.olivia), "projects")
    assert copy.rows[str(world.payments.pk)]["display_name"] == ""
    first.commit()
    copy.ask()
    assert shown(copy) == real(world)


steps = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["write", "make", "remove", "commit", "rollback", "ask"])), max_size=30
)


@given(steps=steps, page_size=st.integers(1, 4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
def test_no_order_of_writing_and_committing_lets_a_copy_differ_in_the_end(world, writers, steps, page_size):
    for writer in writers:
        writer.rollback()  # of an example that ended early
    projects = {name: _fresh(world, name) for name in ("a-0", "a-1", "a-2", "b-0", "b-1", "b-2")}
    copy = Copy(signed_in(world.olivia), "projects")
    for number, (who, what) in enumerate(steps):
        writer = writers[who]
        # each writes rows of its own, so that none waits for another
        if what == "write":
            writer.write(NAME, f"{who} at {number}", projects[f"a-{who}"].pk)
        elif what == "make":
            writer.write(
                "INSERT INTO accounts_project"
                " (id, created_at, name, display_name, kubeconfig_ceiling, direct_kubeconfigs, organization_id)"
                " VALUES (gen_random_uuid(), now(), left(gen_random_uuid()::text, 40), 'made', 'admin', false, %s)",
                world.acme.pk,
            )
        elif what == "remove":
            writer.write("DELETE FROM accounts_project WHERE id = %s", projects[f"b-{who}"].pk)
        elif what == "ask":
            copy.ask(page_size)
        else:
            getattr(writer, what)()
    for writer in writers:
        writer.commit()
    copy.ask(page_size)
    assert shown(copy) == real(world)
    assert copy.relisted == 0


def _fresh(world: World, name: str) -> Project:
    Project.objects.filter(organization=world.acme, name=name).delete()
    return project_create(actor=MARINA, organization=world.acme, name=name)


def test_what_was_deleted_is_told_to_who_saw_it_and_to_nobody_else(world):
    acme, globex = Copy(signed_in(world.olivia), "projects"), Copy(signed_in(world.greta), "projects")
    gone = str(world.search.pk)
    project_delete(actor=MARINA, project=world.search)
    assert acme.ask() == [gone]
    assert gone not in acme.rows
    assert globex.ask() == []


def test_many_changes_of_one_transaction_come_in_pages_without_hole(world, writers):
    for number in range(9):
        project_create(actor=MARINA, organization=world.acme, name=f"p-{number}")
    copy = Copy(signed_in(world.olivia), "projects")
    writers[0].write("UPDATE accounts_project SET display_name = 'all' WHERE organization_id = %s", world.acme.pk)
    writers[0].commit()
    assert len(copy.ask(page_size=2)) == 11
    assert shown(copy) == real(world)


def test_who_is_given_or_loses_a_role_is_told_to_list_anew(world):
    vera = person("vera")
    give(vera, "viewer", world.payments)
    copy = Copy(signed_in(vera), "projects")
    give(vera, "viewer", world.search)
    copy.ask()
    assert copy.relisted == 1
    assert set(copy.rows) == {str(world.payments.pk), str(world.search.pk)}
    role_binding_delete(
        actor=MARINA, binding=RoleBinding.objects.get(user=vera, project=world.search), now=timezone.now()
    )
    copy.ask()
    assert copy.relisted == 2
    assert set(copy.rows) == {str(world.payments.pk)}


def test_a_change_of_a_teams_members_changes_their_rights_and_the_team(world):
    vera = person("vera")
    give(world.dockers, "viewer", world.payments)
    mine, teams = Copy(signed_in(vera), "projects"), Copy(signed_in(world.olivia), "teams")
    team_update(actor=MARINA, team=world.dockers, members=[vera])
    mine.ask()
    assert mine.relisted == 1
    assert teams.ask() == [str(world.dockers.pk)]
    assert teams.rows[str(world.dockers.pk)]["members"][0]["handle"] == "vera"
    gone = str(world.dockers.pk)
    team_delete(actor=MARINA, team=world.dockers)
    mine.ask()
    assert mine.rows == {}
    assert teams.ask() == [gone]


def test_another_persons_rights_are_no_reason_to_list_anew(world):
    bindings = Copy(signed_in(world.olivia), "role-bindings", "organization=acme")
    give(person("vera"), "member", world.acme)
    assert len(bindings.ask()) == 1
    assert bindings.relisted == 0


def test_what_is_shown_inside_another_is_a_change_of_it(world):
    copy = Copy(signed_in(world.olivia), "projects")
    world.acme.name = "acme-corp"
    world.acme.save()
    assert set(copy.ask()) == {str(world.payments.pk), str(world.search.pk)}
    assert {row["organization"]["name"] for row in copy.rows.values()} == {"acme-corp"}


def test_tombstones_are_forgotten_after_a_week_and_who_asks_from_before_lists_anew(world):
    copy = Copy(signed_in(world.olivia), "projects")
    before = copy.revision
    project_delete(actor=MARINA, project=world.search)
    now = timezone.now()
    assert revisions_tidy(now=now + timedelta(days=6)) == 0
    assert revisions_tidy(now=now + timedelta(days=7, seconds=1)) > 0
    assert not Tombstone.objects.exists()
    copy.ask()
    assert copy.relisted == 1
    assert copy.rows.keys() == {str(world.payments.pk)}
    assert copy.revision > before
    project_update(actor=MARINA, project=world.payments, display_name="later")
    assert copy.ask() == [str(world.payments.pk)]
    assert copy.relisted == 1


def test_a_revision_of_another_database_lists_anew_and_rows_of_it_are_put_right(world, writers):
    client = signed_in(world.olivia)
    assert client.get(f"/api/v1/projects?since={revision_settled() + 10**6}").json()["code"] == "relist"
    writers[0].write("ALTER TABLE accounts_project DISABLE TRIGGER marina_revision")
    writers[0].write("UPDATE accounts_project SET changed_in = 10000000000 WHERE id = %s", world.payments.pk)
    writers[0].write("ALTER TABLE accounts_project ENABLE TRIGGER marina_revision")
    writers[0].commit()
    revisions_tidy(now=timezone.now())
    copy = Copy(client, "projects")
    assert copy.ask() == []


@pytest.mark.parametrize("since", ["", "x", "-1", "1.5", "1.", "٣", "9" * 20, "9223372036854775808", "1.x"])
def test_a_revision_that_nobody_said_is_refused_by_name(world, since):
    answer = signed_in(world.olivia).get("/api/v1/projects", {"since": since})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "since"


def test_a_filter_by_what_may_change_cannot_be_asked_together_with_since(world):
    client = signed_in(world.olivia)
    answer = client.get("/api/v1/projects?since=1&name=payments")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "name"
    copy = Copy(client, "projects", "organization=acme")
    project_update(actor=MARINA, project=world.payments, display_name="x")
    assert copy.ask() == [str(world.payments.pk)]


def test_of_what_changed_only_the_fields_asked_for_are_told(world):
    client = signed_in(world.olivia)
    copy = Copy(client, "projects")
    project_update(actor=MARINA, project=world.payments, display_name="Pay")
    answer = client.get(f"/api/v1/projects?since={copy.revision}&fields=name").json()
    assert answer["results"] == [{"id": str(world.payments.pk), "name": "payments"}]
    assert {"deleted", "revision", "more"} < set(answer)
