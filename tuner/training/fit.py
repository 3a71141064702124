"""One model in training: fit, epoch, step.

Every rank cuts the same global batches from the same seeded order and takes its share. The loss is
divided by the valid elements of the whole global batch before the first backward, so one rank and N
ranks follow the same curve, and `training/batch_size` means the same everywhere.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tuner import registry
from tuner.config import TrialConfig
from tuner.data.store import Store
from tuner.errors import Diverged
from tuner.models.build import build, shared
from tuner.models.decoder import Decoder
from tuner.models.encoder import truncate
from tuner.tasks._base import Batch, Outputs, Split, Task
from tuner.training import stalls
from tuner.training.activations import Activations
from tuner.training.averages import average
from tuner.training.batches import Batches
from tuner.training.gradients import Gradients
from tuner.training.playing import policy
from tuner.training.precision import Precision
from tuner.training.ranks import Ranks
from tuner.training.regularization import penalty, regularized
from tuner.training.training_rows import TrainingRows
from tuner.training.transfer import transfer

State = list[torch.Tensor]
"""What a model hands on from one batch of a stream to the next."""

_CHECK_EVERY = 64
"""Steps between two looks at the loss: a look stops a GPU, and NaN does not heal."""

_EVALUATION_ROWS = 512


class Fit:
    """One model, its optimizer and its rows."""

    def __init__(
        self,
        config: TrialConfig,
        task: Task,
        store: Store,
        ranks: Ranks,
        *,
        data: Path,
        fold: int | None = None,
        micro_batch: int | None = None,
    ) -> None:
        self.config, self.task, self.store, self.ranks = config, task, store, ranks
        self.micro_batch = micro_batch
        self.fold = fold
        self._stream = [config.training.seed, 0 if fold is None else fold + 1]
        rows, streams = self._rows("train")
        self._left_out = task.left_out(store, fold)
        self.train = TrainingRows(task, store, rows, ranks.device, config, self._stream, streams)
        self.validation = self.batches("validation")
        self.module = build_module(config, task)
        transfer(config.transfer, self.module, data, task.words())
        if config.training.bptt:
            truncate(self.module, config.training.bptt)
        self.module.to(ranks.device)
        self.model: nn.Module = self.module
        self._decoders = [m for m in self.module.modules() if isinstance(m, Decoder)]
        if ranks.size > 1:
            # Buffers are made equal on all ranks by construction; sending them would cost a step.
            self.model = DistributedDataParallel(self.module, forward_sync_buffers=False)
        self.weights, spared = regularized(self.module)
        self.parameters = [*self.weights, *spared]
        self._optimizers = registry.get("optimizers", config.optimizer.name)
        self._schedule = registry.get("schedules", config.schedule.name)
        self.optimizer: torch.optim.Optimizer = self._optimizers.build(
            config.optimizer, self.parameters
        )
        self.num_steps = len(self.train.steps(1))
        self._states: dict[int, State] = {}
        self.precision = Precision(config.training.precision, ranks.device)
        self.gradients = Gradients(self.module, self.parameters, ranks, config.training)
        self._average = average(config, self.module)
        self._activations: Activations | None = None
        if config.regularization.penalises_activations:
            encoder = self.module.get_submodule("encoder")
            self._activations = Activations(config.regularization, encoder)
            self._model_rows = len(self.train.take(np.array([0])).lengths)

    def batches(self, split: Split) -> Batches:
        """The rows of a split, as they are scored."""
        rows, streams = self._rows(split)
        return Batches(self.task, self.store, rows, self.ranks.device, streams)

    def _rows(self, split: Split) -> tuple[np.ndarray, int]:
        """The rows of a split, and in how many streams: as a batch has rows, or a score asks for;
        0 where rows stand by themselves."""
        task, store = self.task, self.store
        if not task.window:
            return task.rows(store, split, self.fold), 0
        size = self.config.training.batch_size
        num = size if split == "train" else task.num_streams(store, split)
        return np.concatenate(task.streams(store, split, self.fold, num)), num

    def epoch(self, number: int, values: list[float]) -> dict[str, float]:
        """Trains over all training rows once, or a share of them, and gives training's metrics.

        Args:
            number: of the epoch, from 1; order and masks follow from it, so a resumed trial
                repeats what an undisturbed one did.
            values: validation values of the epochs before, larger always better.

        Raises:
            Diverged: the loss or the weights' norm is not finite.
        """
        stream = [*self._stream, number]
        steps = self.train.steps(number)
        self.num_steps = len(steps)
        self.ranks.seed(_seed([*stream, self.ranks.rank]))
        self.model.train()
        self.gradients.begin()
        losses: list[torch.Tensor] = []
        total, count = 0.0, 0
        self._states = {}
        for step, places in enumerate(steps):
            progress = (number - 1 + step / self.num_steps) / self.config.training.epochs
            self._set_rate(progress, values)
            for decoder in self._decoders:
                decoder.progress = progress
            loss, elements = self.step(places)
            losses.append(loss)
            count += elements
            if self._average is not None and self._average.begun(progress, values):
                self._average.add()
            if len(losses) == _CHECK_EVERY or step == len(steps) - 1:
                total += self._finite_sum(losses, number)
                losses.clear()
        # Saturated gates keep the loss finite while the weights run away.
        if not torch.stack([p.detach().square().sum() for p in self.parameters]).isfinite().all():
            raise Diverged(f"the squares of the weights overflow in epoch {number}")
        figures = self.gradients.end()
        if self._left_out is not None:
            figures["left_out"] = float(self._left_out)
        return {"train_loss": total / max(count, 1), "lr": self._rate, **figures}

    def step(self, places: np.ndarray) -> tuple[torch.Tensor, int]:
        """One optimizer step on one global batch, given by places among the training rows.

        Returns:
            This rank's part of the loss sum, and the valid elements of the whole batch.
        """
        stalls.beat()
        count = self.train.count(places)
        if not count:
            return torch.zeros((), device=self.ranks.device), 0
        for parameter in self.parameters:
            parameter.grad = None
        batches = self._micro_batches(places)
        losses: list[torch.Tensor] = []
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            with nullcontext() if last else self._without_reduction():
                with self.precision.forward():
                    outputs, state = self.run(self.model, batch, self._states.get(number))
                loss = self.task.loss(self.precision.full(outputs), batch)
                # DDP takes the mean over ranks; times their number it is the sum over the batch.
                objective = loss * (self.ranks.size / count)
                if (
                    last
                    and (extra := penalty(self.config.regularization, self.weights)) is not None
                ):
                    objective = objective + extra
                if self._activations is not None:
                    sequences = len(places) * self._model_rows
                    share = self.ranks.size / sequences
                    objective = objective + self._activations.penalty() * share
                self.precision.scaler.scale(objective).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            self._states[number] = [tensor.detach() for tensor in state]
        self.precision.scaler.unscale_(self.optimizer)
        self._clip()
        self._decay()
        self.precision.scaler.step(self.optimizer)
        self.precision.scaler.update()
        return _sum(losses) if len(losses) > 1 else losses[0], count

    def evaluate(self, batches: Batches, split: Split = "validation") -> dict[str, float]:
        """The task's metrics on some rows, the same on every rank.

        A metric of an output that is not finite is NaN.
        """
        return self.task.metrics(self.statistics(batches, split))

    def statistics(self, batches: Batches, split: Split = "validation") -> list[float]:
        """The task's sums on some rows, added over batches and ranks before any quotient.

        Args:
            split: that the rows are of, whose episodes are played where the task plays.
        """
        self.module.eval()
        sums: torch.Tensor | None = None
        state: State | None = None
        with torch.no_grad():
            for mine in batches.shares(self.ranks, _EVALUATION_ROWS):
                stalls.beat()
                batch = batches.take(mine)
                outputs, state = self.run(self.module, batch, state)
                statistics = self.task.statistics(outputs, batch)
                if not len(mine):
                    statistics = torch.zeros_like(statistics)
                sums = statistics if sums is None else sums + statistics
        assert sums is not None
        if self.task.plays and self.ranks.rank == 0:
            played = torch.from_numpy(self.task.played(policy(self.module), split))
            sums = sums + played.to(sums.device)
        added: list[float] = self.ranks.add(sums).tolist()
        return added

    def run(self, model: nn.Module, batch: Batch, state: State | None) -> tuple[Outputs, State]:
        """The outputs of a batch; of a stream, which goes on from a state, the state after it."""
        if not self.task.window:
            given = [batch.targets] if self.task.reads_targets else []
            return model(batch.inputs, batch.lengths, *given, **batch.named), []
        outputs, after = model(batch.inputs, batch.lengths, state)
        return outputs, after

    def scored(self) -> AbstractContextManager[None]:
        """Encloses whatever looks at the weights that count, where an average of them does."""
        return nullcontext() if self._average is None else self._average.scored()

    def _micro_batches(self, places: np.ndarray) -> list[Batch]:
        """This rank's share in pieces; every rank has as many, so that norms can meet."""
        share = self.ranks.share(places)
        largest = math.ceil(len(places) / self.ranks.size)
        pieces = min(self.config.training.accumulate, largest)
        if self.micro_batch is not None:
            pieces = max(pieces, math.ceil(largest / self.micro_batch))
        if pieces == 1:
            return [self.train.take(share)]
        return [self.train.take(part) for part in np.array_split(share, pieces)]

    def _without_reduction(self) -> AbstractContextManager[None]:
        if isinstance(self.model, DistributedDataParallel):
            return self.model.no_sync()
        return nullcontext()

    def _set_rate(self, progress: float, values: list[float]) -> None:
        schedule = self.config.schedule
        factor = self._schedule.factor(schedule, progress, values)
        if progress < schedule.warmup:
            factor *= (progress + 1 / (self.num_steps * self.config.training.epochs)) / (
                schedule.warmup + 1 / (self.num_steps * self.config.training.epochs)
            )
        self._rate = self.config.optimizer.rate(self.config.training.batch_size) * factor
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate

    def _clip(self) -> None:
        training = self.config.training
        norm = self.gradients.look(needed=training.clip_norm > 0)
        if training.clip_value:
            nn.utils.clip_grad_value_(self.parameters, training.clip_value)
        if training.clip_norm and (norm is None or training.clip_value):
            nn.utils.clip_grad_norm_(self.parameters, training.clip_norm)
        elif training.clip_norm and norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, training.clip_norm, norm)

    def _decay(self) -> None:
        if decay := self.config.optimizer.weight_decay:
            with torch.no_grad():
                torch._foreach_mul_(list[torch.Tensor](self.weights), 1 - self._rate * decay)

    def _finite_sum(self, losses: list[torch.Tensor], number: int) -> float:
        """The loss of all ranks over some steps."""
        loss: float = self.ranks.add(_sum(losses)).item()
        if not math.isfinite(loss):
            raise Diverged(f"the training loss is {loss} in epoch {number}")
        return loss

    def tensors(self) -> dict[str, torch.Tensor]:
        """Model, optimizer and all that follows the steps, as flat tensors."""
        found = {f"model/{name}": tensor for name, tensor in self.module.state_dict().items()}
        for index, entries in self.optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                if value is not None:
                    found[f"optimizer/{index}/{name}"] = torch.as_tensor(value)
        found |= {f"scaler/{name}": tensor for name, tensor in self.precision.tensors().items()}
        if self._average is not None:
            found |= {f"average/{name}": t for name, t in self._average.tensors().items()}
        return found

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """The reverse of `tensors`."""
        self.module.load_state_dict(below(tensors, "model/"))
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in below(tensors, "optimizer/").items():
            index, _, key = name.partition("/")
            state.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.precision.restore(below(tensors, "scaler/"))
        if self._average is not None:
            self._average.restore(below(tensors, "average/"))


def build_module(config: TrialConfig, task: Task) -> nn.Module:
    """A model with its initial weights, which follow from the seed alone."""
    shapes = task.shapes()
    model = shared(config.model, len(shapes))
    networks = [
        build(
            model,
            config.initialization,
            config.regularization.dropouts,
            shape,
            seed=config.training.seed + number,
        )
        for number, shape in enumerate(shapes)
    ]
    return task.network(networks)


def below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors under a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _sum(losses: list[torch.Tensor]) -> torch.Tensor:
    """In double precision: an epoch may add millions of elements."""
    return torch.stack(losses).sum(dtype=torch.float64)


def _seed(stream: list[int]) -> int:
    return int(np.random.SeedSequence(stream).generate_state(1, np.uint64)[0] >> 1)
