"""What is taken away ends at the gateway within seconds: in open watches, and for whatever is asked next."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.demo_people import DemoPeople
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import Tools
from tests.canaries import canary
from tests.commands import Kubectl
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.gate import Gate, Said
from tests.e2e.watching import Watch

WITHIN_SECONDS = 5.0
"""What is promised."""
MAKE_PEOPLE = """
import json
from accounts.services.users import user_create
from controlplane.management.commands.demo_data import ACTOR
for handle, password in json.loads({people!r}):
    user_create(actor=ACTOR, handle=handle, password=password)
"""
SIGN = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
from clusters.gateway_tokens import SignedToken
for seconds in {seconds!r}:
    now = timezone.now()
    print(SignedToken(
        id="e2e", user_id=User.objects.get(handle={handle!r}).pk, cluster_id={cluster!r}, level="admin",
        access_token_id=None, issued_at=now, expires_at=now + timedelta(seconds=seconds),
    ).written())
"""
SECRETS = "/api/v1/namespaces/default/secrets"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
MARINAS_BINDINGS = "clusterrolebinding/marina:level:admin"


@pytest.fixture(scope="module")
def gate(stack: Stack) -> Gate:
    return Gate.of(stack)


@pytest.fixture(scope="module")
def admin(stack: Stack, people: DemoPeople) -> Api:
    return Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)


@pytest.fixture(scope="module")
def strangers(stack: Stack) -> Iterator[Api]:
    """People without any role yet, one after the other."""
    names = [(f"guest-{secrets.token_hex(3)}", secrets.token_urlsafe(15)) for _ in range(12)]
    stack.manage("shell", "-c", MAKE_PEOPLE.format(people=json.dumps(names)))
    return (Api(server=stack.url, handle=handle, password=password) for handle, password in names)


@pytest.fixture(scope="module")
def hidden(developer: Api, home: TestHost, project: str) -> Iterator[Json]:
    """A cluster that is published nowhere: a port-forward is the only way."""
    developer.ended(developer.create("hidden", project=project, host=home.name, spec={"exposure": "None"}), seconds=240)
    yield developer.cluster("hidden")
    developer.ended(developer.delete("hidden"), seconds=240)


@pytest.fixture(params=["published", "published nowhere"])
def cluster(request: pytest.FixtureRequest, shared: Json, hidden: Json) -> Json:
    if request.param == "published" and not shared["placement"]["endpoint"]:
        pytest.skip("this host publishes nothing")
    return shared if request.param == "published" else hidden


@pytest.fixture
def guest(strangers: Iterator[Api], admin: Api, project: str) -> tuple[Api, Json]:
    """A developer of the project, and what made them one."""
    api = next(strangers)
    body = {"user": api.handle, "role": "developer", "project": project}
    return api, admin("POST", "/role-bindings", body, status=201)


Ends = Callable[[str, Json, str, Callable[[], object]], Said]


@pytest.fixture
def ends(gate: Gate, tell: Callable[[str], None]) -> Ends:
    """Takes something away while a watch is open, and sees both end in time; the last answer."""

    def see(what: str, cluster: Json, token: str, take: Callable[[], object]) -> Said:
        with ExitStack() as opened:
            watches = [opened.enter_context(Watch(gate, cluster, token)) for _ in range(3)]
            take()
            took = time.monotonic()
            answers = [asked(gate, cluster, token)]
            while answers[-1].status in (0, 200) and time.monotonic() - took < 2 * WITHIN_SECONDS:
                answers.append(asked(gate, cluster, token))
            refused = time.monotonic() - took
            for watch in watches:
                watch.until_ended(seconds=2 * WITHIN_SECONDS)
            ended = time.monotonic() - took
        tell(f"gateway: {what}: refused after {refused:.1f} s, open watches ended after {ended:.1f} s")
        assert answers[-1].status in (401, 403, 404, 410), answers[-1]
        assert max(refused, ended) < WITHIN_SECONDS
        return answers[-1]

    return see


def asked(gate: Gate, cluster: Json, token: str, path: str = CONFIG_MAPS) -> Said:
    return gate.say(gate.head(cluster, token, "Connection: close", path=path))


def test_a_token_that_is_revoked_ends_its_watches(
    cluster: Json, stack: Stack, guest: tuple[Api, Json], ends: Ends
) -> None:
    api, _ = guest
    made = api("POST", "/access-tokens", {"name": "lost"}, status=201)
    token = canary(made["token"], "a token to be revoked")
    answer = ends("token revoked", cluster, token, lambda: api("DELETE", f"/access-tokens/{made['id']}", status=204))
    assert answer.status == 401


def test_a_role_that_is_taken_ends_its_watches(cluster: Json, admin: Api, guest: tuple[Api, Json], ends: Ends) -> None:
    api, role = guest
    answer = ends("role taken", cluster, api.token, lambda: admin("DELETE", f"/role-bindings/{role['id']}", status=204))
    assert answer.status == 404, "who has no role sees no cluster"


def test_a_user_who_is_deactivated_is_out(hidden: Json, guest: tuple[Api, Json], ends: Ends, database) -> None:
    api, _ = guest
    leave = "UPDATE accounts_user SET is_active = false WHERE handle = %s"
    answer = ends("user deactivated", hidden, api.token, lambda: database.execute(leave, [api.handle]))
    assert answer.status == 401


def test_a_ceiling_that_is_lowered_ends_what_is_above_it_and_leaves_the_rest(
    hidden: Json, admin: Api, viewer: Api, guest: tuple[Api, Json], gate: Gate, tell: Callable[[str], None]
) -> None:
    api, _ = guest
    # not the shared one: a lower ceiling ends everybody's direct kubeconfigs too, those of other tests among them
    path = f"/virtual-clusters/{hidden['id']}"
    assert asked(gate, hidden, api.token, SECRETS).status == 200
    with Watch(gate, hidden, api.token) as above, Watch(gate, hidden, viewer.token) as below:
        admin("PATCH", path, {"kubeconfig_ceiling": "view"})
        try:
            took = above.until_ended(seconds=2 * WITHIN_SECONDS)
            tell(f"gateway: ceiling lowered: open watches above it ended after {took:.1f} s")
            assert took < WITHIN_SECONDS
            assert asked(gate, hidden, api.token, SECRETS).status == 403
            assert asked(gate, hidden, api.token).status == 200, "the level view is left"
            with pytest.raises(AssertionError, match="still open"):
                below.until_ended(seconds=1)
        finally:
            admin("PATCH", path, {"kubeconfig_ceiling": "admin"})
    wait_until(
        lambda: asked(gate, hidden, api.token, SECRETS).status == 200, seconds=20, what="The level did not come back"
    )


def test_a_viewer_reads_all_but_secrets_and_changes_nothing(
    cluster: Json, gate: Gate, viewer: Api, developer: Api, tools: Tools, tmp_path: Path
) -> None:
    look = Kubectl(tools.kubectl, gate.kubeconfig(tmp_path, cluster, viewer.token))
    assert "marina:level:view" in look("auth", "whoami", "-o", "json").json["status"]["userInfo"]["groups"]
    look("get", "configmaps", "-A")
    assert "orbidden" in look("get", "secrets", exit_code=1).stderr
    assert "orbidden" in look("create", "configmap", "x", exit_code=1).stderr
    may = Kubectl(tools.kubectl, gate.kubeconfig(tmp_path, cluster, developer.token))
    may("get", "secrets")
    may("create", "configmap", "x", "--dry-run=server")


def test_more_rights_are_had_within_seconds_by_who_never_stopped_asking(
    hidden: Json, admin: Api, strangers: Iterator[Api], gate: Gate, project: str, tell: Callable[[str], None]
) -> None:
    api = next(strangers)
    admin("POST", "/role-bindings", {"user": api.handle, "role": "viewer", "project": project}, status=201)
    assert asked(gate, hidden, api.token, SECRETS).status == 403
    admin("POST", "/role-bindings", {"user": api.handle, "role": "developer", "project": project}, status=201)
    began = time.monotonic()
    wait_until(lambda: asked(gate, hidden, api.token, SECRETS).status == 200, seconds=30, what="Still a viewer")
    tell(f"gateway: a higher role acts after {time.monotonic() - began:.1f} s")


def signed(stack: Stack, script: str) -> list[str]:
    """The tokens that the script writes."""
    said = stack.manage("shell", "-c", script).split()
    return [canary(word, "a signed token") for word in said if word.startswith("mgt_")]


def test_a_token_is_for_its_own_cluster_and_until_its_end(
    shared: Json, hidden: Json, stack: Stack, gate: Gate, developer: Api
) -> None:
    script = SIGN.format(handle=developer.handle, cluster=hidden["id"], seconds=[600, -1])
    right, expired = signed(stack, script)
    assert asked(gate, hidden, right).status == 200
    other = asked(gate, shared, right)
    assert (other.status, other.headers["www-authenticate"]) == (401, 'Bearer realm="marina"')
    assert "another virtual cluster" in other.message
    assert asked(gate, hidden, expired).status == 401


def test_a_short_lived_token_that_is_over_opens_nothing_more_and_ends_nothing(
    hidden: Json, stack: Stack, gate: Gate, developer: Api
) -> None:
    script = SIGN.format(handle=developer.handle, cluster=hidden["id"], seconds=[8])
    (token,) = signed(stack, script)
    with Watch(gate, hidden, token) as watch:
        wait_until(lambda: asked(gate, hidden, token).status == 401, seconds=20, what="It opens more")
        with pytest.raises(AssertionError, match="still open"):
            watch.until_ended(seconds=WITHIN_SECONDS)


@pytest.mark.parametrize("harm", ["deleted", "bound to another role"])
def test_what_binds_the_levels_is_back_when_a_tenant_has_spoilt_it(
    cluster: Json, gate: Gate, developer: Api, tools: Tools, tmp_path: Path, tell: Callable[[str], None], harm: str
) -> None:
    may = Kubectl(tools.kubectl, gate.kubeconfig(tmp_path, cluster, developer.token))
    if harm == "deleted":
        may("delete", MARINAS_BINDINGS)
    else:
        binding = may.get(MARINAS_BINDINGS)
        binding["roleRef"]["name"] = "view"
        binding["metadata"] = {"name": binding["metadata"]["name"]}
        may("replace", "--force", "-f", "-", stdin=json.dumps(binding), exit_code=None)
    began = time.monotonic()
    wait_until(
        lambda: asked(gate, cluster, developer.token, SECRETS).status == 200, seconds=30, what="Nobody may any more"
    )
    assert may.get(MARINAS_BINDINGS)["roleRef"]["name"] == "cluster-admin"
    tell(f"gateway: a level's binding {harm}: in force again after {time.monotonic() - began:.1f} s")


def test_platform_staff_get_in_by_breaking_the_glass_and_are_out_when_it_ends(
    hidden: Json, gate: Gate, staff: Api, ends: Ends
) -> None:
    assert asked(gate, hidden, staff.token).status in (403, 404)
    path = f"/virtual-clusters/{hidden['id']}/break-glass"
    grant = staff("POST", path, {"reason": "A drill of the tests of the gateway.", "minutes": 5}, status=201)
    wait_until(lambda: asked(gate, hidden, staff.token).status == 200, seconds=10, what="The glass is not broken")
    assert asked(gate, hidden, staff.token, SECRETS).status == 403, "a viewer, unless more was asked for"
    answer = ends("glass ended", hidden, staff.token, lambda: staff("DELETE", f"{path}/{grant['id']}", status=204))
    assert answer.status in (403, 404)


def test_a_cluster_that_was_deleted_says_so_and_how_to_find_its_namesake(
    developer: Api, home: TestHost, project: str, gate: Gate, tell: Callable[[str], None]
) -> None:
    developer.ended(developer.create("brief", project=project, host=home.name), seconds=240)
    brief = developer.cluster("brief")
    with Watch(gate, brief, developer.token) as watch:
        operation = developer.delete("brief")
        developer.ended(operation, seconds=240)
        began = time.monotonic()
        watch.until_ended(seconds=WITHIN_SECONDS)
        wait_until(
            lambda: asked(gate, brief, developer.token).status == 410, seconds=WITHIN_SECONDS, what="It is not told"
        )
        tell(f"gateway: cluster deleted: told with 410 after {time.monotonic() - began:.1f} s")
    assert f"marina kubeconfig brief --project {project}" in asked(gate, brief, developer.token).message
    assert asked(gate, brief, "mar_aaaaaaaa_" + "x" * 40).status == 401
