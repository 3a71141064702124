"""A decoder that looks back: its equations, one way step by step and all at once, and its size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tuner.data.ids import END, START, UNKNOWN
from tuner.models.architectures.recurrent import RecurrentConfig, num_parameters
from tuner.models.build import build
from tuner.models.encoder_decoder import EncoderDecoder
from tuner.models.initialization import InitializationConfig
from tuner.models.memory import Memory
from tuner.models.shape import Dropouts, SettingsRefused, Shape

SHAPE = Shape(0, 9, vocabulary=12, decodes=True)
X_BTK = torch.tensor([[[3], [4], [5], [2]], [[6], [7], [0], [0]]])
LENGTHS_B = torch.tensor([4, 2])
TARGETS_BU = torch.tensor([[4, 5, 6, END], [7, END, 0, 0]])
KINDS = ["additive", "general", "dot", "none"]


def network(
    shape: Shape = SHAPE, dropouts: Dropouts | None = None, **options: Any
) -> EncoderDecoder:
    config = RecurrentConfig.model_validate({"hidden_size": 6, "embedding": 5} | options)
    made = build(config, InitializationConfig(), dropouts or Dropouts(), shape, seed=1)
    assert isinstance(made, EncoderDecoder)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(2)
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made.eval()


def memory(kind: Any, read: int = 4, width: int = 6) -> Memory:
    torch.manual_seed(0)
    return Memory(kind, read, width)


H_BTJ, S_BUH = (
    torch.randn(2, n, w, generator=torch.Generator().manual_seed(w)) for n, w in ((3, 4), (2, 6))
)
SEEN_BT = torch.tensor([[True, True, True], [True, False, False]])


def looked(scores_BUT: Tensor, values_BTC: Tensor) -> Tensor:
    weight_BUT = scores_BUT.masked_fill(~SEEN_BT[:, None], -1e9).softmax(-1)
    return torch.einsum("but,btc->buc", weight_BUT, values_BTC)


def test_additive_attention_is_that_of_bahdanau() -> None:
    module = memory("additive")
    assert module.ask is not None and module.weigh is not None
    found, weight_BUT = module.look(S_BUH, module(H_BTJ), SEEN_BT)
    for u in range(2):
        inner = torch.tanh(module.keep(H_BTJ) + module.ask(S_BUH[:, u])[:, None])
        expected = looked((inner @ module.weigh.weight[0])[:, None], H_BTJ)
        torch.testing.assert_close(found[:, u : u + 1], expected)
    assert weight_BUT[1, :, 0].tolist() == [1, 1] and not weight_BUT[1, :, 1:].any()


def test_general_and_dot_attention_are_those_of_luong() -> None:
    general = memory("general")
    found, _ = general.look(S_BUH, general(H_BTJ), SEEN_BT)
    scores = torch.einsum("buh,hj,btj->but", S_BUH, general.keep.weight, H_BTJ)
    torch.testing.assert_close(found, looked(scores, H_BTJ))
    dot = memory("dot", read=6)
    h_BTH = torch.randn(2, 3, 6)
    found, _ = dot.look(S_BUH, dot(h_BTH), SEEN_BT)
    torch.testing.assert_close(found, looked(S_BUH @ h_BTH.mT, h_BTH))
    assert not list(dot.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "layer_norm_lstm"])
def test_all_steps_at_once_are_step_after_step(kind: str, cell: str) -> None:
    module = network(attention=kind, cell=cell, layers=2, directions=2, norm="layer")
    encoded = module.encode(X_BTK, LENGTHS_B)
    logp_BU, _ = module(X_BTK, LENGTHS_B, TARGETS_BU)
    ids_B, state = torch.full((2,), START), encoded.state
    for u in range(TARGETS_BU.shape[1]):
        logits_BV, state, weight_BT = module.decoder.step(
            ids_B, encoded.kept, encoded.seen_BT, state
        )
        ids_B = TARGETS_BU[:, u]
        expected = logits_BV.log_softmax(-1).gather(1, ids_B[:, None])[:, 0]
        torch.testing.assert_close(logp_BU[:, u], expected)
        assert (weight_BT is None) == (kind == "none")


def test_training_reads_the_truth_and_gives_logits() -> None:
    module = network()
    logp_BU, _ = module(X_BTK, LENGTHS_B, TARGETS_BU)
    module.train()
    logits_MV = module(X_BTK, LENGTHS_B, TARGETS_BU)
    given_BU = TARGETS_BU > 0
    found_M = logits_MV.log_softmax(-1).gather(1, TARGETS_BU[given_BU][:, None])[:, 0]
    assert found_M.shape == (6,), "padding is not read off"
    torch.testing.assert_close(found_M, logp_BU[given_BU])


def test_what_is_said_is_the_likeliest_token_each_time() -> None:
    module = network(attention="general")
    module.search = type(module.search)(longest=5)
    _, decoded_BL = module(X_BTK, LENGTHS_B)
    assert (decoded_BL >= 0).all() and not ((decoded_BL > 0) & (decoded_BL <= END)).any()
    for b, length in enumerate(LENGTHS_B):
        encoded = module.encode(X_BTK[b : b + 1, :length], length[None])
        ids_B, state, decoded = torch.tensor([START]), encoded.state, []
        for _ in range(5):
            logits_BV, state, _ = module.decoder.step(ids_B, encoded.kept, encoded.seen_BT, state)
            logits_BV[:, :END] = float("-inf")
            ids_B = logits_BV.argmax(-1)
            decoded.append(int(ids_B))
        decoded = decoded[: decoded.index(END)] if END in decoded else decoded
        assert [i for i in decoded_BL[b].tolist() if i] == decoded


def test_tokens_that_are_unknown_are_scored_as_the_unknown_one() -> None:
    module = network()
    unknown, beyond = TARGETS_BU.clone(), TARGETS_BU.clone()
    unknown[0, 1], beyond[0, 1] = UNKNOWN, 40
    for one, other in zip(
        module(X_BTK, LENGTHS_B, unknown), module(X_BTK, LENGTHS_B, beyond), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_scheduled_sampling_reads_its_own_tokens_as_training_goes_on(kind: str) -> None:
    module = network(dropouts=Dropouts(scheduled_sampling=1.0), attention=kind).train()
    plain = network(attention=kind).train()
    for each in (module, plain):
        # What it decodes stands among the targets below, where padding would be none.
        each.decoder.head.bias.data[0] = -1e9
    other = TARGETS_BU.clone()
    other[0, :3] = torch.tensor([8, 8, 8])

    def logits(targets_BU: Tensor, progress: float) -> Tensor:
        module.decoder.progress = progress
        torch.manual_seed(0)
        logits_MV: Tensor = module(X_BTK, LENGTHS_B, targets_BU)
        found = torch.zeros(*targets_BU.shape, logits_MV.shape[-1])
        found[targets_BU > 0] = logits_MV
        return found

    plain_MV = plain(X_BTK, LENGTHS_B, TARGETS_BU)
    torch.testing.assert_close(logits(TARGETS_BU, 0.0)[TARGETS_BU > 0], plain_MV)
    assert not torch.allclose(logits(TARGETS_BU, 0.0), logits(other, 0.0))
    # At the end nothing of the truth is read.
    torch.testing.assert_close(logits(TARGETS_BU, 1.0), logits(other, 1.0))
    decoded_B = logits(TARGETS_BU, 1.0)[:, 0].argmax(-1)
    with_own = TARGETS_BU.clone()
    with_own[:, 0] = decoded_B
    torch.testing.assert_close(logits(TARGETS_BU, 1.0)[:, 1], logits(with_own, 0.0)[:, 1])


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru", "directions": 2, "layers": 2, "pooling": "last_max_mean"},
        {"cell": "lstm", "join": "sum", "directions": 2, "norm": "layer"},
        {"convolution": 3, "convolution_filters": 4, "attention_layer": True, "heads": 2},
    ],
)
def test_its_size_is_known_without_building_it(
    tied: bool, kind: str, options: dict[str, Any]
) -> None:
    options = options | {"tied": tied, "attention": kind}
    built = sum(parameter.numel() for parameter in network(**options).parameters())
    config = RecurrentConfig.model_validate({"hidden_size": 6, "embedding": 5} | options)
    assert num_parameters(config, SHAPE) == built


def test_a_number_of_parameters_solves_its_width() -> None:
    module = network(hidden_size=128, parameters=50_000, directions=2)
    total = sum(parameter.numel() for parameter in module.parameters())
    assert total == pytest.approx(50_000, rel=0.02)
    with pytest.raises(SettingsRefused):
        network(hidden_size=128, parameters=100)


def test_every_weight_learns_whatever_the_attention() -> None:
    for kind in KINDS:
        module = network(attention=kind, directions=2, layers=2).train()
        module(X_BTK, LENGTHS_B, TARGETS_BU).log_softmax(-1).square().sum().backward()
        assert not [name for name, p in module.named_parameters() if p.grad is None]
