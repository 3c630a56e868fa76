"""resourceVersions after a move: which are told to be too old, and that nobody lists anew for ever."""

import asyncio
import base64
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

import h11
import pytest
from django.utils import timezone

from gateway.answers import Refused, status_answer
from gateway.heads import head_read
from gateway.resources import doing
from gateway.revisions import Asking, Revisions, Wanted, wanted_revision
from gateway.targets import Origin, Target
from tests.gateway.callers import target

PODS = "/api/v1/namespaces/default/pods"


@dataclass
class Api:
    """An API server that has given out `newest` so far."""

    newest: int | None
    asked: list[str] = field(default_factory=list)

    async def revision(self, path: str) -> int | None:
        self.asked.append(path)
        return self.newest


def here(*, foreign: int, first: int, hours: float = 0.0) -> Target:
    origin = Origin(timezone.now() - timedelta(hours=hours), foreign, first)
    return replace(target(uuid4()), origin=origin)


APART = {"foreign": 900, "first": 1000}
OVERLAP = {"foreign": 1000, "first": 500}


def asked(
    revisions: Revisions,
    api: Api,
    at: Target,
    query: str,
    *,
    path: str = PODS,
    accept: str = "application/json",
    who: str = "jane",
) -> Refused | None:
    """What is told instead of sending it on."""
    raw = f"GET {path}?{query} HTTP/1.1\r\nHost: gate\r\nAccept: {accept}\r\nUser-Agent: k/1\r\n\r\n".encode()
    asking = Asking(head_read(raw, h11.Connection(h11.SERVER)), doing("GET", path, query), at, who)
    try:
        asyncio.run(revisions.check(asking, api, now=timezone.now()))
    except Refused as refused:
        return refused
    return None


def token(revision: int) -> str:
    said = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": "default/a\u0000"}).encode()
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("watch=1&resourceVersion=12", Wanted(12, exact=True)),
        (
            "watch=1&resourceVersion=12&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            Wanted(12, exact=False),
        ),
        ("watch=1&resourceVersion=12&sendInitialEvents=false", Wanted(12, exact=True)),
        ("resourceVersion=12", Wanted(12, exact=False)),
        ("resourceVersion=12&resourceVersionMatch=NotOlderThan", Wanted(12, exact=False)),
        ("resourceVersion=12&resourceVersionMatch=Exact", Wanted(12, exact=True)),
        (f"limit=5&continue={token(12)}", Wanted(12, exact=True)),
        (f"limit=5&continue={token(-1)}", None),
        ("limit=5&continue=nonsense", None),
        ("limit=5&continue=e30", None),
        ("watch=1", None),
        ("watch=1&resourceVersion=", None),
        ("watch=1&resourceVersion=0", None),
        ("watch=1&resourceVersion=-5", None),
        ("watch=1&resourceVersion=abc", None),
        ("watch=1&resourceVersion=%D9%A1", None),
        ("labelSelector=resourceVersion", None),
    ],
)
def test_which_version_a_request_goes_on_from(query: str, wanted: Wanted | None) -> None:
    assert wanted_revision(doing("GET", PODS, query), query) == wanted


def test_what_is_no_list_names_no_version() -> None:
    query = "resourceVersion=12"
    assert wanted_revision(doing("GET", f"{PODS}/web", query), query) == Wanted(12, exact=False)
    assert wanted_revision(doing("GET", f"{PODS}/web/log", query), query) is None
    assert wanted_revision(doing("GET", f"{PODS}/web/proxy/x", query), query) is None
    assert wanted_revision(doing("GET", "/version", query), query) is None
    assert wanted_revision(doing("DELETE", PODS, query), query) is None


@pytest.mark.parametrize(
    ("query", "newest", "expired"),
    [
        ("watch=1&resourceVersion=850", 1005, True),
        ("watch=1&resourceVersion=950", 1005, True),
        ("watch=1&resourceVersion=999", 1005, True),
        ("watch=1&resourceVersion=1000", 1000, False),
        ("watch=1&resourceVersion=1004", 1005, False),
        ("resourceVersion=850", 1005, False),
        ("resourceVersion=850&resourceVersionMatch=Exact", 1005, True),
        ("watch=1&sendInitialEvents=true&resourceVersion=850&resourceVersionMatch=NotOlderThan", 1005, False),
        (f"continue={token(850)}", 1005, True),
        (f"continue={token(1001)}", 1005, False),
    ],
)
def test_where_versions_are_apart_exactly_the_old_ones_are_told_to_be_too_old(
    query: str, newest: int, expired: bool
) -> None:
    revisions, api, at = Revisions(3600), Api(newest), here(**APART)
    for _ in range(2):
        refused = asked(revisions, api, at, query)
        assert (refused is not None) is expired
        if refused:
            assert (refused.status, refused.reason, refused.why) == (410, "Expired", "expired")
    assert len(api.asked) == (1 if expired else 0), "what is once known is not asked again"


@pytest.mark.parametrize("query", ["watch=1&resourceVersion=990", "resourceVersion=990", f"continue={token(990)}"])
def test_what_this_api_has_not_given_out_yet_is_not_its_own(query: str) -> None:
    revisions, api, at = Revisions(3600), Api(700), here(**OVERLAP)
    assert asked(revisions, api, at, query)
    assert asked(revisions, api, at, query)
    assert api.asked == [PODS, PODS], "it may have been given out since"


def test_what_both_may_have_given_out_is_told_once_to_each_client_and_its_next_one_is_taken() -> None:
    revisions, api, at = Revisions(3600), Api(700), here(**OVERLAP)
    watch = "watch=1&resourceVersion={}&timeoutSeconds={}"
    assert asked(revisions, api, at, watch.format(600, 301))
    assert asked(revisions, api, at, watch.format(600, 422)), "clients ask once more with the same"
    assert asked(revisions, api, at, watch.format(650, 399)) is None, "listed since"
    assert asked(revisions, api, at, watch.format(600, 399), who="john")
    assert asked(revisions, api, at, watch.format(600, 399) + "&labelSelector=a")
    assert asked(revisions, api, at, watch.format(600, 399), path="/api/v1/namespaces/other/pods")
    assert asked(revisions, api, at, "resourceVersion=600", who="joe") is None, "what is there is newer"
    assert asked(revisions, api, at, watch.format(600, 301), who="joe") is None, "listed here first, as kubectl does"
    assert asked(revisions, api, at, "limit=500") is None
    assert asked(revisions, api, at, watch.format(600, 301)), "what was too old once stays so"


def test_of_a_place_whose_versions_are_not_known_none_is_taken_that_may_be_its_own() -> None:
    revisions, api, at = Revisions(3600), Api(700), here(foreign=0, first=500)
    assert asked(revisions, api, at, "watch=1&resourceVersion=400")
    assert asked(revisions, api, at, "watch=1&resourceVersion=90000")
    assert asked(revisions, api, at, "watch=1&resourceVersion=600")
    assert asked(revisions, api, at, "watch=1&resourceVersion=650") is None


def test_an_api_of_the_tenants_own_that_counts_by_itself_is_not_judged_by_another_ones_versions() -> None:
    revisions, api, at = Revisions(3600), Api(50), here(**APART)
    own = "/apis/things.example.com/v1/things"
    assert asked(revisions, api, at, "watch=1&resourceVersion=50", path=own) is None
    assert asked(revisions, api, at, "watch=1&resourceVersion=51", path=own), "never given out"
    assert api.asked == [own, own]


@pytest.mark.parametrize(
    ("path", "collection"),
    [
        ("/api/v1/watch/namespaces/default/pods/web", PODS),
        ("/api/v1/watch/namespaces", "/api/v1/namespaces"),
        ("/api/v1/namespaces/default", "/api/v1/namespaces"),
        ("/apis/apps/v1/deployments", "/apis/apps/v1/deployments"),
        ("/api/v1/namespaces/a%3Fb/pods", "/api/v1/namespaces/a%3Fb/pods"),
    ],
)
def test_the_collection_itself_is_asked_for(path: str, collection: str) -> None:
    api = Api(700)
    asked(Revisions(3600), api, here(**OVERLAP), "resourceVersion=990", path=path)
    assert api.asked == [collection]


def test_an_hour_later_and_where_nothing_was_moved_nothing_is_asked() -> None:
    api, query = Api(1005), "watch=1&resourceVersion=850"
    assert asked(Revisions(3600), api, here(**APART, hours=1.01), query) is None
    assert asked(Revisions(3600), api, target(uuid4()), query) is None
    assert asked(Revisions(3600), Api(None), here(**APART), query) is None, "the API server says what is wrong"
    assert api.asked == []


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io"])
def test_a_watch_is_told_in_the_watch_as_an_api_server_tells_it(accept: str) -> None:
    refused = asked(Revisions(3600), Api(1005), here(**APART), "watch=1&resourceVersion=850", accept=accept)
    assert refused
    answer = status_answer(refused)
    event = json.loads(answer.body)
    assert (answer.status, event["type"]) == (200, "ERROR")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert answer.body.endswith(b"\n")


@pytest.mark.parametrize("query", ["watch=1&resourceVersion=850", f"continue={token(850)}"])
def test_who_takes_no_json_and_who_lists_is_told_by_the_status(query: str) -> None:
    accept = "application/vnd.kubernetes.protobuf,application/json"
    refused = asked(Revisions(3600), Api(1005), here(**APART), query, accept=accept)
    assert refused
    answer = status_answer(refused)
    assert (answer.status, json.loads(answer.body)["reason"]) == (410, "Expired")
