"""Recurrent networks over padded batches that never see their padding; `build` is the door."""
