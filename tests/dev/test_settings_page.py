"""docs/settings.md lists what controlplane/settings.py reads, with type and default."""

import ast
import re

import pytest

from dev.settings_names import ROOT, Setting, settings_read

ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (\w+) \| (.*?) \| (.+) \|$", re.MULTILINE)
PAGE = (ROOT / "docs" / "settings.md").read_text()
ROWS = {name: (kind, default, meaning) for name, kind, default, meaning in ROW.findall(PAGE)}


def test_it_lists_every_setting_and_no_other() -> None:
    assert set(ROWS) == {setting.name for setting in settings_read()}


@pytest.mark.parametrize("setting", settings_read(), ids=lambda setting: setting.name)
def test_each_has_its_type_its_default_and_a_sentence(setting: Setting) -> None:
    kind, default, meaning = ROWS[setting.name]
    assert kind == setting.kind
    assert meaning.endswith(".")
    value = ast.literal_eval(setting.default) if re.fullmatch(r"'[^']+'|[0-9.]+", setting.default) else None
    if isinstance(value, str):
        assert f"`{value}`" in default.replace("\\|", "|")  # as a table has to write it
    elif value is not None:
        assert default == f"{value:g}"


def test_a_setting_is_read_once() -> None:
    names = [setting.name for setting in settings_read()]
    assert len(names) == len(set(names))
