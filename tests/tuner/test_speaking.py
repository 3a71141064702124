"""WAV files of what a model gives, all at once or none; and why some answers cannot be heard."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import bundles
import made
import numpy as np
import pytest

from tuner import cli
from tuner.data import griffin_lim, wav
from tuner.errors import CommandError, DataError
from tuner.export.bundle import Bundle
from tuner.export.contents import CONTENTS
from tuner.predict import predict
from tuner.predictor import Predictor


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("synthesis")
    return bundles.exported("synthesis", folder, bundles.trained("synthesis", folder))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text("text\nabc\nab ca\n")
    return path


def test_each_text_becomes_a_recording_of_its_frames(bundle: Bundle, texts: Path) -> None:
    folder = texts.parent / "said"
    assert cli.main(["predict", str(bundle.folder), str(texts), "--output", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {"0001.wav", "0002.wav", "answers.csv"}
    predictor = Predictor.open(bundle.folder)
    columns, audio = predictor.read([texts]).columns, predictor.layout.audio
    assert audio is not None and [*columns] == ["id", "frame", *audio.names]
    with (folder / "answers.csv").open() as file:
        index = list(csv.DictReader(file))
    assert [row["id"] for row in index] == ["line 2", "line 3"]
    for row in index:
        heard = wav.decode((folder / row["path"]).read_bytes())
        assert heard.rate == made.RATE
        assert len(heard.samples_N) / heard.rate == pytest.approx(float(row["seconds"]))
        mine = [n for n, name in enumerate(columns["id"]) if name == row["id"]]
        frames_TM = np.array([columns[band] for band in audio.names]).T[mine]
        expected_N = griffin_lim.samples(frames_TM, audio)
        np.testing.assert_allclose(heard.samples_N, expected_N.clip(-1, 1), atol=1e-4)


def test_a_folder_that_is_there_stays_as_it_is(bundle: Bundle, texts: Path) -> None:
    folder = texts.parent / "said"
    folder.mkdir()
    with pytest.raises(CommandError, match="must be a new folder"):
        predict(bundle.folder, [str(texts)], str(folder))
    assert not [*folder.iterdir()]


def test_what_cannot_be_written_leaves_nothing(
    bundle: Bundle, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(samples_N: np.ndarray, rate: int) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wav, "encode", full)
    with pytest.raises(CommandError, match="No space left"):
        predict(bundle.folder, [str(texts)], str(texts.parent / "said"))
    assert [path.name for path in texts.parent.iterdir()] == ["texts.csv"]


REFUSED = {
    "": "data/missing-text",
    "abx": "predict/unknown-token",
    "abc" * 10: "predict/too-long",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_text_that_cannot_be_said_is_told_in_four_parts(
    bundle: Bundle, texts: Path, text: str
) -> None:
    texts.write_text(f'text\nabc\n"{text}"\n')
    with pytest.raises(DataError) as raised:
        predict(bundle.folder, [str(texts)], str(texts.parent / "said"))
    (mistake,) = raised.value.mistakes
    assert mistake.code == REFUSED[text] and "line 3" in mistake.where
    assert mistake.rule and mistake.got and mistake.fix
    assert [path.name for path in texts.parent.iterdir()] == ["texts.csv"]


def test_ids_are_read_where_there_are_some_and_recordings_never(
    bundle: Bundle, texts: Path
) -> None:
    texts.write_text("path,text\nnowhere.wav,abc\n")
    answers = Predictor.open(bundle.folder).read([texts])
    assert set(answers.columns["id"]) == {"nowhere.wav"} and answers.scores == {}


def test_other_models_are_not_heard(tmp_path: Path) -> None:
    fit = bundles.trained("regression", tmp_path)
    other = bundles.exported("regression", tmp_path, fit)
    with pytest.raises(CommandError, match="gives frames of recordings"):
        predict(other.folder, [str(tmp_path / "rows.csv")], str(tmp_path / "said"))
    assert not (tmp_path / "said").exists()


def test_frames_that_do_not_know_how_loud_they_are_are_not_heard(
    bundle: Bundle, texts: Path
) -> None:
    quiet = texts.parent / "quiet"
    shutil.copytree(bundle.folder, quiet)
    told = json.loads((quiet / CONTENTS).read_text())
    told["about"]["preprocessing"]["layout"]["audio"]["normalization"] = "mean"
    (quiet / CONTENTS).write_text(json.dumps(told))
    bundles.reseal(quiet)
    with pytest.raises(CommandError, match="normalization: none"):
        predict(quiet, [str(texts)], str(texts.parent / "said"))
    predict(quiet, [str(texts)], str(texts.parent / "frames.csv"))
