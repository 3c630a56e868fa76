"""How much one person may ask for and have open, of one cluster."""

from uuid import uuid4

import pytest

from gateway.answers import Refused
from gateway.limits import Limits

JANE, JOHN, WEB, SHOP = uuid4(), uuid4(), uuid4(), uuid4()


def test_above_the_rate_one_is_told_and_others_and_other_clusters_are_not_held_up() -> None:
    limits = Limits(rate=5, streams=10)
    for _ in range(10):
        limits.count(JANE, WEB, "acme/shop/web")
    with pytest.raises(Refused, match="more than 5 requests a second to acme/shop/web") as caught:
        limits.count(JANE, WEB, "acme/shop/web")
    assert (caught.value.status, caught.value.retry_after) == (429, 1)
    limits.count(JOHN, WEB, "acme/shop/web")
    limits.count(JANE, SHOP, "acme/shop/shop")


def test_a_request_holds_its_place_until_it_ends_however_it_ends() -> None:
    limits = Limits(rate=100, streams=2)
    with limits.held(JANE, WEB, "w"), limits.held(JANE, WEB, "w"):
        with pytest.raises(Refused, match="2 requests open") as caught, limits.held(JANE, WEB, "w"):
            pass
        assert (caught.value.status, caught.value.retry_after) == (429, 5)
        with limits.held(JOHN, WEB, "w"), limits.held(JANE, SHOP, "s"):
            pass
    with pytest.raises(ZeroDivisionError), limits.held(JANE, WEB, "w"):
        raise ZeroDivisionError
    with limits.held(JANE, WEB, "w"), limits.held(JANE, WEB, "w"):
        pass


def test_forgetting_keeps_who_has_something_open() -> None:
    limits = Limits(rate=100, streams=1)
    with limits.held(JANE, WEB, "w"):
        limits.forget()
        with pytest.raises(Refused), limits.held(JANE, WEB, "w"):
            pass
