"""A `.keras` file, which TensorFlow loads: made of layers and operations that Keras itself has.

Needs the extra `keras`, to write one and to run it; a bundle that holds one is checked without.
"""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tuner.errors import BundleError, Mistake
from tuner.export.formats._base import Runner, Trained
from tuner.export.integrity import altered

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from tuner.export.contents import Signature

FILE = "model.keras"
EXACT = True

_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_CLASSES = {
    "keras": {"DTypePolicy"},
    "keras.initializers": {"GlorotUniform", "Ones", "Orthogonal", "RandomUniform", "Zeros"},
    "keras.layers": {
        *("Add", "Average", "BatchNormalization", "Concatenate", "Conv1D", "Conv2D", "Dense"),
        *("Embedding", "GRU", "InputLayer", "LSTM", "LayerNormalization", "Reshape", "SimpleRNN"),
    },
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.core": {"Cast"},
    "keras.src.ops.nn": {"Softmax"},
    "keras.src.ops.numpy": {
        *("All", "Cumsum", "Equal", "ExpandDims", "Flip", "FullLike", "LessEqual", "Matmul"),
        *("Max", "Maximum", "Multiply", "OnesLike", "Split", "Squeeze", "Sum", "Take", "Tanh"),
        *("Transpose", "TrueDivide", "Where", "ZerosLike"),
    },
}
"""Module → what of it a network is built of."""
_MAX_CONFIG_BYTES = 1 << 24


def refusals(module: nn.Module, signature: Signature) -> list[Mistake]:
    """A missing extra, and all parts of the network that Keras does not have."""
    from tuner.export.keras_network import lacking

    mistakes = []
    if find_spec("tensorflow") is None:
        mistakes.append(
            Mistake(
                code="export/extra",
                rule="`--format keras` must find TensorFlow",
                where="this environment",
                got="none",
                fix="Install it: `pip install 'rnn-tuner[keras]'`.",
            )
        )
    for part in lacking(module, signature):
        mistakes.append(
            Mistake(
                code="export/unsupported",
                rule="`--format keras` must be given a network of layers that Keras has",
                where=f"the forward pass of {type(module).__name__}",
                got=part,
                fix="Leave the format out: ONNX holds every network.",
            )
        )
    return mistakes


def write(path: Path, trained: Trained) -> list[str]:
    """Builds the network anew in Keras, with the trained weights."""
    with _quiet():
        from tuner.export.keras_network import build

        build(trained.module, trained.signature).save(path)
    return ["inputs `x` and `lengths`, as the graph's; no custom objects are needed to load it"]


def check(path: Path, content: bytes, signature: Signature) -> list[Mistake]:
    """Refuses what could run code when it is loaded: anything but Keras's own layers."""
    rule = "a `.keras` file must be what the exporter writes"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if {member.filename for member in members} != _MEMBERS or len(members) != len(_MEMBERS):
                return [altered(path, rule, ", ".join(member.filename for member in members))]
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                return [altered(path, rule, "compressed members")]
            if archive.getinfo("config.json").file_size > _MAX_CONFIG_BYTES:
                return [altered(path, rule, "a huge config.json")]
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, ValueError, RecursionError, NotImplementedError, OSError) as error:
        return [altered(path, rule, str(error))]
    foreign = sorted(set(_foreign(config)))
    if not isinstance(config, dict) or config.get("class_name") != "Functional":
        foreign.append("no functional model")
    return [altered(path, rule, ", ".join(foreign))] if foreign else []


def runner(content: bytes, signature: Signature, threads: int) -> Runner:
    """Loads the model in Keras; its threads are TensorFlow's own."""
    with _quiet(), TemporaryDirectory(prefix="keras-") as folder:
        import keras

        path = Path(folder) / FILE
        path.write_bytes(content)
        _check_weights(content, path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)

    def run(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        with _quiet():
            y = model([arrays["x"], arrays["lengths"]], training=False)
            return [keras.ops.convert_to_numpy(y)]

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Keras on TensorFlow, without their warnings: of numpy's future, and of masks that end where
    the graph needs them no longer."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Rounds as it pleases, and says so at every start.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _foreign(config: Any) -> Iterator[str]:
    """The objects in a configuration that a network is not built of."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            module, name = str(part.get("module")), str(part.get("class_name"))
            tensor = (module, name) == ("None", "__keras_tensor__")
            known = name in _CLASSES.get(module, ()) and part.get("registered_name") in (None, name)
            if "class_name" in part and not tensor and not known:
                yield f"{module}.{name}"


def _check_weights(content: bytes, path: Path) -> None:
    """Refuses HDF5 that leads out of its file.

    Raises:
        BundleError: a link or a data set that lies elsewhere.
    """
    import h5py

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r") as file:
        waiting = [file]
        while waiting:
            group = waiting.pop()
            for name in group:
                link = group.get(name, getlink=True)
                found = group.get(name) if isinstance(link, h5py.HardLink) else None
                if isinstance(found, h5py.Group):
                    waiting.append(found)
                elif not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
                    rule = "the weights must lie in the file itself"
                    raise BundleError(altered(path, rule, repr(name)))
