from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from seqeval.metrics.sequence_labeling import get_entities

from tuner.tasks import _crf, _spans
from tuner.tasks._losses import ClassLossConfig, class_losses

TAGS = ("O", "B-a", "I-a", "B-b", "I-b", "E-a", "S-a", "S-b", "E-b")


def test_spans_are_those_of_seqeval() -> None:
    chance = random.Random(0)
    for _ in range(500):
        tags = chance.choices(TAGS[:5], k=chance.randint(1, 8))
        expected = {(kind, first, last + 1) for kind, first, last in get_entities(tags)}
        assert set(_spans.spans(tags)) == expected, tags


def test_spans_come_back_from_bioes() -> None:
    chance = random.Random(1)
    for _ in range(200):
        tags = _spans.to_bio(chance.choices(TAGS[:5], k=chance.randint(1, 8)))
        marked = _spans.to_bioes(tags)
        assert _spans.spans(marked) == _spans.spans(tags)
        assert _spans.to_bio(marked) == tags
        pairs = itertools.pairwise(["O", *marked, "O"])
        assert all(_spans.may_follow(before, after) for before, after in pairs)


@pytest.mark.parametrize(
    ("before", "after"), [("O", "I-a"), ("B-b", "I-a"), ("S-a", "E-a"), ("E-a", "I-a")]
)
def test_no_scheme_lets_a_span_go_on_from_elsewhere(before: str, after: str) -> None:
    assert not _spans.may_follow(before, after)


def paths(num_tags: int, length: int) -> list[tuple[int, ...]]:
    return list(itertools.product(range(num_tags), repeat=length))


def score(y_TO: torch.Tensor, transitions: torch.Tensor, path: tuple[int, ...]) -> torch.Tensor:
    """One path's score, term by term."""
    total = transitions[-2, path[0]] + transitions[-1, path[-1]]
    total = total + sum(y_TO[t, tag] for t, tag in enumerate(path))
    return total + sum(transitions[a, b] for a, b in itertools.pairwise(path))


@pytest.fixture
def chain() -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    y_BTO = torch.randn(3, 5, 3, generator=generator)
    transitions = torch.randn(5, 3, generator=generator)
    return y_BTO, transitions, np.array([5, 1, 3])


def test_the_crf_weighs_all_paths(chain: tuple[torch.Tensor, torch.Tensor, np.ndarray]) -> None:
    y_BTO, transitions, lengths = chain
    tags_BT = torch.tensor([[0, 2, 1, 1, 0], [1, 0, 0, 0, 0], [2, 2, 0, 0, 0]])
    valid_BT = torch.arange(5) < torch.from_numpy(lengths)[:, None]

    loss_B = _crf.loss(y_BTO, transitions, tags_BT, valid_BT, ClassLossConfig())

    for b, length in enumerate(lengths):
        scores = torch.stack([score(y_BTO[b], transitions, p) for p in paths(3, int(length))])
        truth = score(y_BTO[b], transitions, tuple(tags_BT[b, :length].tolist()))
        torch.testing.assert_close(loss_B[b], scores.logsumexp(0) - truth)


def test_a_smoothed_or_focal_crf_is_that_of_a_class_for_each_path(
    chain: tuple[torch.Tensor, torch.Tensor, np.ndarray],
) -> None:
    y_BTO, transitions, lengths = chain
    tags_BT = torch.tensor([[0, 2, 1, 1, 0], [1, 0, 0, 0, 0], [2, 2, 0, 0, 0]])
    valid_BT = torch.arange(5) < torch.from_numpy(lengths)[:, None]
    for options in ({"label_smoothing": 0.2}, {"focal": 1.5}):
        config = ClassLossConfig(**options)

        loss_B = _crf.loss(y_BTO, transitions, tags_BT, valid_BT, config)

        for b, length in enumerate(lengths):
            every = paths(3, int(length))
            logits = torch.stack([score(y_BTO[b], transitions, path) for path in every])
            truth = torch.tensor(every.index(tuple(tags_BT[b, :length].tolist())))
            torch.testing.assert_close(loss_B[b], class_losses(logits, truth, config))


def test_without_transitions_a_smoothed_crf_smooths_each_step(
    chain: tuple[torch.Tensor, torch.Tensor, np.ndarray],
) -> None:
    y_BTO, transitions, lengths = chain
    valid_BT = torch.arange(5) < torch.from_numpy(lengths)[:, None]
    tags_BT = torch.ones(3, 5, dtype=torch.long)
    config = ClassLossConfig(label_smoothing=0.3)

    loss_B = _crf.loss(y_BTO, torch.zeros_like(transitions), tags_BT, valid_BT, config)

    expected_B = (class_losses(y_BTO, tags_BT, config) * valid_BT).sum(dim=1)
    torch.testing.assert_close(loss_B, expected_B)


def test_viterbi_finds_the_best_of_all_paths(
    chain: tuple[torch.Tensor, torch.Tensor, np.ndarray],
) -> None:
    y_BTO, transitions, lengths = chain

    best_BT = _crf.decode(y_BTO.numpy(), transitions.numpy(), lengths)

    for b, length in enumerate(lengths):
        best = max(paths(3, int(length)), key=lambda p: score(y_BTO[b], transitions, p).item())
        assert tuple(best_BT[b, :length]) == best
        assert not best_BT[b, length:].any()


def test_a_sequence_without_steps_adds_nothing_to_the_crf() -> None:
    y_BTO = torch.randn(1, 2, 3, requires_grad=True)
    loss_B = _crf.loss(
        y_BTO,
        torch.zeros(5, 3),
        torch.zeros(1, 2, dtype=torch.long),
        torch.zeros(1, 2, dtype=torch.bool),
        ClassLossConfig(label_smoothing=0.1, focal=2.0),
    )
    loss_B.sum().backward()
    assert loss_B.item() == 0 and y_BTO.grad is not None and not y_BTO.grad.any()
