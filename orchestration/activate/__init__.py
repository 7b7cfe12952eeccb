"""Pushing scores to the destinations: what changed, once it is allowed, and nothing else."""
