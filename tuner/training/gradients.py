"""How large gradients are, layer by layer, and whether they vanish or explode.

Rules of Pascanu, Mikolov and Bengio (2013): a gradient explodes where single steps are many times
the usual one, and vanishes where what was said long ago, or far below, no longer moves the loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tuner.models.encoder import Encoder
from tuner.training.config import TrainingConfig
from tuner.training.ranks import Ranks

PREFIX = "grad_norm/"
TOTAL, LARGEST = f"{PREFIX}total", f"{PREFIX}largest"
IN_TIME = f"{PREFIX}first_over_last_step"

_EVERY = 16
"""Steps between two looks where clipping needs none: at each they would slow a small step by a
fifth."""
_IN_TIME_EVERY = 32
"""Looks between two at the gradient of the encoder's inputs, which nothing else needs."""
_MOST_LAYERS = 8
"""Layers with a metric of their own, the lowest and the highest: MLflow's pages slow down with
many."""

_EXPLODING = 100.0
"""Times the usual norm."""
_NOT_FINITE = float(np.finfo(np.float32).max)
_VANISHING = 1e-4
"""Of the top layer's norm, or of the last step's."""


class Gradients:
    """Gathers the norms of an epoch on the device, before they are clipped.

    Args:
        module: whose gradients they are.
        parameters: those that are trained.
        ranks: that train it together.
        training: the trial's section.
    """

    def __init__(
        self,
        module: nn.Module,
        parameters: Sequence[nn.Parameter],
        ranks: Ranks,
        training: TrainingConfig,
    ) -> None:
        self._parameters, self._ranks = parameters, ranks
        # While float16's scale is sought gradients overflow, and their steps are left out.
        self._overflows = training.precision == "float16"
        layers = {id(p): _layer(name) for name, p in module.named_parameters() if p.requires_grad}
        self._layer_P = [layers[id(p)] for p in parameters]
        names = list(dict.fromkeys(layers.values()))
        half = _MOST_LAYERS // 2
        self._layers = names if len(names) <= _MOST_LAYERS else names[:half] + names[-half:]
        self._norms_P: list[Tensor] = []
        self._steps = self._looks = 0
        self._ends: list[Tensor] = []
        encoder = getattr(module, "encoder", None)
        # What is cut on purpose does not vanish.
        self._watched = encoder if isinstance(encoder, Encoder) and not training.bptt else None
        self._hook: RemovableHandle | None = None

    def begin(self) -> None:
        """Begins an epoch."""
        self._steps = self._looks = 0
        self._norms_P.clear()
        self._ends.clear()
        self._watch()

    def look(self, *, needed: bool) -> Tensor | None:
        """Looks at the gradients of a step, reduced and not yet clipped.

        Args:
            needed: look at every step, since the norm is wanted anyway.

        Returns:
            The norm of all of them; None where this step was left out.
        """
        self._steps += 1
        if not needed and self._steps % _EVERY != 1:
            return None
        grads = [p.grad for p in self._parameters if p.grad is not None]
        norms = list(torch._foreach_norm(grads))
        if len(grads) < len(self._parameters):
            found, none = iter(norms), torch.zeros((), device=self._ranks.device)
            norms = [none if p.grad is None else next(found) for p in self._parameters]
        norms_P = torch.stack(norms)
        self._norms_P.append(norms_P)
        self._looks += 1
        self._watch()
        norm: Tensor = torch.linalg.vector_norm(norms_P)
        return norm

    def end(self) -> dict[str, float]:
        """The figures of a whole epoch, the same on every rank."""
        figures = self.figures()
        if figures and self._watched is not None:
            ends = torch.zeros(2, dtype=torch.float64)
            if self._ends:
                ends_L2 = torch.stack(self._ends)
                ends = ends_L2[ends_L2.isfinite().all(dim=1)].sum(dim=0)
            first, last = self._ranks.add(ends.to(self._ranks.device)).tolist()
            # No sequence has two steps: nothing has a way to vanish on.
            figures[IN_TIME] = math.sqrt(first / last) if last else 1.0
        self.begin()
        return figures

    def figures(self) -> dict[str, float]:
        """Norms of the epoch so far: the middle step's of each layer and of all, and the largest.

        Steps whose gradient is not finite count for the largest alone, as float32's largest
        number. There are none before the first step.
        """
        if not self._norms_P:
            return {}
        norms_SP = torch.stack(self._norms_P).double().cpu().numpy()
        finite_S = np.isfinite(norms_SP).all(axis=1)
        squares_SP = np.square(norms_SP[finite_S])
        total_S = np.sqrt(squares_SP.sum(axis=1))
        largest = total_S.max(initial=0.0)
        if not finite_S.all() and not self._overflows:
            largest = _NOT_FINITE
        found = {TOTAL: _middle(total_S), LARGEST: float(largest)}
        for layer in self._layers:
            mine_P = [name == layer for name in self._layer_P]
            found[PREFIX + layer] = _middle(np.sqrt(squares_SP[:, mine_P].sum(axis=1)))
        return found

    def _watch(self) -> None:
        """Watches the encoder's inputs where that is due: a hook alone slows each forward pass."""
        due = self._watched is not None and self._looks % _IN_TIME_EVERY == 0
        if self._hook is not None and not due:
            self._hook.remove()
            self._hook = None
        elif self._hook is None and due:
            assert self._watched is not None
            self._hook = self._watched.register_forward_pre_hook(self._have_told)

    def _have_told(self, encoder: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Has the gradient of the inputs told at their first and at their last step."""
        if not encoder.training:
            return None
        x_BTF, steps, *rest = given
        if not x_BTF.requires_grad:
            x_BTF = x_BTF.detach().requires_grad_()
        length_B = steps.valid_BT.sum(dim=1)

        def tell(gradient_BTF: Tensor) -> None:
            row_B = torch.arange(len(length_B), device=length_B.device)
            last_BF = gradient_BTF[row_B, (length_B - 1).clamp(min=0)]
            is_long_B1 = (length_B > 1).unsqueeze(1)
            # Squares of what has nearly vanished need the range of float64.
            both = [(g.double().square() * is_long_B1).sum() for g in (gradient_BTF[:, 0], last_BF)]
            self._ends.append(torch.stack(both))

        x_BTF.register_hook(tell)
        return (x_BTF, steps, *rest)


def note(epochs: Sequence[Mapping[str, float]]) -> str:
    """What a trial's gradients suffer from, in one line; empty if from nothing.

    Args:
        epochs: the metrics of each.
    """
    seen = [metrics for metrics in epochs if TOTAL in metrics]
    for number, metrics in enumerate(seen, 1):
        if metrics[LARGEST] >= _NOT_FINITE:
            return "exploding: a step's gradient was not finite"
        # What was usual up to here: a loss that is learnt makes later gradients small.
        usual = median(m[TOTAL] for m in seen[:number])
        if usual and metrics[LARGEST] > _EXPLODING * usual:
            times = metrics[LARGEST] / usual
            return f"exploding: a step's gradient was {times:.0e} times the usual one"
    over_layers = [ratio for metrics in seen if (ratio := _lowest_over_top(metrics)) is not None]
    if over_layers and median(over_layers) < _VANISHING:
        return f"vanishing: the lowest layer's gradient is {median(over_layers):.0e} of the top's"
    in_time = [metrics[IN_TIME] for metrics in seen if IN_TIME in metrics]
    if in_time and median(in_time) < _VANISHING:
        return f"vanishing: the first step's gradient is {median(in_time):.0e} of the last's"
    return ""


def _middle(norms_S: np.ndarray) -> float:
    """The median; 0 of none."""
    return float(np.median(norms_S)) if len(norms_S) else 0.0


def _lowest_over_top(metrics: Mapping[str, float]) -> float | None:
    """The lowest layer of the encoder, where a model has one, against the last of all."""
    layers = [
        name
        for name in metrics
        if name.startswith(PREFIX) and name not in (TOTAL, LARGEST, IN_TIME)
    ]
    if not layers or not metrics[layers[-1]]:
        return None
    encoder = [name for name in layers if name.startswith(f"{PREFIX}encoder.")]
    return metrics[(encoder or layers)[0]] / metrics[layers[-1]]


def _layer(name: str) -> str:
    """The layer of a parameter: its path up to the first number, else the module that holds it."""
    path = name.split(".")[:-1]
    number = next((place for place, step in enumerate(path) if step.isdecimal()), len(path) - 1)
    return ".".join(path[: number + 1]) or name
