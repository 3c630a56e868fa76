"""The page of a rollout in the admin site."""

from typing import Any

from django.contrib import admin

from clusters.models import Rollout


def test_a_rollout_is_shown_in_words_and_its_waves_count_from_one(fleet):
    fleet.make("one", "two", labels={"tier": "dev"})
    rollout = fleet.rollout(labels={"tier": "dev"}, on_host=fleet.host, waves=["1", "100%"])
    page: Any = admin.site._registry[Rollout]
    assert page.chosen_by(rollout) == "tier=dev, on host east"
    assert (page.wave_told(rollout), page.waves_told(rollout)) == ("1", "1, 100%")
