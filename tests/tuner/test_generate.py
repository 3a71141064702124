"""An exported language model goes on with a text, as the network it was made of would."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import made
import numpy as np
import pytest
import torch
from command import tuner

from tuner.config import TrialConfig, make_task
from tuner.data.ids import FIRST, UNKNOWN
from tuner.data.store import Store
from tuner.errors import CommandError
from tuner.export.bundle import Bundle
from tuner.export.contents import About, Signature, TaskUsed
from tuner.export.model import signature_of
from tuner.export.write import write
from tuner.generate import generate
from tuner.likeliest import Beam
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape
from tuner.sampling import Sampling, joined
from tuner.training.fit import Fit
from tuner.training.ranks import Ranks

TASK = {"name": "language_modelling"}
VALUES = {
    "model/hidden_size": 24,
    "training/batch_size": 8,
    "data/window": 16,
    "optimizer/lr": 0.02,
}
GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Fit:
    folder = tmp_path_factory.mktemp("stream")
    (folder / "stream.txt").write_text("the cat sat\nThe end\n" * 60)
    data = {"train": "stream.txt", "tokens": "character", "lowercase": True}
    store = Store.open(made.prepared(folder, TASK, data))
    config = TrialConfig.from_values(VALUES, TASK)
    fit = Fit(
        config, make_task(TASK, config, store.card, None), store, Ranks(), data=folder / "data"
    )
    for epoch in range(1, 25):
        fit.epoch(epoch, [])
    fit.module.eval()
    return fit


@pytest.fixture(scope="module")
def model(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(fit, tmp_path_factory.mktemp("model") / "bundle")


def exported(fit: Fit, folder: Path) -> Path:
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="language_modelling"),
        parameters={},
        signature=signature_of(fit.module, torch.ones(1, 1, 1, dtype=torch.int64), fit.task.shape),
        preprocessing=json.loads(
            json.dumps(
                {
                    "layout": fit.store.card.layout.to_json(),
                    "facts": fit.task.facts.to_json(),
                    "inputs": {"window": 16},
                }
            )
        ),
    )
    write(folder, fit.module, about)
    return folder


def test_goes_on_as_it_was_taught(model: Path) -> None:
    assert generate(model, "The c", 20, GREEDY, 0) == "The cat sat\nthe end\nthe c"
    assert generate(model, "", 7, GREEDY, 0) == "the cat"


def test_each_step_is_the_networks_own(model: Path, fit: Fit) -> None:
    bundle = Bundle.open(model)
    x_BTK = np.array([[[2], [3], [4], [2], [5], [3]]])
    whole = fit.module(torch.from_numpy(x_BTK), torch.tensor([6]))[0].detach().numpy()
    states = bundle.start(1)
    pieces = []
    for piece in (x_BTK[:, :1], x_BTK[:, 1:4], x_BTK[:, 4:]):
        outputs, states = bundle.carry(piece, np.array([piece.shape[1]]), states)
        pieces.append(outputs)
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-5)


def test_draws_follow_their_seed(model: Path) -> None:
    hot = Sampling(temperature=3.0)
    texts = [generate(model, "the", 30, hot, seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert len(texts[0]) == 33


def test_a_beam_of_one_is_greedy(model: Path) -> None:
    for prompt in ("", "The c", "t", "s\nq"):
        greedy = generate(model, prompt, 15, GREEDY)
        assert generate(model, prompt, 15, Beam(width=1)) == greedy


def _tiny(folder: Path, tokens: str) -> tuple[Path, Fit]:
    """A network of a few tokens, whose outputs differ much, and its bundle."""
    folder.mkdir()
    notes = ("C", "E", "G", "C", "G")
    if tokens == "given":
        rows = ["song,note", *(f"s{s},{note}" for s in range(40) for note in notes)]
        (folder / "rows.csv").write_text("\n".join(rows))
        data = {"train": "rows.csv", "id": "song", "text": "note", "tokens": tokens}
    else:
        line = ("" if tokens == "character" else " ").join(notes)
        (folder / "rows.txt").write_text(f"{line}\n" * 60)
        data = {"train": "rows.txt", "tokens": tokens}
    store = Store.open(made.prepared(folder, TASK, data))
    config = TrialConfig.from_values(VALUES | {"model/initial_state": "learned"}, TASK)
    task = make_task(TASK, config, store.card, None)
    fit = Fit(config, task, store, Ranks(), data=folder / "data")
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in fit.module.parameters():
            parameter.copy_(0.7 * torch.randn_like(parameter))
    fit.module.eval()
    return exported(fit, folder / "bundle"), fit


@pytest.mark.parametrize(
    ("tokens", "prompt"), [("character", "CE"), ("word", "C E"), ("given", "C E")]
)
def test_a_beam_wide_enough_finds_what_trying_every_text_finds(
    tmp_path: Path, tokens: str, prompt: str
) -> None:
    num = 4
    model, fit = _tiny(tmp_path / tokens, tokens)
    words = list(fit.task.words())
    assert 3 <= len(words) <= 6
    # Notes are a stream without ends of lines.
    end = words.index("\n") + FIRST if "\n" in words else UNKNOWN
    start = [end, *(words.index(note) + FIRST for note in ("C", "E"))]
    texts = list(product(range(FIRST, FIRST + len(words)), repeat=num))
    x_BTK = torch.tensor([[*start, *text] for text in texts]).unsqueeze(-1)
    with torch.no_grad():
        outputs_BTV, _ = fit.module(x_BTK, torch.full((len(texts),), x_BTK.shape[1]))
    logp_BTV = outputs_BTV[:, len(start) - 1 : -1, FIRST:].log_softmax(dim=-1)
    score_B = logp_BTV.gather(2, x_BTK[:, len(start) :] - FIRST).sum(dim=(1, 2))
    best = texts[int(score_B.argmax())]

    def spelled(text: tuple[int, ...]) -> str:
        said = ["C", "E", *(words[token - FIRST] for token in text)]
        return joined(said, "whitespace" if tokens == "given" else tokens)

    said = generate(model, prompt, num, Beam(width=len(words) ** num))
    assert said == spelled(best)
    greedy = generate(model, prompt, num, GREEDY)
    scores = {spelled(text): float(score) for text, score in zip(texts, score_B, strict=True)}
    # Of notes the likeliest text is here the greedy one, too.
    assert scores[greedy] < scores[said] or tokens == "given"


def test_a_text_is_drawn_or_looked_for(model: Path, tmp_path: Path) -> None:
    told = ["generate", str(model), "--prompt", "the c", "--tokens", "6", "--beam", "3"]
    done = tuner(*told, cwd=tmp_path)
    assert done.stdout == "the cat sat\n", done.stderr
    done = tuner(*told, "--top-k", "5", "--temperature", "0.5", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert "--beam 3 with --temperature 0.5 and --top-k 5" in done.stderr
    assert "[generate/beam]" in done.stderr
    done = tuner(*told[:-1], "0", cwd=tmp_path)
    assert done.returncode == 2 and "a width, 1 to 4096" in done.stderr


def test_the_command_prints_the_text(model: Path, tmp_path: Path) -> None:
    told = ["generate", str(model), "--prompt", "the c", "--tokens", "6", "--temperature", "0"]
    done = tuner(*told, cwd=tmp_path)
    assert done.stdout == "the cat sat\n", done.stderr
    wrong = tuner("generate", str(model), "--top-p", "1.5", cwd=tmp_path)
    assert wrong.returncode == 2 and "a share above 0, up to 1" in wrong.stderr


def test_other_models_are_refused(tmp_path: Path) -> None:
    config = RecurrentConfig(hidden_size=4)
    module = build(config, InitializationConfig(), Dropouts(), Shape(3, 2), seed=1).eval()
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="classification"),
        parameters={},
        signature=Signature(inputs=3, outputs=2),
        preprocessing={},
    )
    write(tmp_path / "bundle", module, about)
    with pytest.raises(CommandError, match="must be generated by a language model.*classification"):
        generate(tmp_path / "bundle", "", 3, GREEDY, 0)
