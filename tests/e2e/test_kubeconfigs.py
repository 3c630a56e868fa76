"""Kubeconfigs: as much as a role allows, as long as was asked for, seen by nobody but the one who asked."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import yaml
from nacl.public import PrivateKey, SealedBox

from dev.processes import Processes
from dev.stack import Stack
from dev.waiting import wait_until
from localkube import Tools
from tests.canaries import Canaries, Written, kubeconfig_canaries
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json

HOUR = 3600


class Asked:
    """A kubeconfig asked for over the API, with a key that only this test has."""

    def __init__(self, api: Api, cluster: Json, **body: object) -> None:
        self._key = PrivateKey.generate()
        self._api = api
        public = base64.b64encode(bytes(self._key.public_key)).decode()
        path = f"/virtual-clusters/{cluster['id']}/kubeconfigs"
        started = api("POST", path, {"public_key": public, **body}, status=202)
        self.operation = api.ended(started["operation"])
        self.path = f"/operations/{self.operation['id']}/sealed-result"

    def read(self) -> Json:
        """Opened, as it is in memory of the one who asked."""
        sealed = base64.b64decode(self._api.get(self.path)["sealed"])
        found: Json = yaml.safe_load(SealedBox(self._key).decrypt(sealed))
        kubeconfig_canaries(found, "an issued kubeconfig")
        return found


def token_of(kubeconfig: Json) -> str:
    return str(kubeconfig["users"][0]["user"]["token"])


def claims_of(token: str) -> Json:
    part = token.split(".")[1]
    found: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.fixture
def as_level(marina: Marina, shared: Json, tools: Tools, inside_of: Callable[[str], Kubectl], tmp_path: Path):
    """kubectl on the shared cluster with a kubeconfig of a level."""
    inside = inside_of("shared")
    server = yaml.safe_load(inside.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]

    def make(level: str) -> Kubectl:
        file = tmp_path / f"{level}.yaml"
        marina("kubeconfig", "shared", "--direct", "--level", level, "--output", str(file), "--server", server)
        return Kubectl(tools.kubectl, file)

    return make


def test_level_view_reads_neither_secrets_nor_creates_anything(as_level: Callable[[str], Kubectl]) -> None:
    inside = as_level("view")
    assert inside("get", "pods,deployments", "-A", exit_code=0)
    assert 'cannot list resource "secrets"' in inside("get", "secrets", "-A", exit_code=1).stderr
    assert 'cannot create resource "configmaps"' in inside("create", "configmap", "x", exit_code=1).stderr


def test_level_admin_is_cluster_admin_and_nobody_elses_account(as_level: Callable[[str], Kubectl], people) -> None:
    inside = as_level("admin")
    assert inside("auth", "can-i", "*", "*", "--all-namespaces").stdout.strip() == "yes"
    me = json.loads(inside("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert me["username"].startswith("system:serviceaccount:marina-access:user-")
    account = inside.get("serviceaccount", me["username"].rpartition(":")[2], "-n", "marina-access")
    assert account["metadata"]["annotations"]["marina.dev/handle"] == people.developer.handle


def test_a_viewer_of_the_project_gets_view_and_is_told_which_role_admin_takes(viewer: Api, shared: Json) -> None:
    asked = Asked(viewer, shared)
    assert claims_of(token_of(asked.read()))["sub"].endswith("-view")
    key = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()
    body = {"public_key": key, "level": "admin"}
    problem = viewer("POST", f"/virtual-clusters/{shared['id']}/kubeconfigs", body, status=403)
    assert problem["code"] == "forbidden"
    assert "project developer" in problem["detail"] + problem["hint"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 seconds"), (599, "9 minutes 59 seconds"), (24 * HOUR + 1, "1 day 1 second")]
)
def test_an_expiry_out_of_range_is_refused(developer: Api, shared: Json, seconds: int, said: str) -> None:
    key = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()
    path = f"/virtual-clusters/{shared['id']}/kubeconfigs"
    told = developer.refused("POST", path, {"public_key": key, "expires_in": seconds}, "expires_in")
    assert said in told["message"]
    assert "600 to 86400 seconds (10 minutes to 1 day)" in told["accepted"]


@pytest.mark.parametrize(("asked", "granted"), [({"expires_in": 900}, 900), ({}, HOUR)])
def test_the_token_ends_when_it_was_asked_to(developer: Api, shared: Json, asked: Json, granted: int) -> None:
    claims = claims_of(token_of(Asked(developer, shared, **asked).read()))
    assert claims["exp"] - claims["iat"] == granted


def test_a_sealed_result_is_read_once_and_by_the_one_who_asked_only(
    developer: Api, viewer: Api, staff: Api, shared: Json
) -> None:
    asked = Asked(developer, shared)
    for other in (viewer, staff):
        other("GET", asked.path, status=404)
    assert token_of(asked.read())
    assert "handed over already" in developer("GET", asked.path, status=410)["detail"]


def test_a_sealed_result_that_nobody_fetched_in_time_is_gone(
    developer: Api, shared: Json, database: psycopg.Connection
) -> None:
    asked = Asked(developer, shared)
    operation = asked.operation["id"]
    query = "SELECT sealed_until, finished_at FROM clusters_operation WHERE id = %s"
    ((until, ended),) = database.execute(query, [operation]).fetchall()
    assert (until - ended).total_seconds() <= 60
    database.execute("UPDATE clusters_operation SET sealed_until = now() WHERE id = %s", [operation])
    developer("GET", asked.path, status=410)

    def erased() -> bool:
        query = "SELECT sealed_result IS NULL FROM clusters_operation WHERE id = %s"
        ((found,),) = database.execute(query, [operation]).fetchall()
        return bool(found)

    wait_until(erased, seconds=30, what="The sealed result was not erased")


def test_each_kubeconfig_is_audited(developer: Api, shared: Json, database: psycopg.Connection) -> None:
    asked = Asked(developer, shared, level="view", expires_in=700)
    query = "SELECT action, actor, details FROM accounts_auditevent WHERE details->>'operation' = %s"
    ((action, actor, details),) = database.execute(query, [asked.operation["id"]]).fetchall()
    assert (action, details["expires_in"]) == ("virtualcluster.kubeconfig.view", 700)
    assert developer.handle in actor


def test_neither_a_token_nor_the_clusters_own_key_is_in_database_broker_files_or_logs(
    developer: Api,
    shared: Json,
    home: TestHost,
    stack: Stack,
    processes: Processes,
    tmp_path: Path,
) -> None:
    asked = Asked(developer, shared)
    unread = Asked(developer, shared)
    secret = home.kubectl.get("secret", f"vc-{shared['placement']['release']}", "-n", shared["placement"]["namespace"])[
        "data"
    ]
    own = Canaries()
    own.add(token_of(asked.read()), "the token")
    own.add(base64.b64decode(secret["client-key"]).decode(), "the cluster's own key")
    own.add(secret["client-key"][60:120], "the cluster's own key as its secret has it")
    written = Written(
        databases=[stack.environment["DATABASE_URL"]],
        brokers=[stack.environment["BROKER_URL"]],
        folders=[Path(stack.environment["MARINA_STATE_FOLDER"]), processes.logs],
    )
    assert written.found(own, tmp_path) == []
    # what is there is found, so the search is one
    known = Canaries()
    known.add(unread.operation["id"], "its operation")
    found = written.found(known, tmp_path)
    assert "its operation is in table clusters_operation" in found
    assert "its operation is in worker.log" in found
