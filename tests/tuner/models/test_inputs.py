"""Tokens and their characters become vectors, and padding becomes nothing."""

from __future__ import annotations

import pytest
import torch

from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.inputs import Characters, Tokens
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps

WORDS = Shape(0, 9, vocabulary=9, characters=6, per_step=True)


def network(shape: Shape = WORDS, **options: object) -> torch.nn.Module:
    config = RecurrentConfig.model_validate({"hidden_size": 6, "embedding": 5} | options)
    return build(config, InitializationConfig(), Dropouts(), shape, seed=1)


def test_a_token_is_its_vector_and_what_its_characters_say() -> None:
    characters = Characters(6, 4)
    tokens = Tokens(9, 5, characters, dropout=0.0)
    x_BTK = torch.tensor([[[3, 1, 2, 0], [8, 5, 0, 0]]])

    h_BTF = tokens(x_BTK, Steps(x_BTK, torch.tensor([2])))

    assert h_BTF.shape == (1, 2, 9)
    assert torch.equal(h_BTF[0, :, :5], tokens.embedding.weight[[3, 8]])
    assert torch.equal(h_BTF[..., 5:], characters(x_BTK[..., 1:]))


def test_characters_are_read_in_threes_and_the_largest_remain() -> None:
    characters = Characters(6, 4)
    e_4E = characters.embedding(torch.tensor([0, 2, 3, 0]))
    weight_ECW, bias_E = characters.convolution.weight, characters.convolution.bias
    expected_E = torch.stack(
        [torch.einsum("ecw,wc->e", weight_ECW, e_4E[at : at + 3]) + bias_E for at in (0, 1)]
    ).amax(dim=0)

    h_BTE = characters(torch.tensor([[[2, 3, 0, 0, 0]]]))

    torch.testing.assert_close(h_BTE[0, 0], expected_E)


def test_a_token_does_not_change_with_the_longest_one_beside_it() -> None:
    characters = Characters(6, 4)

    wide_BTE = characters(torch.tensor([[[2, 3, 0, 0, 0], [1, 2, 3, 4, 5]]]))

    torch.testing.assert_close(wide_BTE[0, 0], characters(torch.tensor([[[2, 3]]]))[0, 0])


def test_a_token_without_characters_is_zero_and_has_finite_gradients() -> None:
    characters = Characters(6, 4)

    h_BTE = characters(torch.tensor([[[0, 0], [1, 0]]]))
    h_BTE.sum().backward()

    assert h_BTE[0, 0].abs().sum() == 0 and h_BTE[0, 1].abs().sum() > 0
    for parameter in characters.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()


@pytest.mark.parametrize("tied", [False, True])
def test_paddings_vectors_are_zero_and_stay_so(tied: bool) -> None:
    module = network(tied=tied)
    x_BTK = torch.tensor([[[3, 1, 2], [8, 5, 0], [0, 0, 0]]])

    module(x_BTK, torch.tensor([2])).sum().backward()

    for embedding in (module.inputs.embedding, module.inputs.characters.embedding):
        assert embedding.weight[0].abs().sum() == 0 and embedding.weight[1:].abs().sum() > 0
        assert embedding.weight.grad[0].abs().sum() == 0
        assert embedding.weight.grad.abs().sum() > 0


def test_embeddings_start_with_a_variance_of_one_by_their_units() -> None:
    module = network(Shape(0, 2, vocabulary=2000), embedding=16)

    assert module.inputs.embedding.weight[1:].std().item() == pytest.approx(16**-0.5, rel=0.05)


@pytest.mark.parametrize("hidden_size", [5, 6], ids=["as wide", "projected"])
def test_tied_weights_score_a_token_by_its_own_vector(hidden_size: int) -> None:
    module = network(hidden_size=hidden_size, tied=True)
    x_BTK = torch.tensor([[[3, 1, 2], [8, 5, 0]]])
    seen: list[torch.Tensor] = []
    module.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))

    y_BTV = module(x_BTK, torch.tensor([2]))

    if hidden_size == 5:
        assert sum("head" in name for name, _ in module.named_parameters()) == 1  # its bias
        h_BTE = seen[0]
    else:
        h_BTE = seen[0] @ module.head.project.weight.T
    torch.testing.assert_close(y_BTV, h_BTE @ module.inputs.embedding.weight.T)
    before = module.inputs.embedding.weight[4].clone()  # a token that is not read
    y_BTV[..., 4].sum().backward()
    assert module.inputs.embedding.weight.grad[4].abs().sum() > 0
    assert torch.equal(before, module.inputs.embedding.weight[4])


def test_tied_weights_are_one_tensor_in_a_checkpoint() -> None:
    tied, apart = (network(hidden_size=5, tied=tied) for tied in (True, False))

    assert len(tied.state_dict()) == len(apart.state_dict()) - 1
