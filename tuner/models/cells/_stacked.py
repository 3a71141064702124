"""The size of torch's recurrent layers, which stack the weights of all gates."""

from __future__ import annotations


def num_parameters(gates: int, inputs: int, hidden_size: int) -> int:
    """Each gate has two matrices and, in torch, two biases."""
    return gates * hidden_size * (inputs + hidden_size + 2)
