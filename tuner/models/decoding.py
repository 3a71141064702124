"""Networks that answer a horizon step by step, called like any other: (x_BTI, lengths_B) → y_BO.

B windows   T steps: the past, then H - 1 ahead   I inputs   H steps ahead   S outputs per step

The output at each step is of the step after it: at the last of the past, of the first ahead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Recursive(nn.Module):
    """One network, a step ahead at a time, that reads its own answers.

    In training it reads what was true instead (teacher forcing; Williams and Zipser, 1989), which
    stands in the first inputs of the steps ahead and is never looked at otherwise.
    """

    def __init__(self, network: nn.Module, horizon: int, answers: list[int]) -> None:
        """Takes a network that carries its state and answers per step.

        Args:
            network: (x_BTI, lengths_B, state) → (y_BTS, state).
            horizon: steps ahead.
            answers: places among a step's outputs of what stands in its successor's first inputs.
        """
        super().__init__()
        self.network, self.horizon, self.answers = network, horizon, answers

    @property
    def least_steps(self) -> int:
        """Of an input."""
        return self.horizon

    def forward(self, x_BTI: Tensor, lengths_B: Tensor) -> Tensor:
        """Outputs of all steps ahead, one after the other."""
        ahead = self.horizon - 1
        if self.training or not ahead:
            y_BTS, _ = self.network(x_BTI, lengths_B, None)
            return _last(y_BTS, self.horizon)
        y_BTS, state = self.network(x_BTI[:, :-ahead], _less(lengths_B, ahead), None)
        answers = [y_BTS[:, -1]]
        one_B = torch.ones_like(lengths_B)
        for step in range(-ahead, 0):
            x_B1I = x_BTI[:, step:] if step == -1 else x_BTI[:, step : step + 1]
            answer_B1A = answers[-1][:, None, self.answers]
            read_B1I = torch.cat([answer_B1A, x_B1I[:, :, len(self.answers) :]], dim=2)
            y_B1S, state = self.network(read_B1I, one_B, state)
            answers.append(y_B1S[:, 0])
        return torch.cat(answers, dim=1)


class Seq2Seq(nn.Module):
    """An encoder of the past, whose state a decoder of the steps ahead begins with.

    Sutskever et al. (2014), but for what the decoder reads: what is known of each step ahead
    instead of its own answers, so that training and forecasting are the same. The first step ahead
    is the encoder's own.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, horizon: int) -> None:
        super().__init__()
        assert horizon > 1, "one step ahead leaves nothing to decode"
        self.encoder, self.decoder, self.horizon = encoder, decoder, horizon

    @property
    def least_steps(self) -> int:
        """Of an input."""
        return self.horizon

    def forward(self, x_BTI: Tensor, lengths_B: Tensor) -> Tensor:
        """Outputs of all steps ahead, one after the other."""
        ahead = self.horizon - 1
        first_BTS, state = self.encoder(x_BTI[:, :-ahead], _less(lengths_B, ahead), None)
        ahead_B = torch.full_like(lengths_B, ahead)
        others_BTS, _ = self.decoder(x_BTI[:, -ahead:], ahead_B, state)
        return torch.cat([_last(first_BTS, 1), _last(others_BTS, ahead)], dim=1)


def _last(y_BTS: Tensor, steps: int) -> Tensor:
    """The last steps side by side; one by one, so that a graph knows how many outputs it has."""
    return torch.cat([y_BTS[:, step] for step in range(-steps, 0)], dim=1)


def _less(lengths_B: Tensor, ahead: int) -> Tensor:
    """Steps of the past; a placeholder row keeps its length of 0."""
    return (lengths_B - ahead).clamp(min=0)
