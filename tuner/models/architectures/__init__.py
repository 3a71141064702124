"""Whole networks, one file each: a `Config` and `build(config, dropouts, shape)`."""
