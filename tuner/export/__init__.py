"""Exported models: bundles that equal the trained network and open without torch."""
