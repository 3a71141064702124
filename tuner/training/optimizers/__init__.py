"""One file per optimizer: its `Config`, and `build(config, groups) -> torch.optim.Optimizer`.

Decay here is always decoupled (Loshchilov and Hutter, 2019): the loop shrinks the weights by
`lr x weight_decay` itself, the same way for every optimizer, and spares biases and norms.

An optimizer whose steps are to be averaged also has `averages(config, progress, values) -> bool`:
whether a step counts, a function of its arguments alone, as a schedule's factor is.
"""
