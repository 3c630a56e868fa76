"""`make bench-migration`: moves and upgrades beside the same by helm and kubectl, and how long a move freezes.

PARTS=migrating,freezing,upgrading names some of it.
"""

import subprocess
import sys

from tests.bench import freezing, migrating, upgrading
from tests.bench.figures import Figure, write
from tests.bench.setup import bench

PARTS = {"migrating": migrating.figures, "freezing": freezing.figures, "upgrading": upgrading.figures}


def main(names: list[str]) -> int:
    """Exit code 0 when each figure meets its target. Each part is measured in a process of its own."""
    if len(names) != 1:
        command = [sys.executable, "-m", "tests.bench.moving"]
        return max(subprocess.run([*command, name], check=False).returncode for name in names or PARTS)
    with bench() as running:
        found: list[Figure] = list(PARTS[names[0]](running))
    write(f"migration: {names[0]}", found)
    return 0 if all(figure.ok for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main([name for argument in sys.argv[1:] for name in argument.split(",") if name]))
