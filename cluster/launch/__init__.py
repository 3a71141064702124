"""Clusters of one's own: Ray's head and workers over ssh, or inside a Slurm allocation."""
