"""Pinned requirements: compiled by uv from the short *.in files, and checked against them without a network."""

import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

from dev.errors import DevError
from dev.settings_names import ROOT

FILES = {"requirements.in": "requirements.txt", "requirements-dev.in": "requirements-dev.txt"}
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==(\S+)", re.IGNORECASE)


def requirements_compile() -> None:
    """Writes both .txt anew with the newest versions that fit. Needs a package index."""
    for source, target in FILES.items():
        how = ["--generate-hashes", "--upgrade", "--python-version", "3.11", "--custom-compile-command"]
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "pip", "compile", *how, "make requirements", source, "-o", target], cwd=ROOT, check=True)


def requirements_check(root: Path = ROOT) -> list[str]:
    """Sentences on what is not in step: what stands in an .in but not pinned, or pinned outside of what it allows."""
    problems = []
    for source, target in FILES.items():
        pinned = _pins(root / target)
        for wanted in _wanted(root / source):
            version = pinned.get(_normal(wanted.name))
            if version is None:
                problems.append(f"{source} names {wanted.name}, which {target} does not pin: run `make requirements`.")
            elif not wanted.specifier.contains(version, prereleases=True):
                problems.append(f"{target} pins {wanted.name} {version}, but {source} says {wanted.specifier}.")
    return problems + _differing(root)


def _differing(root: Path) -> list[str]:
    """Tests and checks must run with the very versions that are deployed."""
    deployed, tested = (_pins(root / target) for target in FILES.values())
    return [
        f"requirements.txt pins {name} {version}, requirements-dev.txt {tested.get(name, 'nothing')}."
        for name, version in deployed.items()
        if tested.get(name) != version
    ]


def _wanted(source: Path) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in source.read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _pins(target: Path) -> dict[str, str]:
    found = [match for line in target.read_text().splitlines() if (match := _PINNED.match(line))]
    return {_normal(match[1]): match[2] for match in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """`compile` or `check`."""
    if sys.argv[1:] == ["compile"]:
        requirements_compile()
        return 0
    problems = requirements_check()
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DevError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
