"""One file per schedule: its `Config`, and `factor(config, progress, values) -> float`.

`progress` runs from 0 to 1 over the trial's full budget, whatever the rung; `values` are the
validation values of the epochs done so far, larger always better. A schedule keeps no state, so a
resumed trial is where it was.
"""
