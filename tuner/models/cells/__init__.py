"""Kinds of recurrent layer, one file each: `GATES`, `STATE`, `build`, `num_parameters`.

`GATES` names the blocks of rows in which torch stacks the gates' weights, in their order;
`STATE` names the parts of its state. A hidden-to-hidden matrix is called `weight_hh_l0`.
`build(inputs, hidden_size)` gives a one-directional layer of one level that maps x_BTI, or x_BTI
and a state, to (h_BTH, state); a state is a tensor, or a tuple of some, of shape 1BH each.
`num_parameters(inputs, hidden_size)` counts what that layer has, without torch.

A layer that is none of torch's needs a method more before its network can stream:
`held(x_BTI, state, lengths_B)` gives the same, its state being that after each row's own last step,
or the one given for a row without steps.
"""
