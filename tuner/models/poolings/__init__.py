"""Ways from one output per step to one per sequence: `build` and `num_parameters`.

`build(directions, hidden_size, heads)` gives a module that maps (a list of an h_BTH for each
direction, steps) → a list of a p_BH for each: time goes first, then the directions are joined, so
that `last` can take each direction at its own end. `heads` are for those that attend with several.
`num_parameters`, of the same arguments, counts what that module has, without torch. `VECTORS`, 1 if
left out, is how many of H units p_BH holds side by side.

A pooling that can be told its steps piece by piece has two methods more. `begin()` gives what each
of its states starts from, unit by unit. `advance(states, h_BTH, steps)` → (p_BH, states) goes on
with a piece of one direction; each state is 1BU, and a row without steps keeps its own.
"""
