"""Pages of virtual clusters."""
