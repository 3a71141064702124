"""One rank of the batch-norm test, importable by the processes that torch spawns."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

LENGTHS = [5, 1, 3, 4]


def step(module: torch.nn.Module, rows: slice, num_ranks: int) -> None:
    """Two training passes over some rows of the global batch, or over a placeholder."""
    generator = torch.Generator().manual_seed(2)
    x_BTF = torch.randn(len(LENGTHS), max(LENGTHS), 3, generator=generator, dtype=torch.float64)
    lengths_B = torch.tensor(LENGTHS)
    weight = 1.0
    x_BTF, lengths_B = x_BTF[rows], lengths_B[rows]
    if not len(x_BTF):
        x_BTF, lengths_B, weight = x_BTF.new_full((1, 2, 3), 1e3), torch.tensor([0]), 0.0
    for _ in range(2):
        # DDP averages over ranks; the loss is a sum over the global batch.
        (module(x_BTF, lengths_B).square().sum() * weight * num_ranks).backward()


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Gradients and running statistics."""
    gradients = {f"grad {n}": p.grad for n, p in module.named_parameters() if p.grad is not None}
    return gradients | dict(module.named_buffers())


def network() -> torch.nn.Module:
    """Two layers in two directions with batch normalisation; doubles tell rounding from error."""
    config = RecurrentConfig(cell="gru", hidden_size=4, layers=2, directions=2, norm="batch")
    return build(config, InitializationConfig(), Dropouts(), Shape(3, 2), seed=0).double()


def rank(index: int, num_ranks: int, folder: str, cuts: list[int]) -> None:
    """Trains rows cuts[index] to cuts[index + 1] and saves what came out."""
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store", num_ranks)
    dist.init_process_group("gloo", store=store, rank=index, world_size=num_ranks)
    module = network()
    step(DistributedDataParallel(module), slice(cuts[index], cuts[index + 1]), num_ranks)
    torch.save(state(module), Path(folder) / f"{index}.pt")
    dist.destroy_process_group()
