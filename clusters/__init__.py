"""Host clusters, virtual clusters, placements and operations: desired and observed state."""
