"""`make bench-lifecycle`: sleep, wake, exports, restores and the sweep, beside the same done by kubectl.

PARTS=sleeping,exporting,sweeping names some of it.
"""

import subprocess
import sys

from tests.bench import exporting, sleeping, sweeping
from tests.bench.figures import Figure, write
from tests.bench.setup import bench

PARTS = {"sleeping": sleeping.figures, "exporting": exporting.figures, "sweeping": sweeping.figures}


def main(names: list[str]) -> int:
    """Exit code 0 when each figure meets its target. Each part is measured in a process of its own."""
    if len(names) != 1:
        runs = [
            subprocess.run([sys.executable, "-m", "tests.bench.lifecycle", name], check=False)
            for name in names or PARTS
        ]
        return max(run.returncode for run in runs)
    with bench() as running:
        found: list[Figure] = list(PARTS[names[0]](running))
    write(f"lifecycle: {names[0]}", found)
    return 0 if all(figure.ok for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main([name for argument in sys.argv[1:] for name in argument.split(",") if name]))
