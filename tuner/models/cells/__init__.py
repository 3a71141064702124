"""Kinds of recurrent layer, one file each: `GATES` and `build(inputs, hidden_size)`.

`GATES` names the blocks of rows in which torch stacks the gates' weights, in their order.
`build` gives a one-directional layer of one level: x_BTI → (h_BTH, state).
"""
