"""Issuers that everybody has tokens of: a rule has to say whose."""

import pytest

from accounts.models import FederationRule
from accounts.public_issuers import whose_missing
from accounts.services.federation import FederationRefused, rule_choose
from tests.accounts.conftest import give, person, signed_in

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [
        (GITHUB, {"ref": "refs/heads/main"}),
        (GITHUB, {"repository": "*/shop"}),
        (GITHUB, {"repository": "acme*"}),
        (GITHUB, {"repository": ["acme/shop", "*/shop"]}),
        (GITHUB, {"repository_owner": "acm*"}),
        (GITHUB, {"job_workflow_ref": "acme/ci/.github/workflows/deploy.yml@refs/heads/main"}),
        (GITHUB, {"sub": "repo:*:ref:refs/heads/main"}),
        (GITHUB, {"sub": "environment:production"}),
        (f"{GITHUB}/", {"event_name": "push"}),
        (GITLAB, {"ref": "main", "ref_protected": "true"}),
        (GITLAB, {"project_path": "*/shop"}),
        (GITLAB, {"sub": "project_path:*"}),
    ],
)
def test_a_rule_that_fits_other_peoples_jobs_tells_not_whose(issuer, claims):
    assert "such as" in whose_missing(issuer, claims)


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [
        (GITHUB, {"repository": "acme/shop"}),
        (GITHUB, {"repository": "acme/*", "ref": "refs/heads/main"}),
        (GITHUB, {"repository": ["acme/shop", "acme/till"]}),
        (GITHUB, {"repository_id": "4711"}),
        (GITHUB, {"repository_owner": "acme"}),
        (GITHUB, {"sub": "repo:acme/shop:ref:refs/heads/main"}),
        (GITHUB, {"sub": "repository_owner:acme:environment:production"}),
        (GITLAB, {"project_path": "acme/*"}),
        (GITLAB, {"namespace_path": "acme"}),
        (GITLAB, {"sub": "project_path:acme/shop:ref_type:branch:ref:main"}),
        ("https://gitlab.acme.example", {"ref": "main"}),
    ],
)
def test_an_owner_that_is_written_out_is_enough_and_an_issuer_of_ones_own_needs_none(issuer, claims):
    assert whose_missing(issuer, claims) == ""


@pytest.mark.django_db
def test_such_a_rule_is_refused_with_the_claims_that_would_do(world):
    ada = person("ada")
    give(ada, "admin", world.payments)
    client = signed_in(ada)
    assert (
        client.post("/api/v1/service-accounts", {"project": "acme/payments", "name": "ci"}, "json").status_code == 201
    )
    body = {"service_account": "acme/payments/ci", "name": "main", "issuer": GITHUB, "audience": "https://marina.test"}
    refused = client.post("/api/v1/federation-rules", {**body, "claims": {"ref": "refs/heads/main"}}, "json")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "claims"
    assert "repository=acme/shop" in refused.json()["errors"][0]["accepted"]
    made = client.post("/api/v1/federation-rules", {**body, "claims": {"repository": "acme/shop"}}, "json")
    assert made.status_code == 201
    widened = client.patch(f"/api/v1/federation-rules/{made.json()['id']}", {"claims": {"ref": "x"}}, "json")
    assert widened.status_code == 400


def test_one_that_was_made_before_lets_nobody_in():
    rule = FederationRule(name="old", issuer=GITHUB, audience="https://marina.test", claims={"ref": "refs/heads/main"})
    with pytest.raises(FederationRefused, match="old, which does not say whose"):
        rule_choose([rule], {"aud": "https://marina.test", "ref": "refs/heads/main"})
