"""Frames for each text, such as those of speech, one step after another.

An encoder reads the text; a decoder gives frames, each from what it gave before (Graves, 2013), and
looks at the text through a window that only moves on (Wang et al., 2017, have it in one model).
What is read in other tasks is given here: sequences are frames, and the texts that they stand for
are the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuner.data.card import TaskData
from tuner.data.files import join_some
from tuner.data.ids import FIRST
from tuner.errors import Mistake
from tuner.models.shape import Shape
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit
from tuner.tasks import _frame_exhibits
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._sequences import SequenceTask
from tuner.tasks._targets import TargetReader
from tuner.tasks._warping import warped

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.data.store import Steps, Store

METRICS = {
    "dtw": "minimize",
    "mae": "minimize",
    "stop_loss": "minimize",
    "length_error": "minimize",
    "unended": "minimize",
}
"""Metric → direction; the first is the default objective. All differences are in deviations of the
training frames. `dtw` is of frames that are given freely, warped in time to agree best with the
recorded ones, `length_error` the frames that they are too many or too few by those recorded, and
`unended` the share of texts that were cut off. `mae` and `stop_loss`, nats per text that its end is
where it is, are of frames given after the true ones (teacher forcing)."""

SHIPPED = True
"""What gives frames has a decoder, which the platform has of its own."""

BEYOND = 2
"""Times the longest training text, and the longest training recording, that an answer may be."""


class Config(PartConfig):
    """Options of the task."""

    name: Literal["synthesis"] = "synthesis"


class InputConfig(PartConfig):
    """Nothing: texts are read token by token, frames given in deviations of the training rows, the
    same for every trial."""


class LossConfig(PartConfig):
    """Section `loss/` of a trial; training only."""

    name: Literal["l1", "mse"] = "l1"
    """Of frames: the absolute or the squared difference, the mean over bands. That of their ends,
    in nats, is added."""


def data(options: Config) -> TaskData:
    """Frames for each text, by default of characters."""
    return TaskData(kind="sequence", target="frames", target_tokens="character")


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Synthesis:
    """Makes the task for one data set."""
    return Synthesis(facts, losses or LossConfig())


class Synthesis(SequenceTask):
    """Frames and where they end, from what was true before or from what was given."""

    TARGET_TIMED = frozenset({"targets", "weights"})

    def __init__(self, facts: Facts, losses: LossConfig) -> None:
        super().__init__(SequenceInputs(), facts)
        self._losses = losses
        self._bands = self.num_inputs
        self.num_inputs, self.num_outputs = 0, self._bands + 1
        self._text = TargetReader(facts, FIRST)
        self.vocabulary = self._text.vocabulary
        total, longest = facts.statistics.target_steps
        self.most_frames = BEYOND * longest
        counts_L = np.asarray(facts.statistics.target_lengths)
        self._frames_per_token = total / float(counts_L @ np.arange(len(counts_L)))

    @property
    def shape(self) -> Shape:
        pace = 1 / self._frames_per_token
        return Shape(0, self.num_outputs, vocabulary=self.vocabulary, pace=pace)

    def network(self, networks: list[nn.Module]) -> nn.Module:
        (network,) = networks
        network.most = self.most_frames  # type: ignore[assignment]
        return network

    def words(self) -> Sequence[str]:
        return self._text.words()

    def step_names(self, steps: Steps, row: int) -> list[str]:
        assert steps.target_tokens is not None
        return steps.target_tokens.of(row)

    def lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        assert steps.target_tokens is not None
        lengths_R: np.ndarray = steps.target_tokens.length_S[rows].astype(np.int64)
        return lengths_R

    def target_lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        lengths_R: np.ndarray = steps.length_S[rows].astype(np.int64)
        return lengths_R

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return int(self.target_lengths(steps, rows).sum())

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        ids_BT, lengths_B = self._text.cut(steps, rows)
        frames_BUM, ends_B, index_BU = self.reader.cut(steps, rows)
        return Batch(
            inputs=ids_BT[:, :, None],
            lengths=lengths_B,
            targets=frames_BUM,
            weights=(index_BU >= 0).astype(np.float32),
            target_lengths=ends_B,
        )

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        y_BUO = outputs[0] if isinstance(outputs, tuple) else outputs
        apart_BUM = y_BUO[:, :, :-1] - batch.targets
        apart_BUM = apart_BUM.abs() if self._losses.name == "l1" else apart_BUM.square()
        losses_BU = apart_BUM.mean(dim=2) + _ends(y_BUO[:, :, -1], batch)
        # What stands at padding may be anything, an infinity among it.
        total: Tensor = torch.where(batch.weights > 0, losses_BU, 0.0).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        y_BUO, given_BLM, given_B = outputs
        counts_BU = batch.weights > 0
        apart_BU = (y_BUO[:, :, :-1] - batch.targets).abs().double().mean(dim=2)
        ends_BU = _ends(y_BUO[:, :, -1].double(), batch)
        broken = (~torch.isfinite(y_BUO).all(dim=2) & counts_BU).sum()
        forced = [broken, *(torch.where(counts_BU, x, 0.0).sum() for x in (apart_BU, ends_BU))]
        true_BUM, given_BLM, true_B, given_B = (
            part.cpu().numpy() for part in (batch.targets, given_BLM, batch.target_lengths, given_B)
        )
        # A row that only keeps a rank in step has no frames.
        pairs = [
            (true_BUM[b, : true_B[b]], given_BLM[b, : given_B[b]]) for b in np.flatnonzero(true_B)
        ]
        sums = [*map(float, forced), *self._compared(pairs)]
        return torch.tensor(sums, dtype=torch.float64, device=y_BUO.device)

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        broken, apart, ends, infinite, texts, frames, warp, steps, longer, unended = statistics
        if broken or infinite or not texts:
            return dict.fromkeys(METRICS, float("nan"))
        return {
            "dtw": warp / steps,
            "mae": apart / frames,
            "stop_loss": ends / texts,
            "length_error": longer / frames,
            "unended": unended / texts,
        }

    def _compared(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[float]:
        """Sums over texts, from those that are infinite on: of true and given frames, UM each."""
        sums = np.zeros(7)
        for true_UM, given_LM in pairs:
            num, given = len(true_UM), len(given_LM)
            finite = bool(np.isfinite(given_LM).all())
            warp = warped(true_UM, given_LM) if finite else 0.0
            ended = given < self.most_frames
            sums += [not finite, 1, num, warp, num + given, abs(num - given), not ended]
        return [float(each) for each in sums]

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """Frames that are given, and those recorded."""
        return _frame_exhibits.pictures(self, store, rows, run)

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The mean training frame, for as many frames as training had per token of a text.

        Each frame is as likely to be the last one.
        """
        rows = self.rows(store, split, fold)
        tokens_R, true_R = self.lengths(store, rows), self.target_lengths(store, rows)
        given_R = np.maximum(np.round(tokens_R * self._frames_per_token), 1).astype(np.int64)
        total, _ = self.facts.statistics.target_steps
        odds = sum(self.facts.statistics.target_lengths) / total
        apart, sums = 0.0, np.zeros(7)
        for row, given in zip(rows, given_R.tolist(), strict=True):
            true_UM = self.batch(store, np.array([row])).targets[0]
            apart += float(np.abs(true_UM.astype(np.float64)).mean(axis=1).sum())
            given = min(given, self.most_frames)
            sums += self._compared([(true_UM, np.zeros((given, self._bands)))])
        ends = -float(((true_R - 1) * np.log1p(-odds) + np.log(odds)).sum())
        return {"mean frame": self.metrics([0.0, apart, ends, *sums.tolist()])}

    def refused(self, steps: Steps) -> list[Mistake]:
        """Texts of tokens that no training text had, or far longer than any."""
        texts = steps.target_tokens
        assert texts is not None
        most, known = BEYOND * self._text.longest, {*self._text.words()}
        odd = {s: {*texts.of(s)} - known for s in range(len(texts.length_S))}
        odd = {s: tokens for s, tokens in odd.items() if tokens}
        long = [s for s, length in enumerate(texts.length_S) if length > most]
        mistakes = []
        if odd:
            mistakes.append(
                Mistake(
                    code="predict/unknown-token",
                    rule="a text must be made of tokens that a training text had: "
                    f"{join_some(map(repr, sorted(known)), 40)}",
                    where=join_some(steps.ids[s] for s in odd),
                    got=join_some(map(repr, sorted(set().union(*odd.values())))),
                    fix="Write it otherwise: nothing is known of how these sound.",
                )
            )
        if long:
            mistakes.append(
                Mistake(
                    code="predict/too-long",
                    rule=f"a text must have at most {most:,} tokens, {BEYOND} times as many as "
                    "the longest training text",
                    where=join_some(steps.ids[s] for s in long),
                    got=f"up to {int(texts.length_S.max()):,}",
                    fix="Cut it into pieces.",
                )
            )
        return mistakes

    def notes(self, steps: Steps, rows: np.ndarray, outputs: Outputs) -> list[str]:
        _, _, given_B = outputs
        cut = [steps.ids[row] for row in rows[given_B >= self.most_frames]]
        if not cut:
            return []
        return [
            f"{len(cut):,} of {len(rows):,} texts came to no end and were cut off at "
            f"{self.most_frames:,} frames, {BEYOND} times as many as the longest recording of "
            f"training: {join_some(cut)} [predict/unended]"
        ]

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """Each text's frames, one after the other, in the data's own units."""
        _, given_BLM, given_B = outputs
        frames_NM = np.concatenate([given_BLM[b, :n] for b, n in enumerate(given_B)])
        columns = self.in_units(frames_NM).T.tolist()
        return {
            "id": [steps.ids[row] for row, n in zip(rows, given_B, strict=True) for _ in range(n)],
            "frame": [frame for n in given_B for frame in range(1, n + 1)],
            **dict(zip(self.facts.features, columns, strict=True)),
        }

    def in_units(self, frames_NM: np.ndarray) -> np.ndarray:
        """Frames in the data's own units."""
        statistics = self.facts.statistics
        units_NM: np.ndarray = frames_NM * np.asarray(statistics.std) + np.asarray(statistics.mean)
        return units_NM


def _ends(odds_BU: Tensor, batch: Batch) -> Tensor:
    """loss_BU in nats of whether each frame is the last one."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    place_U = torch.arange(odds_BU.shape[1], device=odds_BU.device)
    last_BU = place_U == batch.target_lengths.unsqueeze(1) - 1
    return binary_cross_entropy_with_logits(odds_BU, last_BU.to(odds_BU), reduction="none")
