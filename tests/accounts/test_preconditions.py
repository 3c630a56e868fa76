"""ETag and If-Match on every noun that has a version: nobody overwrites what they have not seen."""

import pytest

from accounts.models import Project, RoleBinding
from tests.accounts.conftest import give, person, signed_in, world_make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db):
    return world_make()


def _objects(world) -> dict[str, tuple[str, dict[str, str]]]:
    give(person("vera"), "viewer", world.payments)
    binding = RoleBinding.objects.get(user__handle="vera")
    return {
        f"/api/v1/organizations/{world.acme.pk}": ("display_name", {"display_name": "one"}),
        f"/api/v1/projects/{world.payments.pk}": ("display_name", {"display_name": "one"}),
        f"/api/v1/teams/{world.dockers.pk}": ("name", {"name": "one"}),
        f"/api/v1/role-bindings/{binding.pk}": ("expires_at", {"expires_at": "2030-01-01T00:00:00Z"}),
    }


def test_a_change_of_what_was_changed_meanwhile_is_refused(world):
    client = signed_in(world.olivia)
    for path, (field, body) in _objects(world).items():
        read = client.get(path)
        changed = client.patch(path, body, format="json", HTTP_IF_MATCH=read["ETag"])
        assert changed.status_code == 200, (path, changed.content)
        assert changed["ETag"] != read["ETag"], path
        assert changed["ETag"] == client.get(path)["ETag"], path
        stale = client.patch(path, {field: read.json()[field]}, format="json", HTTP_IF_MATCH=read["ETag"])
        assert stale.status_code == 412, path
        assert client.delete(path, HTTP_IF_MATCH=read["ETag"]).status_code == 412, path
        assert client.get(path)["ETag"] == changed["ETag"], path


def test_what_is_refused_for_another_reason_leaves_nothing(world):
    client = signed_in(world.olivia)
    path = f"/api/v1/projects/{world.payments.pk}"
    etag = client.get(path)["ETag"]
    assert client.patch(path, {"name": "search"}, format="json", HTTP_IF_MATCH=etag).status_code == 409
    assert client.get(path)["ETag"] == etag
    assert client.patch(path, {"name": "x"}, format="json", HTTP_IF_MATCH="r1").status_code == 400
    assert client.delete(path, HTTP_IF_MATCH=etag).status_code == 204
    assert not Project.objects.filter(pk=world.payments.pk).exists()
    assert client.delete(path, HTTP_IF_MATCH=etag).status_code == 404
