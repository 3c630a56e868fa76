"""Moving a virtual cluster from one host cluster to another."""
