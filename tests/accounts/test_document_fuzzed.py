"""What the API's document promises holds for requests that nobody thought of: no 5xx, no answer that it does not name.

Requests are made from the document itself, valid ones and broken ones, as three people, against objects that are there
and that are not. MARINA_SOAK=1 tries far more of them, each time others.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi_checks

from accounts.models import User
from clusters.models import HostScope
from tests.accounts.conftest import World, give, person, signed_in
from tests.accounts.matrix_objects import Objects, objects_at
from tests.clusters.making import host_row

SOAK: Final = os.environ.get("MARINA_SOAK", "") not in ("", "0")
EXAMPLES: Final = 50 if SOAK else 3
CHECKS: Final = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
]
HOW: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=not SOAK,
    suppress_health_check=list(HealthCheck),
    # a fault's own words say enough; making it smaller takes longer than all the rest
    phases=[Phase.explicit, Phase.generate],
)
ROLES: Final = ("viewer of a project", "admin of an organization", "platform staff")

OBJECTS: Final = {
    "access-tokens": "token",
    "organizations": "organization",
    "projects": "project",
    "teams": "team",
    "users": "person",
    "role-bindings": "binding_in_project",
    "virtual-clusters": "cluster",
    "operations": "operation",
    "host-clusters": "host",
    "discovered-clusters": "discovered",
    "service-accounts": "machine",
    "federation-rules": "federation_rule",
    "group-mappings": "group_mapping",
    "invitations": "invitation",
    "join-requests": "join_request",
    "notifications": "notification",
    "sessions": "session",
    "audit-events": "audit_event",
    "webhooks": "webhook",
    "region-offers": "region_offer",
}
"""What stands behind an id in an address; for a noun that is not here, only ids of nothing are tried."""

PARAMETERS: Final = {
    "cluster": "cluster",
    "share": "share",
    "grant": "grant",
    "webhook": "webhook",
    "token": "machine_token",
    "project": "project",
    "kind": "notification_kind",
}
"""What stands behind the others in an address."""


@dataclass(frozen=True)
class There:
    """What there is, in acme and in globex."""

    mine: Objects
    foreign: Objects

    def addresses(self, path: str) -> list[dict[str, str]]:
        """Of each place, what may stand in the path's braces."""
        noun = path.split("/")[3]
        names = {**PARAMETERS, **({"id": OBJECTS[noun]} if noun in OBJECTS else {})}
        if "/deliveries/" in path:
            names["id"] = "delivery"
        return [{key: _key(each, name) for key, name in names.items()} for each in (self.mine, self.foreign)]


def _key(objects: Objects, name: str) -> str:
    found = getattr(objects, name)
    return str(getattr(found, "pk", found))


@pytest.fixture
def there(world: World, settings) -> There:
    settings.API_RATE = settings.API_WRITE_RATE = "1000000/min"
    platform = host_row("platform")
    hosts = [
        host_row(f"host-of-{each.name}", scope=HostScope.ORGANIZATION, organization=each)
        for each in (world.acme, world.globex)
    ]
    return There(
        objects_at(world, world.payments, hosts[0], platform, "own"),
        objects_at(world, world.foreign, hosts[1], platform, "other"),
    )


@pytest.fixture
def _connection_kept() -> Iterator[None]:
    """As Django's own test client does it: a request's end does not close the connection of the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def _asker(world: World, role: str) -> User:
    if role == "platform staff":
        return person("asker", is_staff=True)
    asker = person("asker")
    if role == "viewer of a project":
        give(asker, "viewer", world.payments)
    else:
        give(asker, "admin", world.acme)
    return asker


@pytest.mark.timeout(7200 if SOAK else 300)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.usefixtures("_connection_kept")
def test_no_request_made_from_the_document_gets_an_answer_that_it_does_not_name(world, there, role):
    token = f"Bearer {signed_in(_asker(world, role)).token}"
    faults = [fault for operation in _operations() if (fault := _tried(operation, token, there))]
    assert faults == [], "\n\n".join(faults)


def _operations() -> Iterator[Any]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = get_wsgi_application()
    for found in schema.get_all_operations():
        yield found.ok()  # type: ignore[union-attr]


def _tried(operation: Any, token: str, there: There) -> str:
    """Of one operation, the first thing that is wrong."""
    cases = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)]
    if operation.body or operation.query or operation.path_parameters:
        cases.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    @HOW
    @given(case=st.one_of(cases), real=st.sampled_from([*there.addresses(operation.path), {}]))
    def ask(case: Any, real: dict[str, str]) -> None:
        given = case.path_parameters or {}
        given.update({name: key for name, key in real.items() if name in given})
        with transaction.atomic():
            answer = case.call(headers={"Authorization": token})
            transaction.set_rollback(True)
        # a manifest is several YAML documents, which the checks cannot read
        yaml = answer.headers.get("content-type", [""])[0].startswith("application/yaml")
        # ?fields= leaves out what the whole object always has; tests/accounts/test_sparse_fields.py looks at each list
        partly = "fields" in (case.query or {})
        case.validate_response(answer, checks=CHECKS[:-1] if yaml or partly else CHECKS)

    try:
        ask()
    except (Exception, BaseExceptionGroup) as error:  # whatever it is, it is told with its operation
        return f"{operation.label}: {type(error).__name__}: {error}"[:1500]
    return ""
