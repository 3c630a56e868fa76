"""How a virtual cluster's objects and workloads get from one host to another."""
