"""`make bench-engine`: what the engine costs and what it keeps apart. PARTS=no-op,probes names some of it."""

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
    """Exit code 0 when each figure meets its target."""
    found: list[Figure] = []
    for name in names or list(PARTS):
        with bench() as running:
            found += PARTS[name](running)
    if not names:
        write("engine", found)
    return 0 if all(figure.ok for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main([name for argument in sys.argv[1:] for name in argument.split(",") if name]))
