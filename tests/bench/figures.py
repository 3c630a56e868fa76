"""One line a figure, the same on the screen and in docs/benchmarks.md."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dev.settings_names import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

What `make bench` measured last, part by part: ratios within one run, with the date and the machine. `make bench-PART`
measures one part again and writes it here. A figure that is `short` of its target is no secret: its reason stands in
the part's own words below it.
"""


@dataclass(frozen=True)
class Figure:
    """One measured number and what it should be."""

    name: str
    value: float
    target: float
    at_most: bool
    """Whether the target is an upper bound; else a lower one."""
    said: str = ""
    """What it was made of, for people."""

    @property
    def ok(self) -> bool:
        return self.value <= self.target if self.at_most else self.value >= self.target

    def __str__(self) -> str:
        bound, word = "<=" if self.at_most else ">=", "ok" if self.ok else "short"
        return f"bench {self.name} {_number(self.value)} target {bound} {_number(self.target)} {word}"


def tell(figure: Figure) -> Figure:
    """Prints it at once: a long run should show how it goes."""
    print(figure, flush=True)
    if figure.said:
        print(f"  {figure.said}", flush=True)
    return figure


def write(part: str, figures: list[Figure], page: Path = PAGE) -> None:
    """Puts the part's figures in place of its last ones."""
    parts = _parts(page.read_text()) if page.exists() else {}
    lines = [f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit {_commit()} on {_machine()}.", "", "```"]
    for figure in figures:
        lines += [str(figure), *([f"  {figure.said}"] if figure.said else [])]
    parts[part] = "\n".join([*lines, "```"])
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in sorted(parts.items()))
    page.write_text(f"{_HEAD}\n{body}\n")


def _parts(text: str) -> dict[str, str]:
    sections = text.split("\n## ")[1:]
    return {name.strip(): body.strip() for name, _, body in (section.partition("\n") for section in sections)}


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 1000 else f"{value:.0f}"


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def _machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
