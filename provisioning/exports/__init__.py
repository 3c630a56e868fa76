"""What an export takes of a virtual cluster, read through its API."""
