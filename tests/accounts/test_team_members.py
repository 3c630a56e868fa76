"""What somebody sees and may do of a team who is in it, and has no role in its organization."""

import pytest

from accounts.services.teams import team_update
from tests.accounts.conftest import MARINA, person, signed_in

pytestmark = pytest.mark.django_db


def test_who_is_in_a_team_sees_it_and_is_told_which_role_changing_it_takes(world):
    dan = person("dan")
    team_update(actor=MARINA, team=world.dockers, members=[dan])
    url = f"/api/v1/teams/{world.dockers.pk}"
    client = signed_in(dan)
    assert client.get(url).status_code == 200
    for refused in (client.patch(url, {"members": []}, "json"), client.delete(url)):
        assert refused.status_code == 403
        assert "organization admin" in refused.json()["hint"]
    other = f"/api/v1/teams/{world.globex_team.pk}"
    assert client.patch(other, {"members": []}, "json").status_code == 404
    assert client.delete(other).status_code == 404
