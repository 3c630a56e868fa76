"""Whom the gateway lets in: by every kind of token, at the level that role, ceilings and token leave, no further."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone
from structlog.testing import capture_logs

from accounts.access import allowed
from accounts.actions_given import actions_given
from accounts.errors import Gone, MarinaError, NotAllowed, NotAuthenticated, NotFound
from accounts.models import AccessToken, ProjectUserPermission, RoleBinding
from accounts.roles import CLUSTER_ACTIONS
from accounts.services.projects import project_update
from accounts.services.role_bindings import role_binding_delete
from accounts.services.service_accounts import service_account_create, service_account_delete
from accounts.services.teams import team_update
from accounts.services.users import user_deactivate
from clusters.models import GatewayToken, VirtualCluster
from clusters.services.break_glass import break_glass, break_glass_end
from clusters.services.ceilings import kubeconfig_ceiling_set
from clusters.services.gateway_access import Caller, caller_of, callers_still
from tests.accounts.conftest import MARINA, give, person
from tests.clusters.gateway_tokens import KINDS, access_token, signed, static, token_of_kind
from tests.clusters.making import cluster_row, ready_row


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host)


def ask(text: str, cluster: VirtualCluster) -> Caller:
    return caller_of(presented=text, cluster_id=cluster.pk, now=timezone.now())


def refusal(text: str, cluster: VirtualCluster) -> MarinaError:
    with pytest.raises(MarinaError) as refused:
        ask(text, cluster)
    assert str(refused.value)
    assert text[-20:] not in f"{refused.value}{refused.value.hint}"
    return refused.value


# --- who, where, how far ----------------------------------------------------------------------------------------------

HERE = {
    "vera": "view",
    "dan": "admin",
    "ada": "admin",
    "olivia": "admin",
    "otto": NotAllowed,  # an auditor sees it
    "mia": NotFound,
    "eve": NotFound,
    "greta": NotFound,
    "op": NotFound,
    "staff": NotFound,
}
IN_ANOTHER_PROJECT = {**dict.fromkeys(HERE, NotFound), "olivia": "admin", "otto": NotAllowed}
IN_ANOTHER_ORGANIZATION = {**dict.fromkeys(HERE, NotFound), "eve": "admin", "greta": "admin"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_token_opens_what_its_user_s_role_gives(world, people, kind):
    places = ((world.payments, HERE), (world.search, IN_ANOTHER_PROJECT), (world.foreign, IN_ANOTHER_ORGANIZATION))
    for project, expected in places:
        cluster = cluster_row(world, project=project)
        for who, answer in expected.items():
            user = getattr(people, who, None) or getattr(world, who)
            text = token_of_kind(kind, user, cluster)
            if isinstance(answer, str):
                caller = ask(text, cluster)
                assert (caller.user_id, caller.level) == (user.pk, answer), (who, project)
            else:
                assert type(refusal(text, cluster)) is answer, (who, project)


def test_the_caller_is_told_as_far_as_the_gateway_has_to_know_and_without_a_secret(world, people, cluster):
    team_update(actor=MARINA, team=world.dockers, members=[people.dan])
    team_update(actor=MARINA, team=world.globex_team, members=[people.dan])
    made = access_token(people.dan)
    caller = ask(made.text, cluster)
    assert caller == Caller(
        user_id=people.dan.pk,
        handle="dan",
        name="dan",
        service_account=False,
        team_ids=(world.dockers.pk,),  # not those of another organization
        level="admin",
        token=f"mar_{made.token.prefix}",
        token_prefix=made.token.prefix,
        access_token_id=made.token.pk,
        gateway_token_id=None,
        cluster_id=cluster.pk,
        cluster_name="acme/payments/hello",
        project_id=world.payments.pk,
        organization_id=world.acme.pk,
        broken_glass=False,
        until=made.token.expires_at,
        token_until=made.token.expires_at,
    )
    row, text = static(people.dan, cluster)
    assert (ask(text, cluster).token, ask(text, cluster).gateway_token_id) == (f"mgs_{row.prefix}", row.pk)
    short = ask(signed(people.dan, cluster, source=made.token, id="abc"), cluster)
    assert (short.token, short.token_prefix) == ("mgt_abc", made.token.prefix)


def test_an_open_stream_outlives_a_short_lived_token_but_nothing_that_stands_behind_it(world, people, cluster):
    source = access_token(people.dan).token
    caller = ask(signed(people.dan, cluster, source=source), cluster)
    assert caller.until == source.expires_at
    assert caller.token_until < timezone.now() + timedelta(minutes=10)
    alone = ask(signed(people.dan, cluster), cluster)
    assert alone.until is None
    end = timezone.now() + timedelta(minutes=5)
    RoleBinding.objects.filter(user=people.dan).update(expires_at=end)
    ProjectUserPermission.objects.filter(user=people.dan).update(expires_at=end)
    for text in (signed(people.dan, cluster), access_token(people.dan).text, static(people.dan, cluster)[1]):
        assert ask(text, cluster).until == end
        assert ask(text, cluster).token_until <= end


def test_a_service_account_is_let_in_by_its_own_tokens(world, cluster):
    now = timezone.now()
    account = service_account_create(actor=MARINA, project=world.payments, name="ci", now=now)
    texts = [token_of_kind(kind, account.user, cluster) for kind in KINDS]
    for text in texts:
        caller = ask(text, cluster)
        assert (caller.service_account, caller.name) == (True, account.user.label)
    service_account_delete(actor=MARINA, account=account, now=now)
    for text in texts:
        assert isinstance(refusal(text, cluster), NotAuthenticated)


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_for_the_cluster_alone_or_of_a_team_opens_it(world, cluster, kind):
    guest, docker = person("guest"), person("docker")
    give(guest, "viewer", cluster)
    team_update(actor=MARINA, team=world.dockers, members=[docker])
    give(world.dockers, "developer", world.payments)
    assert ask(token_of_kind(kind, guest, cluster), cluster).level == "view"
    assert ask(token_of_kind(kind, docker, cluster), cluster).level == "admin"
    other = cluster_row(world, "other")
    assert isinstance(refusal(token_of_kind(kind, guest, other), other), NotFound)


def test_a_refusal_names_the_roles_and_what_is_not_there_answers_as_what_is_not_seen(world, people, cluster):
    refused = refusal(access_token(people.otto).text, cluster)
    assert "project viewer" in refused.hint
    unseen = refusal(access_token(people.eve).text, cluster)
    with pytest.raises(NotFound) as nothing:
        caller_of(presented=access_token(people.eve).text, cluster_id=uuid4(), now=timezone.now())
    assert (str(unseen), unseen.hint, unseen.code) == (str(nothing.value), nothing.value.hint, nothing.value.code)


def test_broken_glass_opens_it_and_says_so_until_it_is_mended(people, cluster):
    from accounts.services.audit import Actor

    now, actor = timezone.now(), Actor(user=people.op)
    texts = [token_of_kind(kind, people.op, cluster) for kind in KINDS]
    assert isinstance(refusal(texts[0], cluster), NotFound)
    glass = break_glass(cluster_id=cluster.pk, actor=actor, reason="OPS-17: a stuck webhook", role="viewer", now=now)
    for text in texts:
        caller = ask(text, cluster)
        assert (caller.level, caller.broken_glass, caller.until) == ("view", True, glass.expires_at)
    break_glass_end(cluster_id=cluster.pk, grant_id=glass.pk, actor=actor, now=now)
    for text in texts:
        assert isinstance(refusal(text, cluster), NotFound)


def test_a_deleted_cluster_is_told_to_who_saw_it_with_what_shows_its_namesake(people, cluster):
    VirtualCluster.objects.update(phase="Deleted", deleted_at=timezone.now())
    for who in (people.dan, people.vera, people.otto):
        gone = refusal(access_token(who).text, cluster)
        assert isinstance(gone, Gone)
        assert "marina get hello --project acme/payments" in gone.hint
    assert isinstance(refusal(access_token(people.eve).text, cluster), NotFound)


# --- what takes it away -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["role deleted", "role expired", "lowered", "other project", "deactivated", "team left"]
)
def test_whatever_takes_a_role_away_takes_effect_on_tokens_that_are_there(world, people, cluster, how):
    now, user = timezone.now(), person("leaver")
    subject = world.dockers if how == "team left" else user
    team_update(actor=MARINA, team=world.dockers, members=[user] if how == "team left" else [])
    role = give(subject, "developer", world.payments)
    texts = [token_of_kind(kind, user, cluster) for kind in KINDS]
    callers = [ask(text, cluster) for text in texts]
    assert callers_still(callers=callers, now=now) == set(callers)
    match how:
        case "role deleted":
            role_binding_delete(actor=MARINA, binding=role, now=now)
        case "role expired":  # as it is at that moment, before anybody has cleared the role away
            ProjectUserPermission.objects.filter(user=user).update(expires_at=now)
        case "lowered":
            give(user, "viewer", world.payments)
            role_binding_delete(actor=MARINA, binding=role, now=now)
        case "other project":
            VirtualCluster.objects.filter(pk=cluster.pk).update(project=world.search)
        case "deactivated":
            user_deactivate(actor=MARINA, user=user, now=now)
        case "team left":
            team_update(actor=MARINA, team=world.dockers, members=[])
    assert callers_still(callers=callers, now=now) == set(), "streams at the level that was lost are closed"
    for text in texts:
        if how == "lowered":
            assert ask(text, cluster).level == "view"
        else:
            assert isinstance(refusal(text, cluster), NotAuthenticated if how == "deactivated" else NotFound)


@pytest.mark.parametrize("whose", ["cluster", "project"])
def test_a_lowered_ceiling_lowers_tokens_that_are_there(world, people, cluster, whose):
    texts = [token_of_kind(kind, people.dan, cluster) for kind in KINDS]
    callers = {ask(text, cluster) for text in texts}
    for ceiling, level in (("view", "view"), ("none", None), ("admin", "admin")):
        if whose == "cluster":
            kubeconfig_ceiling_set(virtual_cluster=cluster, ceiling=ceiling, actor=MARINA)
        else:
            project_update(actor=MARINA, project=world.payments, kubeconfig_ceiling=ceiling)
        now = timezone.now()
        assert callers_still(callers=list(callers), now=now) == (callers if level == "admin" else set())
        for text in texts:
            if level:
                assert ask(text, cluster).level == level
            else:
                refused = refusal(text, cluster)
                assert isinstance(refused, NotAllowed)
                assert "ceiling" in str(refused)
    assert isinstance(refusal(access_token(people.eve).text, cluster), NotFound)


@pytest.mark.parametrize("kind", ["mar", "mgt", "mgs of a limited token"])
@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_an_access_token_that_ended_opens_nothing_nor_does_what_was_made_with_it(people, cluster, kind, how):
    made = access_token(people.dan, actions=("virtualcluster.kubeconfig.view",))
    texts = {
        "mar": made.text,
        "mgt": signed(people.dan, cluster, source=made.token),
        "mgs of a limited token": static(people.dan, cluster, access_token=made.token)[1],
    }
    assert ask(texts[kind], cluster).level == "view"
    column = "revoked_at" if how == "revoked" else "expires_at"
    AccessToken.objects.filter(pk=made.token.pk).update(**{column: timezone.now()})
    refused = refusal(texts[kind], cluster)
    assert isinstance(refused, NotAuthenticated)
    assert how in str(refused)


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_static_token_that_ended_opens_nothing(people, cluster, how):
    row, text = static(people.dan, cluster)
    column = "revoked_at" if how == "revoked" else "expires_at"
    GatewayToken.objects.filter(pk=row.pk).update(**{column: timezone.now()})
    refused = refusal(text, cluster)
    assert isinstance(refused, NotAuthenticated)
    assert how in str(refused)
    assert "marina kubeconfig NAME --static" in refused.hint


def test_a_static_token_outlives_the_unlimited_one_it_was_made_with(people, cluster):
    text = static(people.dan, cluster)[1]
    AccessToken.objects.update(revoked_at=timezone.now())
    assert ask(text, cluster).level == "admin"


def test_a_short_lived_token_ends_with_its_time_and_with_the_row_of_its_source(people, cluster):
    now = timezone.now()
    refused = refusal(signed(people.dan, cluster, expires_at=now - timedelta(seconds=1)), cluster)
    assert "expired" in str(refused)
    assert "run the command again" in refused.hint
    source = access_token(people.dan).token
    text = signed(people.dan, cluster, source=source)
    source.delete()
    assert isinstance(refusal(text, cluster), NotAuthenticated)
    others = signed(people.dan, cluster, source=access_token(people.ada).token)
    assert isinstance(refusal(others, cluster), NotAuthenticated), "a source of somebody else"


@pytest.mark.parametrize("kind", ["mgt", "mgs"])
def test_a_token_for_another_cluster_opens_this_one_for_nobody(world, people, cluster, kind):
    other = cluster_row(world, "other")
    text = token_of_kind(kind, people.dan, other)
    refused = refusal(text, cluster)
    assert isinstance(refused, NotAuthenticated)
    with pytest.raises(NotAuthenticated) as nowhere:
        caller_of(presented=text, cluster_id=uuid4(), now=timezone.now())
    assert str(nowhere.value) == str(refused), "it tells nothing of what is there"
    assert ask(text, other).level == "admin"


@pytest.mark.parametrize("kind", ["mgt", "mgs"])
def test_a_token_s_own_level_is_the_most_that_it_gives(people, cluster, kind):
    def made(user, level):
        return signed(user, cluster, level=level) if kind == "mgt" else static(user, cluster, level=level)[1]

    assert ask(made(people.dan, "view"), cluster).level == "view"
    assert ask(made(people.vera, "admin"), cluster).level == "view"


# --- limited tokens ---------------------------------------------------------------------------------------------------

VIEW, ADMIN = "virtualcluster.kubeconfig.view", "virtualcluster.kubeconfig.admin"


@pytest.mark.parametrize(
    ("actions", "projects", "expected"),
    [
        ((VIEW, ADMIN), (), "admin"),
        ((VIEW,), (), "view"),
        ((ADMIN,), (), "admin"),
        ((ADMIN, "virtualcluster.view"), ("payments",), "admin"),
        (("virtualcluster.view",), (), NotAllowed),
        (("virtualcluster.view", "virtualcluster.update"), ("payments",), NotAllowed),
        (("project.view",), (), NotFound),
        ((), ("payments",), "admin"),
        ((), ("search",), NotFound),
        ((VIEW, ADMIN), ("search",), NotFound),
        (("platform",), (), NotFound),
    ],
)
def test_a_limited_token_opens_what_it_leaves_whatever_is_made_of_it(
    world, people, cluster, actions, projects, expected
):
    source = access_token(people.dan, actions=actions, projects=tuple(getattr(world, each) for each in projects))
    texts = [
        source.text,
        signed(people.dan, cluster, source=source.token),
        static(people.dan, cluster, access_token=source.token)[1],
    ]
    for text in texts:
        if isinstance(expected, str):
            assert ask(text, cluster).level == expected
        else:
            assert type(refusal(text, cluster)) is expected


# --- cost and agreement -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_being_let_in_costs_three_queries(world, people, cluster, kind, django_assert_num_queries):
    for number in range(5):
        give(people.dan, "viewer", cluster_row(world, f"c-{number}"))
    team_update(actor=MARINA, team=world.dockers, members=[people.dan])
    text = token_of_kind(kind, people.dan, cluster)
    ask(text, cluster)  # notes the use, at most once a minute
    with django_assert_num_queries(3):
        ask(text, cluster)


@pytest.mark.parametrize("kind", ["mar", "mgs"])
def test_use_is_noted_once_a_minute(people, cluster, kind):
    text = token_of_kind(kind, people.dan, cluster)
    table = AccessToken if kind == "mar" else GatewayToken
    now = timezone.now()
    for seconds, noted in ((0, 0), (30, 0), (61, 61)):
        caller_of(presented=text, cluster_id=cluster.pk, now=now + timedelta(seconds=seconds))
        assert table.objects.get().last_used_at == now + timedelta(seconds=noted)


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_takes_no_notes_keeps_nobody_out(people, cluster, kind):
    text = token_of_kind(kind, people.dan, cluster)
    with transaction.atomic(), capture_logs() as lines:
        connection.cursor().execute("SET TRANSACTION READ ONLY")
        callers = [ask(text, cluster) for _ in range(2)]
        transaction.set_rollback(True)  # and with it the test's database takes notes again
    told = [line["by_token"] for line in lines if line["event"] == "the use of a token was not noted"]
    noted = 0 if kind == "mgt without a source" else 2
    assert told == [callers[0].token] * noted
    assert text[-20:] not in str(lines)


def test_roles_are_read_as_everywhere_else(world, people, host):
    now = timezone.now()
    team_update(actor=MARINA, team=world.dockers, members=[people.mia, people.vera])
    clusters = [cluster_row(world, project=each) for each in (world.payments, world.search, world.foreign)]
    give(world.dockers, "developer", clusters[1])
    give(people.eve, "viewer", clusters[0], expires_at=now + timedelta(hours=1))
    give(world.dockers, "viewer", world.search, expires_at=now + timedelta(hours=2))
    users = [*vars(people).values(), world.olivia, world.greta, world.staff]
    asked = [(user.pk, cluster) for user in users for cluster in clusters]
    found = actions_given(asked=asked, actions=CLUSTER_ACTIONS, now=now)
    for user in users:
        for cluster in clusters:
            expected = {action for action in CLUSTER_ACTIONS if allowed(user, action, cluster)}
            assert set(found[user.pk, cluster.pk]) == expected, (user, cluster)
    assert found[people.eve.pk, clusters[0].pk]["virtualcluster.view"] == now + timedelta(hours=1)
    assert found[people.vera.pk, clusters[1].pk]["virtualcluster.view"] is None, "the longest counts"
