"""The card tells what the contents hold: proofs, limits, data, licence, how to make it again."""

from __future__ import annotations

from typing import Any

from tuner.export.card import card
from tuner.export.contents import (
    About,
    Contents,
    DataUsed,
    Exported,
    Proof,
    Pruning,
    Score,
    Signature,
    TaskUsed,
)

PROOF = Proof(
    split="test", rows=24, metric="accuracy", network=0.75, export=0.625, difference=0.0123
)


def contents(**changes: Any) -> Contents:
    about: dict[str, Any] = {
        "name": "made",
        "trial": 7,
        "task": TaskUsed(name="classification"),
        "parameters": {"training/seed": 5},
        "signature": Signature(inputs=3, outputs=2),
        "preprocessing": {},
    }
    formats = {
        "onnx": Exported(file="model.onnx", bytes=2048, compressed=1024),
        "int8": Exported(
            file="model.int8.onnx",
            bytes=1024,
            compressed=512,
            notes=("the layers of a GRU stay",),
            proofs=(PROOF.model_copy(update={"split": "validation"}), PROOF),
            lost=0.1667,
        ),
    }
    return Contents(
        about=About.model_validate(about | changes),
        weights={},
        difference=1e-7,
        batches=4,
        formats=formats,
        max_loss=0.2,
        made_with={"torch": "2"},
    )


def test_each_format_stands_beside_the_network() -> None:
    text = card(contents())
    (line,) = [line for line in text.splitlines() if line.startswith("| int8")]
    for told in ("1.0 KiB", "0.5 KiB", "0.625 \\(0.75\\)", "1.2e-02", "24 test rows", "16.67%"):
        assert told in line, told
    assert "a GRU stay" in line and "more than 0.2 of the score" in text
    assert "not run" in text, "a format without a proof says so"


def test_what_is_known_of_the_model_is_told_and_what_is_not_is_said() -> None:
    score = Score(metric="accuracy", validation=0.9, interval=(0.85, 0.93), seeds=5)
    text = card(
        contents(
            scores=(score,),
            data=(DataUsed(name="rows.csv", split="train", sha256="ab12", bytes=99),),
            sequences={"train": 80, "test": 20},
            limits=("It knows <2> classes.",),
            licence="CC-BY-4.0",
            repeat=("tuner sweep SPEC --name made", "tuner export made --trial 7 --to DIR"),
            pruning=Pruning(
                share=0.5,
                sparsity=0.49,
                epochs=10,
                split="validation",
                metric="accuracy",
                before=0.9,
                after=0.89,
                lost=0.0111,
            ),
        )
    )
    for told in ("0.85 … 0.93, 5", "ab12", "80 for train", "CC-BY-4.0", "49.0% of", "seed is 5"):
        assert told in text, told
    assert "    tuner export made --trial 7 --to DIR" in text
    assert "<2>" not in text, "what comes from data is escaped"
    assert "Not stated" in card(contents())


def test_a_stream_is_told_how_it_goes_on() -> None:
    signature = Signature(inputs=3, outputs=2, states=((1, 4),), start=((0.0,) * 4,), ragged=True)
    text = card(contents(signature=signature))
    assert "bundle.carry(x, lengths, states)" in text and "with a length of 0" in text
    assert "bundle.carry" not in card(contents())
