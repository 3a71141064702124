from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from seqeval import metrics as reference

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import DataError
from tuner.refused_values import ValuesRefused
from tuner.tasks._base import Task
from tuner.tasks._losses import ClassLossConfig, class_losses
from tuner.tasks.tagging import Tagging

DATA = {"train": "train.conll", "test": 0.2}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("tags")
    made.tagged_conll(folder / "train.conll")
    return Store.open(made.prepared(folder, {"name": "tagging"}, DATA))


def task_of(store: Store, values: dict[str, Any] | None = None, **options: Any) -> Tagging:
    task = {"name": "tagging", **options}
    made_task = make_task(task, TrialConfig.from_values(values or {}, task), store.card, None)
    assert isinstance(made_task, Tagging)
    return made_task


def random_outputs(task: Task, rows: np.ndarray, store: Store) -> torch.Tensor:
    steps = int(store.length_S[rows].max())
    generator = torch.Generator().manual_seed(3)
    return torch.randn(len(rows), steps, task.num_outputs, generator=generator)


@pytest.mark.parametrize("scheme", ["given", "bioes"])
def test_scores_of_spans_agree_with_seqeval(store: Store, scheme: str) -> None:
    task = task_of(store, scheme=scheme)
    rows = np.arange(len(store.length_S))
    batch = task.batch(store, rows)
    outputs = random_outputs(task, rows, store)
    # Some spans must be right.
    outputs += 3 * torch.nn.functional.one_hot(torch.from_numpy(batch.targets), task.num_outputs)

    found = task.metrics(task.statistics(outputs, batch.to_torch("cpu")).tolist())

    columns = task.decode(store, rows, outputs.numpy(), batch)
    lengths = store.length_S.tolist()
    said = split(columns["tag"], lengths)
    assert store.tag_N is not None
    truth = split([task.facts.labels[t] for t in store.tag_N], lengths)
    assert found["f1"] == pytest.approx(reference.f1_score(truth, said))
    assert found["precision"] == pytest.approx(reference.precision_score(truth, said))
    assert found["recall"] == pytest.approx(reference.recall_score(truth, said))
    assert 0 < found["f1"] < 1


def split(tags: list[str], lengths: list[int]) -> list[list[str]]:
    ends = np.cumsum(lengths)
    return [tags[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def test_a_crf_never_says_what_no_scheme_allows(store: Store) -> None:
    task = task_of(store)
    rows = np.arange(len(store.length_S))
    batch = task.batch(store, rows)
    outputs = random_outputs(task, rows, store).numpy()
    transitions = np.zeros((task.num_outputs + 2, task.num_outputs), np.float32)

    free = task.decode(store, rows, outputs, batch)["tag"]
    tags = task.decode(store, rows, (outputs, transitions), batch)["tag"]  # type: ignore[arg-type]

    assert any(bad_pair(store, free)) and not any(bad_pair(store, tags))


def test_a_crf_learns_which_tags_follow_one_another(store: Store, tmp_path: Path) -> None:
    made.tagged_conll(tmp_path / "train.conll")
    data = made.prepared(tmp_path, {"name": "tagging"}, DATA)
    job = {"task": {"name": "tagging"}, "metric": "f1"}
    plain = made.fit(data, tmp_path / "plain", {}, **job)
    assert plain.module.transitions is None
    fit = made.fit(data, tmp_path / "crf", {"model/crf": True, "optimizer/lr": 0.05}, **job)
    for number in range(1, 4):
        fit.epoch(number, [])
    transitions = fit.module.transitions
    assert isinstance(transitions, torch.Tensor)
    tags = {tag: number for number, tag in enumerate(fit.task.facts.labels)}
    follows = transitions[:, tags["I-person"]]
    assert follows[tags["B-person"]] > 0 > max(follows[tags["O"]], follows[-2])


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize(
    "values", [{"loss/label_smoothing": 0.1}, {"loss/focal": 2.0}, {"data/class_weights": "sqrt"}]
)
def test_each_changes_the_training_loss_and_no_score(
    store: Store, values: dict[str, Any], crf: bool
) -> None:
    plain, other = task_of(store), task_of(store, values)
    rows = np.arange(len(store.length_S))
    batch = plain.batch(store, rows).to_torch("cpu")
    # Learned in part: what is far from learned no focal loss passes over.
    outputs: Any = random_outputs(plain, rows, store)
    outputs += 5 * torch.nn.functional.one_hot(batch.targets, plain.num_outputs)
    if crf:
        shape = (plain.num_outputs + 2, plain.num_outputs)
        outputs = outputs, torch.randn(shape, generator=torch.Generator().manual_seed(1))
    assert not torch.isclose(plain.loss(outputs, batch), other.loss(outputs, batch))
    assert torch.equal(plain.statistics(outputs, batch), other.statistics(outputs, batch))


@pytest.mark.parametrize("scheme", ["given", "bioes"])
def test_a_rare_tag_counts_more_step_by_step_or_sequence_by_sequence(
    store: Store, scheme: str
) -> None:
    task = task_of(store, {"data/class_weights": "balanced"}, scheme=scheme)
    plain = task_of(store, scheme=scheme)
    rows = plain.rows(store, "train", None)
    batch = task.batch(store, rows).to_torch("cpu")
    outputs = random_outputs(task, rows, store)
    assert store.tag_N is not None
    num = np.bincount(store.tag_N[task._steps(store, "train", None)])
    weight = num.sum() / (num * len(num))
    given_BT = torch.zeros_like(batch.targets)
    for b, row in enumerate(rows):
        here = slice(store.offset_S[row], store.offset_S[row] + store.length_S[row])
        given_BT[b, : store.length_S[row]] = torch.from_numpy(store.tag_N[here].astype(np.int64))
    counts_BT = torch.from_numpy(weight)[given_BT] * batch.weights
    loss_BT = class_losses(outputs, batch.targets, ClassLossConfig())
    expected = (loss_BT * counts_BT).sum()
    torch.testing.assert_close(task.loss(outputs, batch), expected.float())
    assert counts_BT.sum().item() == pytest.approx(batch.weights.sum().item(), rel=1e-5)

    transitions = torch.zeros(task.num_outputs + 2, task.num_outputs)
    share_B = counts_BT.sum(1) / batch.weights.sum(1)
    expected = ((loss_BT * batch.weights).sum(1) * share_B).sum()
    torch.testing.assert_close(task.loss((outputs, transitions), batch), expected.float())


def test_tags_that_begin_with_the_inside_mark_count_when_learned_as_singles(tmp_path: Path) -> None:
    lines = [f"w{i}\tO\nname{i}\tI-x\n" for i in range(20)]
    (tmp_path / "train.conll").write_text("\n".join(lines))
    store = Store.open(made.prepared(tmp_path, {"name": "tagging"}, {"train": "train.conll"}))
    task = task_of(store, {"data/class_weights": "balanced"}, scheme="bioes")
    assert task.tags == ("O", "B-x", "I-x", "E-x", "S-x")
    assert task._weights_O is not None
    np.testing.assert_allclose(task._weights_O, 1, rtol=1e-6)


@pytest.mark.parametrize("task", ["classification", "language_modelling"])
def test_a_crf_is_refused_where_nothing_is_tagged(task: str) -> None:
    with pytest.raises(ValuesRefused, match="`model/crf` must be false where"):
        TrialConfig.from_values({"model/crf": True}, {"name": task})


def bad_pair(store: Store, tags: list[str]) -> list[bool]:
    from tuner.tasks._spans import may_follow

    return [
        not may_follow(before, after)
        for sequence in split(tags, store.length_S.tolist())
        for before, after in zip(["O", *sequence], sequence, strict=False)
    ]


def test_other_tags_are_scored_one_by_one(store: Store) -> None:
    task = task_of(store, spans=False)
    rows = np.arange(len(store.length_S))
    batch = task.batch(store, rows)
    outputs = random_outputs(task, rows, store)
    found = task.metrics(task.statistics(outputs, batch.to_torch("cpu")).tolist())
    from sklearn.metrics import accuracy_score, f1_score

    valid = batch.weights > 0
    truth, said = batch.targets[valid], outputs.argmax(-1).numpy()[valid]
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert found["f1"] == pytest.approx(f1_score(truth, said, average="macro"))


def test_each_token_has_a_most_frequent_tag(store: Store) -> None:
    found = task_of(store).baselines(store, "validation", None)
    assert found["most frequent tag"]["f1"] == 0
    assert found["most frequent tag of each token"]["accuracy"] > 0.5


def test_numbers_can_be_tagged_too(tmp_path: Path) -> None:
    rows = ["id,x,frame"]
    for s in range(20):
        rows += [f"s{s},{t % 3 + s / 99},{'quiet' if t % 3 else 'loud'}" for t in range(4 + s % 3)]
    (tmp_path / "frames.csv").write_text("\n".join(rows))
    data = {"train": "frames.csv", "id": "id", "target": "frame"}
    store = Store.open(made.prepared(tmp_path, {"name": "tagging"}, data))
    task = task_of(store)
    assert (task.num_inputs, task.vocabulary, task.spans) == (1, 0, False)
    assert task.baselines(store, "validation", None).keys() == {"most frequent tag"}


def test_a_tag_that_training_lacks_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("a\tO\nb\tB-x\n\nc\tO\n\nd\tO\n")
    (tmp_path / "test.conll").write_text("a\tB-y\n")
    data = {"train": "train.conll", "validation": "test.conll"}
    with pytest.raises(DataError, match=r"every class of the validation split.*'B-y'"):
        made.prepared(tmp_path, {"name": "tagging"}, data)


def test_texts_cannot_be_cut_where_tokens_have_tags(tmp_path: Path) -> None:
    made.tagged_conll(tmp_path / "train.conll")
    data = {"train": "train.conll", "tokens": "character"}
    with pytest.raises(DataError, match="must be `given` where each token has a tag"):
        made.prepared(tmp_path, {"name": "tagging"}, data)


def test_a_bag_of_words_has_no_steps_to_tag() -> None:
    with pytest.raises(ValuesRefused, match="must keep the steps"):
        TrialConfig.from_values({"data/encoding": "bag_of_words"}, {"name": "tagging"})
