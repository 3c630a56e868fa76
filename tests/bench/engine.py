"""`make bench-engine`: what the engine costs and what it keeps apart. PARTS=no-op,probing names some of it."""

import subprocess
import sys

from tests.bench import apart, creating, no_op, probing
from tests.bench.figures import Figure, write
from tests.bench.setup import bench

PARTS = {
    "no-op": no_op.figures,
    "creating": creating.figures,
    "apart": apart.figures,
    "probing": probing.figures,
}


def main(names: list[str]) -> int:
    """Exit code 0 when each figure meets its target. Each part is measured in a process of its own."""
    if len(names) != 1:
        runs = [
            subprocess.run([sys.executable, "-m", "tests.bench.engine", name], check=False) for name in names or PARTS
        ]
        return max(run.returncode for run in runs)
    with bench() as running:
        found: list[Figure] = list(PARTS[names[0]](running))
    write(f"engine: {names[0]}", found)
    return 0 if all(figure.ok for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main([name for argument in sys.argv[1:] for name in argument.split(",") if name]))
