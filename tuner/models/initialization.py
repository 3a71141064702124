"""Initial weights by kind of weight, gate by gate.

Pass `gates` as the cell names them: torch stacks the gates' weights into one matrix, and a
fan-out or an orthogonality over the whole stack would be that of no gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from pydantic import Field

from tuner.part import Config

if TYPE_CHECKING:
    from torch import Tensor, nn

Method = Literal["orthogonal", "xavier", "he", "normal", "uniform"]


class InitializationConfig(Config):
    """How weights start; biases start at 0, the forget gate's apart."""

    recurrent: Method = "orthogonal"
    """Hidden-to-hidden weights: orthogonal (Saxe et al., 2014), xavier (Glorot and Bengio, 2010),
    he (He et al., 2015), normal (zero mean and `std`) or uniform (±1/√units, torch's own)."""
    input: Method = "xavier"
    """Input-to-hidden weights."""
    std: float | None = Field(default=None, gt=0)
    """Deviation of what is normal; null is 1/√fan-in."""
    forget_bias: float = Field(default=1.0, ge=-10.0, le=10.0)
    """Bias of an LSTM's forget gate (Jozefowicz et al., 2015), torch's two biases together."""


def initialize(module: nn.Module, gates: tuple[str, ...], config: InitializationConfig) -> None:
    """Fills every weight in place from torch's global random state, in the order of their names.

    Parameters are told apart as torch's recurrent layers name them (`weight_ih_l0` …). Embeddings
    have a variance of one by their units (Ma and Hovy, 2016), padding's row 0; other matrices, of
    the head and the attention, are xavier, other biases 0. The scales of
    normalisations stay 1, a tagger's transitions 0.
    """
    import torch
    from torch import nn

    with torch.no_grad():
        for path, parameter in module.named_parameters():
            owner, _, name = path.rpartition(".")
            if isinstance(module.get_submodule(owner), nn.Embedding):
                bound = (3 / parameter.shape[1]) ** 0.5
                nn.init.uniform_(parameter, -bound, bound)
                parameter[0] = 0.0
            elif name.startswith("weight_ih"):
                for block in parameter.chunk(len(gates)):
                    _fill(block, config.input, config.std)
            elif name.startswith("weight_hh"):
                for block in parameter.chunk(len(gates)):
                    _fill(block, config.recurrent, config.std)
            elif name.startswith("bias"):
                parameter.zero_()
                if name.startswith("bias_ih") and "forget" in gates:
                    forget = parameter.chunk(len(gates))[gates.index("forget")]
                    forget.fill_(config.forget_bias)
            elif parameter.dim() >= 2 and name != "transitions":
                nn.init.xavier_uniform_(parameter)


def _fill(weight: Tensor, method: Method, std: float | None) -> None:
    from torch.nn import init

    rows, fan_in = weight.shape
    match method:
        case "orthogonal":
            init.orthogonal_(weight)
        case "xavier":
            init.xavier_uniform_(weight)
        case "he":
            init.kaiming_normal_(weight, nonlinearity="relu")
        case "normal":
            init.normal_(weight, std=std or fan_in**-0.5)
        case "uniform":
            init.uniform_(weight, -(rows**-0.5), rows**-0.5)
        case _:
            assert_never(method)
