"""Ways from one output per step to one per sequence: `build(directions, hidden_size)`.

The module maps (h_BTDH, steps) → p_BDH, D being the directions: time goes first, then the
directions are joined, so that `last` can take each direction at its own end.
"""
