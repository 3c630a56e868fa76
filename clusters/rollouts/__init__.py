"""Rollouts: the parts that need no database."""
