"""A role that is taken ends its direct kubeconfig against the real virtual API, within a minute, and nobody else's."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dev.demo_people import DemoPeople
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import Tools
from tests.commands import Kubectl
from tests.e2e.api import Api, Json
from tests.e2e.conftest import MAKE_USER
from tests.e2e.test_kubeconfigs import Asked

MINUTE = 60
REFUSED = ("Unauthorized", "must be logged in", "orbidden")

Direct = Callable[..., Kubectl]


@pytest.fixture
def admin(stack: Stack, people: DemoPeople) -> Api:
    """The API as the organization's admin, who gives and takes roles."""
    return Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)


@pytest.fixture
def leaver(stack: Stack) -> Api:
    """Somebody without any role yet."""
    handle, password = f"leaver-{secrets.token_hex(3)}", secrets.token_urlsafe(15)
    stack.manage("shell", "-c", MAKE_USER.format(handle=handle, password=password))
    return Api(server=stack.url, handle=handle, password=password)


@pytest.fixture
def direct(shared: Json, shared_inside: Kubectl, tools: Tools, tmp_path: Path) -> Direct:
    """kubectl on the shared cluster with a kubeconfig that somebody asks for now."""
    server = yaml.safe_load(shared_inside.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]

    def make(api: Api, level: str) -> Kubectl:
        kubeconfig = Asked(api, shared, level=level).read()
        kubeconfig["clusters"][0]["cluster"]["server"] = server
        file = tmp_path / f"{secrets.token_hex(4)}.yaml"
        file.write_text(yaml.safe_dump(kubeconfig))
        file.chmod(0o600)
        return Kubectl(tools.kubectl, file)

    return make


def works(kubectl: Kubectl) -> bool:
    """Whether it may read; why it may not has to be that it is refused."""
    answer = kubectl("get", "pods", "-A", exit_code=None)
    if answer.exit_code == 0:
        return True
    assert any(word in answer.stderr for word in REFUSED), answer
    return False


def test_a_role_that_is_taken_ends_its_kubeconfig_within_a_minute_and_no_other(
    admin: Api, leaver: Api, viewer: Api, shared: Json, project: str, shared_inside: Kubectl, direct: Direct
) -> None:
    roles = {
        role: admin("POST", "/role-bindings", {"user": leaver.handle, "role": role, "project": project}, status=201)
        for role in ("developer", "viewer")
    }
    lost, kept, others = direct(leaver, "admin"), direct(leaver, "view"), direct(viewer, "view")
    assert [works(each) for each in (lost, kept, others)] == [True, True, True]
    assert given_to(admin, shared, leaver) == {"admin", "view"}

    admin("DELETE", f"/role-bindings/{roles['developer']['id']}", status=204)
    wait_until(lambda: not works(lost), seconds=MINUTE, what="The kubeconfig of a lost role still works")
    assert [works(kept), works(others)] == [True, True]
    wait_until(
        lambda: given_to(admin, shared, leaver) == {"view"}, seconds=MINUTE, what="It is still listed as given out"
    )
    accounts = shared_inside.get("serviceaccounts", "-n", "marina-access")
    mine = [
        each
        for each in accounts
        if (each["metadata"].get("annotations") or {}).get("marina.dev/handle") == leaver.handle
    ]
    assert [each["metadata"]["name"].rpartition("-")[2] for each in mine] == ["view"]

    again = {"user": leaver.handle, "role": "developer", "project": project}
    given = admin("POST", "/role-bindings", again, status=201)
    assert works(direct(leaver, "admin")), "a new one works"
    # an API server knows a token for 10 s after it saw it: so long the old one may live again with the new account
    wait_until(lambda: not works(lost), seconds=MINUTE, what="The old kubeconfig came back to life with the role")
    for binding in (given, roles["viewer"]):
        admin("DELETE", f"/role-bindings/{binding['id']}", status=204)
    wait_until(lambda: not works(kept), seconds=MINUTE, what="The last kubeconfig still works")
    assert works(others)


def given_to(api: Api, cluster: Json, who: Api) -> set[str]:
    """The levels at which somebody has a kubeconfig that holds and is not being ended."""
    listed = api.list(f"/virtual-clusters/{cluster['id']}/kubeconfigs")
    return {each["level"] for each in listed if each["user"]["handle"] == who.handle and not each["ending"]}
