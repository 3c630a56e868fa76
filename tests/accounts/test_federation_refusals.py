"""A token of another issuer that lets nobody in leaves an audit row, of whose rule it was for, and few of them."""

import json

import pytest
from rest_framework.test import APIClient

from accounts.models import AuditEvent
from tests.accounts.oidc import Issuer
from tests.accounts.test_federation import _issuers_anew, account, exchange, issuer, refusal, rule

__all__ = ("_issuers_anew", "account", "issuer", "rule")


def denials() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action="token.federate", result="denied").order_by("id"))


def test_a_refused_exchange_is_a_row_of_the_organization_whose_rule_knows_the_issuer(world, account, rule, issuer):
    text = issuer.token(issuer.github(ref="refs/heads/feature"))
    said = refusal(exchange(text, HTTP_USER_AGENT="curl/8"))
    (row,) = denials()
    assert (row.organization_id, row.object_kind, row.object_id) == (
        world.acme.pk,
        "service-account",
        str(account.pk),
    )
    assert (row.actor, row.actor_id, row.user_agent) == ("unknown", None, "curl/8")
    assert row.details["why"] in said
    assert row.details["issuer"] == issuer.url
    assert row.details["subject"] == "repo:acme/shop:ref:refs/heads/main"
    assert text not in json.dumps(row.details)
    assert "feature" not in json.dumps(row.details)


def test_of_a_token_that_the_issuer_did_not_sign_no_claim_is_written(world, rule, issuer):
    stranger = Issuer()
    stranger.close()
    stranger.rotate("stranger")
    refusal(exchange(issuer.token(issuer.github(sub="a lie"), key=stranger.keys["stranger"])))
    (row,) = denials()
    assert row.organization_id == world.acme.pk
    assert set(row.details) == {"why", "issuer"}


@pytest.mark.parametrize("named", ["acme/payments/nobody", "acme/payments/ci"])
def test_a_token_that_no_rule_is_for_is_the_platforms_and_says_nothing_of_itself(account, issuer, named):
    refusal(exchange(issuer.token(issuer.github()), named))
    (row,) = denials()
    assert (row.organization_id, row.object_id) == (None, "")
    assert list(row.details) == ["why"]


def test_the_same_refusal_is_written_once_a_minute_and_another_reason_all_the_same(rule, issuer):
    for _ in range(5):
        refusal(exchange(issuer.token(issuer.github(ref="x"))))
    refusal(exchange(issuer.token(issuer.github(repository="x"))))
    assert [row.details["why"].partition("main by ")[2] for row in denials()] == ["ref.", "repository."]


def test_of_one_account_no_more_than_twenty_a_minute_are_written_wherever_they_come_from(rule, issuer):
    for number in range(25):
        refusal(exchange(issuer.token(issuer.github(ref="x")), REMOTE_ADDR=f"192.0.2.{number}"))
    assert len(denials()) == 20


def test_a_dry_run_leaves_its_refusal_too(rule, issuer):
    body = {"token": issuer.token(issuer.github(ref="x")), "service_account": "acme/payments/ci"}
    assert APIClient().post("/api/v1/federated-tokens?dry_run=true", body, "json").status_code == 403
    assert len(denials()) == 1


def test_a_token_that_is_sent_a_second_time_is_a_row(rule, issuer):
    text = issuer.token(issuer.github())
    assert exchange(text).status_code == 201
    assert exchange(text).status_code == 403
    (row,) = denials()
    assert "used already" in row.details["why"]
