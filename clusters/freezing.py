"""What the one who moves a cluster and the gateways agree upon."""

from typing import Final

GATEWAYS_KNOW_SECONDS: Final = 1.0
"""So long after `frozen_at` was committed no gateway says yes to a write to where the cluster was until then, whatever

it knows and whether or not it reaches the database. What is copied last is read later than that. It holds for a cluster
whose phase said for MIGRATING_KNOWN_SECONDS before that it is being moved.
"""
MIGRATING_KNOWN_SECONDS: Final = 3.0
"""So long after its phase says so, each gateway that reaches the database knows that a cluster is being moved."""
