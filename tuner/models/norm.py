"""Normalisation of one direction's outputs that counts valid steps only."""

from __future__ import annotations

from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from tuner.models.steps import Steps

NormName = Literal["none", "layer", "batch"]


def norm(name: NormName, hidden_size: int) -> nn.Module:
    """The normalisation of that name: (h_BTH, steps) → h_BTH."""
    match name:
        case "none":
            return NoNorm()
        case "layer":
            return LayerNorm(hidden_size)
        case "batch":
            return BatchNorm(hidden_size)


class NoNorm(nn.Module):
    """Passes its input on."""

    def forward(self, h_BTH: Tensor, steps: Steps) -> Tensor:
        """Gives h_BTH back."""
        return h_BTH


class LayerNorm(nn.LayerNorm):
    """Normalises each step by itself (Ba, Kiros and Hinton, 2016)."""

    def forward(self, h_BTH: Tensor, steps: Steps) -> Tensor:  # type: ignore[override]
        """Normalises over H; padding keeps to itself."""
        return super().forward(h_BTH)


class BatchNorm(nn.Module):
    """Normalises each unit over the valid steps of the global batch, on whatever device.

    Sequence-wise batch normalisation as in Laurent et al. (2016). torch's SyncBatchNorm refuses
    CPUs and counts padding. Every rank must take part in every training step; one without rows
    passes lengths of 0 and adds nothing.
    """

    MOMENTUM = 0.1
    EPSILON = 1e-5

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.register_buffer("running_mean", torch.zeros(hidden_size))
        self.register_buffer("running_var", torch.ones(hidden_size))

    def forward(self, h_BTH: Tensor, steps: Steps) -> Tensor:
        """Normalises by the global batch in training, by the running statistics otherwise."""
        if self.training:
            mean_H, var_H = self._moments(h_BTH, steps)
        else:
            mean_H, var_H = self.running_mean, self.running_var
        scale_H = torch.rsqrt(var_H + self.EPSILON) * self.weight
        return ((h_BTH - mean_H) * scale_H + self.bias).to(h_BTH.dtype)

    def _moments(self, h_BTH: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        padding_BT1 = ~steps.valid_BT.unsqueeze(-1)
        # Half precision cannot hold sums over a batch.
        h_BTH = h_BTH.to(torch.promote_types(h_BTH.dtype, torch.float32))
        count_1 = steps.valid_BT.sum().to(h_BTH.dtype).reshape(1)
        sum_H = h_BTH.masked_fill(padding_BT1, 0.0).sum(dim=(0, 1))
        total = _over_ranks(torch.cat([sum_H, count_1]))
        count_1 = total[-1:].clamp(min=1.0)
        mean_H = total[:-1] / count_1
        # A second pass: the difference of squares loses all digits where mean² ≫ variance.
        centred_BTH = (h_BTH - mean_H).masked_fill(padding_BT1, 0.0)
        var_H = _over_ranks(centred_BTH.square().sum(dim=(0, 1))) / count_1
        with torch.no_grad():
            unbiased_H = var_H * count_1 / (count_1 - 1).clamp(min=1.0)
            for running_H, batch_H in ((self.running_mean, mean_H), (self.running_var, unbiased_H)):
                running_H.lerp_(batch_H.to(running_H.dtype), self.MOMENTUM)
        return mean_H, var_H


def _over_ranks(local: Tensor) -> Tensor:
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return local
    total: Tensor = _SumOverRanks.apply(local)  # type: ignore[no-untyped-call]
    return total


class _SumOverRanks(torch.autograd.Function):
    """An all-reduce with a gradient: every rank's loss depends on every rank's summand.

    torch's own, `torch.distributed.nn.functional.all_reduce`, is deprecated.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, local: Tensor) -> Tensor:
        total = local.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total
