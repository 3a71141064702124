"""Recordings: samples, log-mel frames, manifests, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io.wavfile
from pydantic import ValidationError

from tuner.data import mel, recordings, wav
from tuner.data.audio import Audio
from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.files import changed_files
from tuner.data.predicting import read_for_prediction
from tuner.data.prepare import prepare
from tuner.data.store import Store
from tuner.errors import DataError

RATE = 4_000
SETTINGS = {"rate": RATE, "bands": 12, "window": 32, "hop": 12, "low": 40}
LABELLED = TaskData(kind="sequence")


def tone(pitch: float, seconds: float = 0.2, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)


def pcm(samples: np.ndarray, width: int, channels: int = 1) -> bytes:
    """As Python's own writer has it; 8 bits are without a sign."""
    whole = np.round(samples * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    body = b"".join(
        (int(v) + 128).to_bytes(1, "little")
        if width == 1
        else int(v).to_bytes(width, "little", signed=True)
        for v in np.repeat(whole, channels)
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(RATE)
        writer.writeframes(body)
    return file.getvalue()


@pytest.mark.parametrize(("width", "near"), [(1, 1e-2), (2, 1e-4), (3, 1e-6), (4, 1e-7)])
def test_whole_numbers_of_any_width_are_read(width: int, near: float) -> None:
    samples = tone(300)
    found = wav.decode(pcm(samples, width, channels=2))
    assert found.rate == RATE
    np.testing.assert_allclose(found.samples_N, samples, atol=near)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_are_read_as_scipy_wrote_them(kind: type, tmp_path: Path) -> None:
    samples = tone(300).astype(kind)
    scipy.io.wavfile.write(tmp_path / "a.wav", RATE, samples)
    found = wav.decode((tmp_path / "a.wav").read_bytes())
    np.testing.assert_array_equal(found.samples_N, samples.astype(np.float32))


def test_an_extensible_header_and_other_chunks_are_passed_over() -> None:
    plain = pcm(tone(300), 3)
    body = plain[plain.index(b"data") :]
    fields = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, 3 * RATE, 3, 24, 22, 24, 4)
    longer = fields + struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", len(longer))
    chunks += longer + body
    content = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks
    np.testing.assert_array_equal(wav.decode(content).samples_N, wav.decode(plain).samples_N)


def test_channels_become_their_mean(tmp_path: Path) -> None:
    two = np.stack([tone(300), np.zeros_like(tone(300))], axis=1).astype(np.float32)
    scipy.io.wavfile.write(tmp_path / "a.wav", RATE, two)
    found = wav.decode((tmp_path / "a.wav").read_bytes()).samples_N
    np.testing.assert_allclose(found, two[:, 0] / 2, atol=1e-7)


def test_what_is_written_is_read_by_others(tmp_path: Path) -> None:
    samples = np.append(tone(300), 2.0)
    (tmp_path / "a.wav").write_bytes(wav.encode(samples, RATE))
    rate, found = scipy.io.wavfile.read(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_allclose(found / 2**15, np.clip(samples, -1, 1), atol=1e-4)


def test_frames_are_their_formulas() -> None:
    """Each sum spelled out: windows, a Fourier transform, triangles in mel."""
    audio = Audio(**SETTINGS, pre_emphasis=0.9)
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, 700)
    emphasised = [samples[0] * 0.1]
    emphasised += [samples[n] - 0.9 * samples[n - 1] for n in range(1, 700)]
    size, hop, points = 128, 48, 128
    scale = [2595 * np.log10(1 + hertz / 700) for hertz in (40, RATE / 2)]
    edges = np.linspace(*scale, 14)
    frames = []
    for start in range(0, 700 - size + 1, hop):
        piece = [
            emphasised[start + n] * (0.54 - 0.46 * np.cos(2 * np.pi * n / (size - 1)))
            for n in range(size)
        ]
        bands = np.zeros(12)
        for k in range(points // 2 + 1):
            turn = np.exp(-2j * np.pi * k * np.arange(size) / points)
            power = abs((np.array(piece) * turn).sum()) ** 2
            at = 2595 * np.log10(1 + k * RATE / points / 700)
            for band in range(12):
                low, peak, high = edges[band : band + 3]
                if low < at <= peak:
                    bands[band] += power * (at - low) / (peak - low)
                elif peak < at < high:
                    bands[band] += power * (high - at) / (high - peak)
        frames.append(np.log(bands))
    found = mel.log_mel(samples, audio)
    assert found.dtype == np.float32 and mel.num_frames(700, audio) == len(frames)
    np.testing.assert_allclose(found, frames, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("how", "deviation"), [("mean", None), ("standard", 1.0)])
def test_a_recording_is_normalised_by_itself(how: Any, deviation: float | None) -> None:
    frames = mel.log_mel(tone(300) + tone(900), Audio(**SETTINGS, normalization=how))
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    if deviation:
        np.testing.assert_allclose(frames.std(axis=0), deviation, atol=1e-3)


def test_a_tone_keeps_its_pitch_at_another_rate() -> None:
    found = recordings.resampled(tone(300, 1.0, 6_000).astype(np.float32), 6_000, RATE)
    assert len(found) == RATE
    assert np.abs(np.fft.rfft(found)).argmax() == 300


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"high": 3_000}, "half the rate"),
        ({"low": 2_000}, "must be below"),
        ({"bands": 100}, "few enough"),
    ],
)
def test_settings_that_contradict_are_refused(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        Audio(**{**SETTINGS, **changes})


TEXTS = ["ab"[i % 2] for i in range(16)]


def written(folder: Path) -> list[dict[str, str]]:
    """WAV files, and the rows of a manifest of them."""
    (folder / "wav").mkdir()
    for i, text in enumerate(TEXTS):
        pitch = {"a": 300, "b": 900}[text] + 5 * i
        (folder / "wav" / f"{i}.wav").write_bytes(wav.encode(tone(pitch, 0.1 + i / 100), RATE))
    rows = [{"path": f"wav/{i}.wav", "text": text} for i, text in enumerate(TEXTS)]
    # A manifest's numbers tell of recordings.
    return [row | {"seconds": str(0.1 + i / 100)} for i, row in enumerate(rows)]


def manifest(folder: Path, name: str, rows: list[dict[str, str]]) -> Path:
    path = folder / name
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path
    with path.open("w", newline="") as file:
        mark = "\t" if path.suffix == ".tsv" else ","
        writer = csv.DictWriter(file, list(rows[0]), delimiter=mark)
        writer.writeheader()
        writer.writerows(rows)
    return path


def prepared(folder: Path, name: str, **data: Any) -> Store:
    section = {"train": name, "audio": SETTINGS, "target": "text", "test": 0.25, **data}
    prepare(DataConfig.model_validate(section), LABELLED, folder, folder / "data", seed=0)
    return Store.open(folder / "data")


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl"])
def test_a_manifest_is_read_once_and_again_alike(name: str, tmp_path: Path) -> None:
    path = manifest(tmp_path, name, written(tmp_path))
    store = prepared(tmp_path, name)
    assert store.card.features == Audio(**SETTINGS).names and store.card.labels == ("a", "b")
    assert list(store.ids) == [f"wav/{i}.wav" for i in range(16)]
    assert [store.card.labels[v] for v in store.label_S] == TEXTS
    for i in (0, 7):
        samples = wav.decode((tmp_path / "wav" / f"{i}.wav").read_bytes()).samples_N
        begin = int(store.offset_S[i])
        frames = store.values_NF[begin : begin + int(store.length_S[i])]
        np.testing.assert_array_equal(frames, mel.log_mel(samples, Audio(**SETTINGS)))
    again = read_for_prediction([path], store.card.layout, store.card.labels, warnings=[])
    np.testing.assert_array_equal(again.values_NF, store.values_NF)
    few = [tmp_path / "wav" / f"{i}.wav" for i in (3, 4)]
    alone = read_for_prediction(few, store.card.layout, store.card.labels, warnings=[])
    begin, end = int(store.offset_S[3]), int(store.offset_S[5])
    np.testing.assert_array_equal(alone.values_NF, store.values_NF[begin:end])


def test_a_layout_with_recordings_comes_back_from_json(tmp_path: Path) -> None:
    manifest(tmp_path, "rows.csv", written(tmp_path))
    layout = prepared(tmp_path, "rows.csv").card.layout
    assert type(layout).from_json(json.loads(json.dumps(layout.to_json()))) == layout


def test_names_of_files_are_labels(tmp_path: Path) -> None:
    for i in range(12):
        name = f"{'01'[i % 2]}_{'01'[i // 2 % 2]}_{'ab'[i // 4 % 2]}{i // 8}"
        (tmp_path / f"{name}.wav").write_bytes(wav.encode(tone(300 + 30 * i), RATE))
    names = sorted(path.name for path in tmp_path.glob("*.wav"))
    data = {"train": names[:8], "validation": names[8:], "audio": SETTINGS, "stratify": False}
    with pytest.raises(DataError) as refused:
        prepare(DataConfig.model_validate(data), LABELLED, tmp_path, tmp_path / "data", seed=0)
    # Every text is another one here, so that as a class each is unseen.
    (mistake,) = refused.value.mistakes
    assert mistake.code == "data/unseen-class" and "'1 1 a0'" in mistake.got


def test_a_recording_that_changed_is_noticed(tmp_path: Path) -> None:
    manifest(tmp_path, "rows.csv", written(tmp_path))
    card = prepared(tmp_path, "rows.csv").card
    assert len(card.files) == 17 and changed_files(card, tmp_path) == []
    (tmp_path / "wav" / "3.wav").write_bytes(wav.encode(tone(100), RATE))
    (mistake,) = changed_files(card, tmp_path)
    assert mistake.code == "data/changed" and mistake.where == "wav/3.wav"


def test_all_bad_recordings_are_told_at_once(tmp_path: Path) -> None:
    rows = written(tmp_path)
    folder = tmp_path / "wav"
    whole = (folder / "0.wav").read_bytes()
    bad = {
        "0": b"",
        "1": whole[:-20],
        "2": b"MP3 " + whole,
        "3": wav.encode(tone(300, rate=8_000), 8_000),
        "4": wav.encode(tone(300)[:50], RATE),
        "5": wav.encode(np.zeros(0), RATE),
        "6": wav.encode(tone(300, rate=8_000), 8_000),
    }
    for name, content in bad.items():
        (folder / f"{name}.wav").write_bytes(content)
    (folder / "7.wav").unlink()
    floats = np.full(800, np.nan, np.float32)
    scipy.io.wavfile.write(folder / "8.wav", RATE, floats)
    manifest(tmp_path, "rows.csv", rows)
    with pytest.raises(DataError) as refused:
        prepared(tmp_path, "rows.csv")
    found = {(m.code, m.got) for m in refused.value.mistakes}
    assert {code for code, _ in found} == {
        "data/empty",
        "data/audio",
        "data/audio-rate",
        "data/audio-short",
        "data/missing",
        "data/infinite",
    }
    (rate,) = [m for m in refused.value.mistakes if m.code == "data/audio-rate"]
    assert "3.wav" in rate.where and "6.wav" in rate.where and "rate: 8000" in rate.fix
    assert all(m.rule and m.where and m.got and m.fix for m in refused.value.mistakes)
    assert not (tmp_path / "data").exists()


def test_a_recording_named_twice_is_told(tmp_path: Path) -> None:
    rows = written(tmp_path)
    manifest(tmp_path, "rows.csv", [*rows, rows[2]])
    with pytest.raises(DataError) as refused:
        prepared(tmp_path, "rows.csv")
    (mistake,) = refused.value.mistakes
    assert mistake.code == "data/audio-id" and "line 18" in mistake.where


def test_recordings_of_another_rate_are_brought_to_this_one(tmp_path: Path) -> None:
    rows = written(tmp_path)
    content = wav.encode(tone(300, 0.2, 8_000), 8_000)
    (tmp_path / "wav" / "0.wav").write_bytes(content)
    manifest(tmp_path, "rows.csv", rows)
    store = prepared(tmp_path, "rows.csv", audio={**SETTINGS, "resample": True})
    assert store.length_S[0] == mel.num_frames(int(0.2 * RATE), Audio(**SETTINGS))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"audio": {**SETTINGS, "path": "file"}}, "data/absent-column"),
        ({"features": ["seconds"]}, "data/audio"),
        ({"text": "text", "target": "seconds"}, "data/audio"),
    ],
)
def test_what_recordings_are_not_is_told(data: dict[str, Any], code: str, tmp_path: Path) -> None:
    manifest(tmp_path, "rows.csv", written(tmp_path))
    with pytest.raises(DataError) as refused:
        prepared(tmp_path, "rows.csv", **data)
    assert code in {mistake.code for mistake in refused.value.mistakes}
