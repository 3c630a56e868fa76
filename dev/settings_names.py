"""The environment variables that controlplane/settings.py knows, read from its text: nothing is kept in two lists."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "controlplane" / "settings.py"


@dataclass(frozen=True)
class Setting:
    """One call of env.TYPE("NAME", default=...)."""

    name: str
    kind: str
    """str, bool, int, float, list or db."""
    default: str
    """As Python source; empty where there is none."""


def settings_read(path: Path = SETTINGS) -> list[Setting]:
    """In the order of the file."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    found = [setting for call in calls if (setting := _setting(call)) is not None]
    return [setting for _, setting in sorted(found, key=lambda pair: pair[0])]


def _setting(call: ast.Call) -> tuple[int, Setting] | None:
    function = call.func
    if not (
        isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "env"
    ):
        return None
    name = ast.literal_eval(call.args[0])
    defaults = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "default"]
    return call.lineno, Setting(name=name, kind=function.attr, default=defaults[0] if defaults else "")
