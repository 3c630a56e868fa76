"""The door for kubectl: one address for every virtual cluster, and no credential of a host behind it."""
