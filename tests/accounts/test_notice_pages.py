"""docs/webhooks.md and docs/notifications.md list what there is, in the words of the code."""

import re

from accounts.notification_kinds import NOTIFICATION_KINDS, Channel
from accounts.webhook_event_types import EVENT_TYPES
from dev.settings_names import ROOT

ROW = re.compile(r"^\| `([a-z.-]+)` \| (.*?) \|(?: (.*?) \|)?$", re.MULTILINE)


def test_every_event_stands_in_its_page() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    assert {name: sentence for name, sentence, _ in ROW.findall(page)} == dict(EVENT_TYPES)


def test_every_kind_stands_in_its_page_with_its_channels() -> None:
    page = (ROOT / "docs" / "notifications.md").read_text()
    told = {name: (sentence, channels) for name, sentence, channels in ROW.findall(page)}
    words = {frozenset(Channel): "inbox and mail", frozenset({Channel.INBOX}): "inbox"}
    assert told == {kind.name: (kind.tells, words[kind.channels]) for kind in NOTIFICATION_KINDS.values()}
