"""Whatever tells people to type a command names one that there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from marina_cli.main import cli

ROOT = Path(__file__).parents[2]
FOLDERS = ("accounts", "clusters", "provisioning", "cli")
NAMED = re.compile(r"(?<![\w./@-])marina\s+([a-z][a-z-]*)(?:\s+([a-z][a-z-]*))?(?![\w{-])")
PROSE = frozenset({"where", "on", "itself", "command", "moves", "gateway", "ceiling"})
"""What follows the name where it is that of the program, of the platform, or of who acts for it in the audit log."""


def strange(text: str) -> Iterator[str]:
    """The commands that a text names and that there are not."""
    for first, second in NAMED.findall(text):
        command = cli.commands.get(first)
        if command is None:
            yield from () if first in PROSE else (f"marina {first}",)
        elif second and isinstance(command, click.Group) and second not in command.commands:
            yield f"marina {first} {second}"


def texts(folder: str) -> Iterator[tuple[str, str]]:
    """Each string of its sources, with where it is. Of one with values in it, the parts between them."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_command_that_is_named_exists(folder: str) -> None:
    found = [f"{where}: {each}" for where, text in texts(folder) for each in strange(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See: marina host status east.", ["marina host status"]),
        ("Say `marina upgrad hello`, or\nmarina\nhost shut it.", ["marina upgrad", "marina host shut"]),
        ("Say `marina upgrade hello`, then marina host get east, or marina rollout NAME.", []),
    ],
)
def test_a_command_that_there_is_not_is_found(text: str, found: list[str]) -> None:
    assert list(strange(text)) == found
