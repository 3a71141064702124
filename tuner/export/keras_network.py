"""The recurrent architecture in Keras: its layers built anew, with the weights of torch's.

B sequences, T steps, K ids per step, C characters, D directions, J units of all directions, N
heads, W units of a head. Valid steps equal torch's; padded ones mean nothing in either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from tuner.models.attention import SelfAttention
from tuner.models.encoder import Layer
from tuner.models.frames import Frames
from tuner.models.head import TiedHead
from tuner.models.inputs import Tokens
from tuner.models.network import Network
from tuner.models.norm import BatchNorm, LayerNorm

if TYPE_CHECKING:
    from tuner.export.contents import Signature

_LOWEST = -3e38
"""Stands for minus infinity, which a configuration cannot hold in every JSON."""
_POOLINGS = "tuner.models.poolings."

K = Any
"""A symbolic tensor of Keras, or one of its layers."""


def lacking(module: nn.Module, signature: Signature) -> list[str]:
    """What Keras does not have of a network; empty if it can be built."""
    if signature.side:
        return ["a second input beside each sequence"]
    if not isinstance(module, Network):
        return [f"{type(module).__name__}: only networks that answer at once can be built anew"]
    found = []
    if signature.states:
        found.append("states that go on from batch to batch")
    if module.pictures is not None:
        found.append("`data/picture`")
    if isinstance(module.inputs, Frames):
        found.append("`data/frames`")
    if module.subsampling is not None:
        found.append("`data/subsampling`")
    if module.following:
        found.append("scores of what follows a sequence")
    if module.transitions is not None:
        found.append("`model/crf`")
    if isinstance(module.head, TiedHead):
        found.append("`model/tied`")
    kinds = {
        _cell(cell) or type(cell).__name__ for layer in _layers(module) for cell in layer.cells
    }
    found += [f"the cell {kind}" for kind in sorted(kinds - set(_CELLS))]
    pooling = _pooling(module.pooling)
    if pooling not in _POOLED:
        found.append(f"the pooling {pooling}")
    return found


def build(module: nn.Module, signature: Signature) -> K:
    """The network as a functional model: (x, lengths) → y."""
    import keras
    from keras import ops

    assert isinstance(module, Network)
    kind = "int64" if signature.vocabulary else "float32"
    x = keras.Input((None, signature.inputs), dtype=kind, name="x")
    lengths_B = keras.Input((), dtype="int64", name="lengths")
    one_BT1 = ops.ones_like(ops.take(x, [0], axis=-1), dtype="int64")
    place_BT1 = ops.cumsum(one_BT1, axis=1)
    length_B11 = ops.expand_dims(ops.expand_dims(ops.maximum(lengths_B, 1), -1), -1)
    steps = _Steps(ops.less_equal(place_BT1, length_B11), place_BT1, length_B11)
    h_BTF = _read(module, x, steps)
    if module.convolution is not None:
        inner = module.convolution.convolution
        layer = keras.layers.Conv1D(
            inner.out_channels, inner.kernel_size[0], padding="same", activation="relu"
        )
        h_BTF = _with(layer, steps.blanked(h_BTF), _conv(inner.weight), _array(inner.bias))
    h_D: list[K] = []
    for level, part in enumerate(_layers(module)):
        below_D, read_BTI = h_D, h_BTF if not level else _joined(h_D, module.encoder.join)
        h_D = [_direction(part, number, read_BTI, steps) for number in range(len(part.cells))]
        if level and module.encoder.residual:
            pairs = zip(h_D, below_D, strict=True)
            h_D = [keras.layers.Add()([h_BTH, below_BTH]) for h_BTH, below_BTH in pairs]
    if module.attention is not None:
        found_D = _attended(module.attention, h_D, steps)
        h_D = [keras.layers.Add()([h, found]) for h, found in zip(h_D, found_D, strict=True)]
    if module.pooling is not None:
        h_D = _POOLED[_pooling(module.pooling)](module.pooling, h_D, steps)
    h_J = _joined(h_D, module.encoder.join)
    assert isinstance(module.head, nn.Linear)
    y = _dense(module.head, h_J)
    return keras.Model([x, lengths_B], y)


class _Steps:
    """Which steps count, as Keras sees it."""

    def __init__(self, valid_BT1: K, place_BT1: K, length_B11: K) -> None:
        from keras import ops

        self.valid_BT1 = valid_BT1
        self.valid_BT = ops.squeeze(valid_BT1, -1)
        self.last_BT1 = ops.equal(place_BT1, length_B11)
        self.length_B1 = ops.cast(ops.squeeze(length_B11, -1), "float32")

    def blanked(self, x: K) -> K:
        """Zeros at padded steps."""
        from keras import ops

        return ops.where(self.valid_BT1, x, ops.zeros_like(x))

    def weighted(self, score_BT1: K) -> K:
        """Scores of valid steps as weights that add up to 1."""
        from keras import ops

        lowest = ops.full_like(score_BT1, _LOWEST)
        return ops.softmax(ops.where(self.valid_BT1, score_BT1, lowest), axis=1)


def _layers(module: Network) -> Iterator[Layer]:
    for layer in module.encoder.layers:
        assert isinstance(layer, Layer)
        yield layer


def _read(module: Network, x: K, steps: _Steps) -> K:
    """Numbers as they are, or the vectors of tokens and their characters."""
    import keras
    from keras import ops

    x = steps.blanked(x)
    tokens = module.inputs
    if not isinstance(tokens, Tokens):
        return x
    e_BTE = _embedded(tokens.embedding, ops.take(x, 0, axis=-1))
    if tokens.characters is None:
        return e_BTE
    x_BTC = ops.take(x, list(range(1, x.shape[-1])), axis=-1)
    inner = tokens.characters.convolution
    layer = keras.layers.Conv2D(inner.out_channels, (1, inner.kernel_size[0]), padding="same")
    e_BTCE = _embedded(tokens.characters.embedding, x_BTC)
    h_BTCE = _with(layer, e_BTCE, _conv(inner.weight)[None], _array(inner.bias))
    padding_BTC1 = ops.equal(ops.expand_dims(x_BTC, -1), 0)
    lowest = ops.full_like(h_BTCE, _LOWEST)
    h_BTE = ops.max(ops.where(padding_BTC1, lowest, h_BTCE), axis=2)
    alone_BT1 = ops.all(padding_BTC1, axis=2)
    h_BTE = ops.where(alone_BT1, ops.zeros_like(h_BTE), h_BTE)
    return keras.layers.Concatenate()([e_BTE, h_BTE])


def _embedded(embedding: nn.Embedding, ids: K) -> K:
    import keras

    layer = keras.layers.Embedding(embedding.num_embeddings, embedding.embedding_dim)
    return _with(layer, ids, _array(embedding.weight))


def _direction(part: Layer, number: int, x_BTI: K, steps: _Steps) -> K:
    """One cell over all steps; backwards, Keras reverses the padding too, and skips it first."""
    from keras import ops

    cell, backward = part.cells[number], number == 1
    kind, hidden_size = _cell(cell), int(cell.hidden_size)  # type: ignore[arg-type]
    layer, weights = _CELLS[kind](cell, hidden_size, backward)
    start = None
    if part.initials:
        start = [_constant(value, x_BTI) for value in part.initials[number].parts]  # type: ignore[union-attr]
    h_BTH = layer(x_BTI, initial_state=start, mask=steps.valid_BT)
    layer.set_weights(weights)
    if backward:
        h_BTH = ops.flip(h_BTH, axis=1)
    return _normalised(part.norms[number], h_BTH)


def _constant(value_H: Tensor, x_BTI: K) -> K:
    """The same vector for each sequence: a layer that is given nothing but its bias."""
    import keras
    from keras import ops

    nothing_B1 = ops.zeros_like(ops.max(x_BTI, axis=1))
    layer = keras.layers.Dense(len(value_H))
    kernel = np.zeros((nothing_B1.shape[-1], len(value_H)), np.float32)
    return _with(layer, nothing_B1, kernel, _array(value_H))


def _lstm(cell: nn.Module, hidden_size: int, backward: bool) -> tuple[K, list[np.ndarray]]:
    """Both order the gates as input, forget, cell, output; Keras has one bias."""
    import keras

    layer = keras.layers.LSTM(hidden_size, return_sequences=True, go_backwards=backward)
    read, kept, read_bias, kept_bias = _stacked(cell)
    return layer, [read.T, kept.T, read_bias + kept_bias]


def _gru(cell: nn.Module, hidden_size: int, backward: bool) -> tuple[K, list[np.ndarray]]:
    """torch orders the gates as reset, update, new, Keras as update, reset, new."""
    import keras

    layer = keras.layers.GRU(
        hidden_size, return_sequences=True, go_backwards=backward, reset_after=True
    )
    swapped = []
    for stacked in _stacked(cell):
        reset, update, new = np.split(stacked, 3)
        swapped.append(np.concatenate([update, reset, new]))
    read, kept, read_bias, kept_bias = swapped
    return layer, [read.T, kept.T, np.stack([read_bias, kept_bias])]


def _rnn(cell: nn.Module, hidden_size: int, backward: bool) -> tuple[K, list[np.ndarray]]:
    import keras

    layer = keras.layers.SimpleRNN(
        hidden_size,
        activation=str(cell.nonlinearity),
        return_sequences=True,
        go_backwards=backward,
    )
    read, kept, read_bias, kept_bias = _stacked(cell)
    return layer, [read.T, kept.T, read_bias + kept_bias]


_CELLS: dict[str, Callable[[nn.Module, int, bool], tuple[K, list[np.ndarray]]]] = {
    "LSTM": _lstm,
    "GRU": _gru,
    "RNN": _rnn,
}


def _cell(cell: nn.Module) -> str:
    """The name of torch's own layer; empty for any other."""
    return type(cell).__name__ if type(cell) in (nn.LSTM, nn.GRU, nn.RNN) else ""


def _stacked(cell: nn.Module) -> list[np.ndarray]:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return [_array(getattr(cell, name)) for name in names]


def _normalised(norm: nn.Module, h_BTH: K) -> K:
    import keras

    if isinstance(norm, LayerNorm):
        layer = keras.layers.LayerNormalization(epsilon=norm.eps)
        return _with(layer, h_BTH, _array(norm.weight), _array(norm.bias))
    if isinstance(norm, BatchNorm):
        layer = keras.layers.BatchNormalization(epsilon=norm.EPSILON)
        moments = norm.running_mean, norm.running_var
        return _with(layer, h_BTH, *map(_array, (norm.weight, norm.bias, *moments)))
    return h_BTH


def _joined(h_D: Sequence[K], how: str) -> K:
    import keras

    if len(h_D) == 1:
        return h_D[0]
    layers = keras.layers
    kind = {"concat": layers.Concatenate, "sum": layers.Add, "mean": layers.Average}[how]
    return kind()(list(h_D))


def _attended(attention: SelfAttention, h_D: Sequence[K], steps: _Steps) -> list[K]:
    import keras
    from keras import ops

    heads, width = attention.heads, attention.head_size
    read_BTX = _dense(attention.read, _joined(h_D, "concat"))
    apart_BT3NW = keras.layers.Reshape((-1, 3, heads, width))(read_BTX)
    query, key, value = (
        ops.transpose(ops.take(apart_BT3NW, part, axis=2), (0, 2, 1, 3)) for part in range(3)
    )
    score_BNTT = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * width**-0.5
    seen_B11T = ops.expand_dims(ops.expand_dims(steps.valid_BT, 1), 1)
    score_BNTT = ops.where(seen_B11T, score_BNTT, ops.full_like(score_BNTT, _LOWEST))
    found_BNTW = ops.matmul(ops.softmax(score_BNTT, axis=-1), value)
    found_BTX = keras.layers.Reshape((-1, heads * width))(ops.transpose(found_BNTW, (0, 2, 1, 3)))
    found_BTJ = _dense(attention.write, found_BTX)
    return list(ops.split(found_BTJ, len(h_D), axis=-1)) if len(h_D) > 1 else [found_BTJ]


def _none(pooling: nn.Module, h_D: list[K], steps: _Steps) -> list[K]:
    return h_D


def _last(pooling: nn.Module, h_D: list[K], steps: _Steps) -> list[K]:
    from keras import ops

    forward, *backward = h_D
    at_end = ops.sum(ops.where(steps.last_BT1, forward, ops.zeros_like(forward)), axis=1)
    return [at_end, *(ops.take(h_BTH, 0, axis=1) for h_BTH in backward)]


def _max(pooling: nn.Module, h_D: list[K], steps: _Steps) -> list[K]:
    from keras import ops

    lowest = ops.full_like(h_D[0], _LOWEST)
    return [ops.max(ops.where(steps.valid_BT1, h_BTH, lowest), axis=1) for h_BTH in h_D]


def _mean(pooling: nn.Module, h_D: list[K], steps: _Steps) -> list[K]:
    from keras import ops

    return [ops.sum(steps.blanked(h_BTH), axis=1) / steps.length_B1 for h_BTH in h_D]


def _attention(pooling: nn.Module, h_D: list[K], steps: _Steps) -> list[K]:
    from keras import ops

    projected = ops.tanh(_dense(pooling.project, _joined(h_D, "concat")))
    return _weighted(h_D, steps.weighted(_dense(pooling.score, projected)))


def _dot_attention(pooling: nn.Module, h_D: list[K], steps: _Steps) -> list[K]:
    import keras

    query_J = _array(pooling.query)
    layer = keras.layers.Dense(1, use_bias=False)
    kernel = (query_J * len(query_J) ** -0.5)[:, None].astype(np.float32)
    return _weighted(h_D, steps.weighted(_with(layer, _joined(h_D, "concat"), kernel)))


def _multihead(pooling: nn.Module, h_D: list[K], steps: _Steps) -> list[K]:
    assert isinstance(pooling.attention, SelfAttention)
    return _mean(pooling, _attended(pooling.attention, h_D, steps), steps)


def _weighted(h_D: list[K], weight_BT1: K) -> list[K]:
    from keras import ops

    return [ops.sum(h_BTH * weight_BT1, axis=1) for h_BTH in h_D]


_POOLED: dict[str, Callable[[nn.Module, list[K], _Steps], list[K]]] = {
    "": _none,
    "last": _last,
    "max": _max,
    "mean": _mean,
    "attention": _attention,
    "dot_attention": _dot_attention,
    "multihead_attention": _multihead,
}


def _pooling(pooling: nn.Module | None) -> str:
    """The name of a shipped pooling, or the module of another; empty without one."""
    return "" if pooling is None else type(pooling).__module__.removeprefix(_POOLINGS)


def _dense(linear: Any, h: K) -> K:
    import keras

    layer = keras.layers.Dense(linear.out_features, use_bias=linear.bias is not None)
    biases = [] if linear.bias is None else [_array(linear.bias)]
    return _with(layer, h, _array(linear.weight).T, *biases)


def _with(layer: K, inputs: K, *weights: np.ndarray) -> K:
    """What a layer gives, once it has its weights."""
    outputs = layer(inputs)
    layer.set_weights(list(weights))
    return outputs


def _conv(weight_EFW: Tensor) -> np.ndarray:
    """torch's filters as Keras orders them: steps, features, filters."""
    return _array(weight_EFW).transpose(2, 1, 0)


def _array(tensor: Any) -> np.ndarray:
    found: np.ndarray = tensor.detach().numpy()
    return found
