"""What a spec may be told wrong, and how it is told: all at once, with line, value and way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuner import spec, spec_file, spec_reader
from tuner.config import TrialConfig
from tuner.errors import CommandError, SpecError
from tuner.refused_values import ValuesRefused
from tuner.spec import SweepSpec

GOOD = """\
name: small
task: classification
data:
  train: rows.csv
  id: id
  target: label
space:
  parameters:
    model/cell: {choice: [lstm, gru], default: lstm}
    optimizer/lr: {float: [1e-4, 1e-2], log: true, default: 1e-3}
    training/epochs: 5
search: {trials: 4}
"""


@pytest.fixture(autouse=True)
def rows(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,x,label\n")


def load(tmp_path: Path, text: str | bytes, **options: Any) -> SweepSpec:
    path = tmp_path / "spec.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return spec_reader.load(path, **options)


def mistakes(tmp_path: Path, text: str | bytes, **options: Any) -> list[str]:
    with pytest.raises(SpecError) as raised:
        load(tmp_path, text, **options)
    return [str(mistake) for mistake in raised.value.mistakes]


# (what is replaced, by what, parts of the one message)
CASES = {
    "2 empty": (GOOD, "", ["spec"]),
    "4 not UTF-8": (b"small", b"sm\xe4ll", ["UTF-8", "8"]),
    "5 syntax": ("{trials: 4}", "{trials: 4", ["line"]),
    "6 tab": ("  id: id", "\tid: id", ["line 5", "tab"]),
    "7 duplicate key": ("  id: id\n", "  id: id\n  id: other\n", ["line 6", "`id`"]),
    "8 unknown key": ("  id: id", "  idd: id", ["line 5", "Did you mean `data/id`?"]),
    "8 unknown section": ("search:", "serach:", ["line 12", "Did you mean `search`?"]),
    "26 elastic pair reversed": (
        "search:",
        "resources: {workers: {min: 3, max: 2}}\nsearch:",
        ["line 12", "`resources/workers` must have a `min` that is at most its `max`"],
    ),
    "26 elastic pair of one": (
        "search:",
        "resources: {workers: {min: 3}}\nsearch:",
        ["line 12", "`resources/workers/max` must be given"],
    ),
    "26 no workers": (
        "search:",
        "resources: {workers: many}\nsearch:",
        ["line 12", "must be a whole number, or a range such as {min: 1, max: 4}", "'many'"],
    ),
    "9 wrong type": ("{trials: 4}", "{trials: four}", ["line 12", "'four'"]),
    "10 epochs": ("epochs: 5", "epochs: 0", ["line 11", "greater than or equal to 1", "0"]),
    "11 reversed": ("[1e-4, 1e-2]", "[1e-2, 1e-4]", ["line 10", "[0.0001, 0.01]"]),
    "13 log from 0": ("[1e-4, 1e-2]", "[0, 1e-2]", ["line 10", "above 0"]),
    "15 NaN": ("[1e-4, 1e-2]", "[1e-4, .nan]", ["line 10", "nan"]),
    "16 empty choices": ("[lstm, gru]", "[]", ["line 9"]),
    "17 duplicate choices": ("[lstm, gru]", "[lstm, lstm]", ["line 9", "lstm"]),
    "18 unhashable": ("[lstm, gru]", "[[lstm], gru]", ["line 9"]),
    "19 name": ("name: small", "name: a b", ["line 1", "'a b'"]),
    "20 metric": ("{trials: 4}", "{metric: acuracy}", ["line 12", "Did you mean `accuracy`?"]),
    "21 direction": ("{trials: 4}", "{direction: minimise}", ["line 12", "'minimise'"]),
    "21 wrong direction": ("{trials: 4}", "{direction: minimize}", ["line 12", "maximize"]),
    "22 grace": ("{trials: 4}", "{grace: 9}", ["line 12", "9 with 5 epochs"]),
    "23 condition": (
        "default: lstm}",
        "default: lstm, when: {model/cel: x}}",
        ["line 9", "model/cel"],
    ),
    "24 grid": ("{trials: 4}", "{sampler: grid, trials: 2}", ["line 12", "2 trials"]),
    "27 batch": (
        "search: {trials: 4}",
        "resources: {workers: 64}",
        ["training/batch_size", "32 with 64 workers"],
    ),
    "29 seed": ("{trials: 4}", "{seed: -1}", ["line 12", "-1"]),
    "29 large seed": ("{trials: 4}", "{seed: 4294967296}", ["line 12", "4294967296"]),
    "31 version": ("name: small", "version: 2\nname: small", ["line 1", "2"]),
    "unknown task": ("task: classification", "task: clasification", ["Did you mean"]),
    "unknown cell": ("[lstm, gru]", "[lstm, gruu]", ["line 9", "'gruu'", "gru"]),
    "unknown parameter": ("model/cell:", "model/cel:", ["line 9", "Did you mean `model/cell`?"]),
    "value out of range": ("[1e-4, 1e-2]", "[1e-4, 1e-2], or: -1", ["line 10", "-1"]),
    "python tag": ("small", "!!python/object/apply:os.system [ls]", ["line 1"]),
    "87 tracking": ("search:", "tracking: {uri: htp://x}\nsearch:", ["line 12", "htp://x"]),
    "a secret": ("search:", "tracking: {password: x}\nsearch:", ["line 12", "password"]),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_mistake_is_told_with_its_place(tmp_path: Path, case: str) -> None:
    old, new, parts = CASES[case]
    good = GOOD.encode() if isinstance(old, bytes) else GOOD
    assert old in good  # type: ignore[operator]
    found = mistakes(tmp_path, good.replace(old, new))  # type: ignore[arg-type]
    message = "\n".join(found)
    assert all(part in message for part in [*parts, "spec.yaml"]), message
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["rows.csv", "spec.yaml"], "nothing is created"


def test_all_mistakes_come_together(tmp_path: Path) -> None:
    text = GOOD.replace("name: small", "name: a b").replace("[lstm, gru]", "[lstm, gruu]")
    text = text.replace("[1e-4, 1e-2]", "[1e-2, 1e-4]").replace("{trials: 4}", "{trials: 0}")
    text = text.replace("epochs: 5", "epochs: -5").replace("  id: id", "  idd: id")
    found = mistakes(tmp_path, text)
    for part in ("'a b'", "gruu", "[0.01, 0.0001]", "search/trials", "-5", "data/idd"):
        assert sum(part in message for message in found) >= 1, (part, found)


def test_a_wrong_option_of_the_task_hides_no_other_mistake(tmp_path: Path) -> None:
    text = GOOD.replace("task: classification", "task: {name: classification, bins: 3}")
    told = mistakes(tmp_path, text.replace("[lstm, gru]", "[lstm, grue]"))
    assert len(told) == 2 and "`task/bins`" in told[0] and "'grue'" in told[1]


def test_absent_data_are_told_with_the_other_mistakes(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").unlink()
    found = mistakes(tmp_path, GOOD.replace("{trials: 4}", "{metric: acuracy}"))
    assert [message.rpartition("[")[2] for message in found] == [
        "spec/unknown-metric]",
        "data/missing]",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.yaml"):
        spec_reader.load(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="folder"):
        spec_reader.load(tmp_path)


def test_numbers_and_words_mean_what_people_write(tmp_path: Path) -> None:
    text = GOOD.replace(
        "optimizer/lr: {float: [1e-4, 1e-2], log: true, default: 1e-3}", "optimizer/lr: 1e-3"
    )
    assert load(tmp_path, text).space.defaults()["optimizer/lr"] == 0.001


def test_settings_replace_what_the_file_says(tmp_path: Path) -> None:
    read = load(
        tmp_path,
        GOOD,
        settings=["search/seed=9", "model/hidden_size=48", "model/cell=[gru, rnn]"],
        name="other",
        trials=7,
    )
    assert (read.name, read.search.seed, read.search.trials) == ("other", 9, 7)
    assert read.space.defaults()["model/hidden_size"] == 48
    (message,) = mistakes(tmp_path, GOOD, settings=["model/hidden_size=-3"])
    assert "--set gave -3" in message


def test_a_space_whose_branches_are_narrowed_away_is_read_back(tmp_path: Path) -> None:
    whole = GOOD[: GOOD.index("space:")]
    read = load(tmp_path, whole, settings=["model/directions=1"])
    again = SweepSpec.from_data(json.loads(json.dumps(read.to_data())))
    assert "model/join" in again.space.parameters, "what joins two directions"
    assert again.to_data() == read.to_data()


def test_a_space_holds_what_is_of_effect_on_the_inputs(tmp_path: Path) -> None:
    whole = GOOD[: GOOD.index("space:")]
    numbers = load(tmp_path, whole, settings=["model/embedding=32"])
    assert "model/embedding" not in numbers.space.parameters
    assert "data/scaling" in numbers.space.parameters
    (warning,) = numbers.warnings
    assert warning.code == "spec/no-effect" and "`model/embedding`" in str(warning)
    fused = load(tmp_path, whole, settings=["data/static=[age]", "model/fusion=gated"])
    assert fused.space.parameters["model/fusion"].domain.default == "gated" and not fused.warnings
    (warning,) = load(tmp_path, whole, settings=["model/fusion=gated"]).warnings
    assert "`model/fusion`" in str(warning) and "nothing stands beside" in str(warning)
    read = GOOD[: GOOD.index("space:")].replace("classification", "captioning")
    features = load(tmp_path, read.replace("id: id", "features: [x]"))
    assert "model/picture_layers" not in features.space.parameters and not features.warnings
    pictures = load(tmp_path, read.replace("id: id", "picture: {height: 8, width: 8}"))
    assert {"model/picture_layers", "model/convolution_filters"} <= set(pictures.space.parameters)
    texts = [whole.replace("id: id", "text: words"), whole.replace("rows.csv", "rows.conllu")]
    for text in texts:
        read = load(tmp_path, text)
        assert "model/embedding" in read.space.parameters
        assert "data/scaling" not in read.space.parameters and not read.warnings


def test_a_frozen_spec_is_read_back(tmp_path: Path) -> None:
    read = load(tmp_path, GOOD)
    frozen = json.loads(json.dumps(read.to_data()))
    again = SweepSpec.from_data(frozen)
    assert again.to_data() == read.to_data()
    assert spec.differences(frozen, again.to_data()) == []
    changed = json.loads(json.dumps(load(tmp_path, GOOD.replace("5", "6")).to_data()))
    assert spec.differences(frozen, changed) == ["space/parameters/training/epochs: 5 → 6"]
    with pytest.raises(CommandError, match="newer"):
        SweepSpec.from_data(frozen | {"version": 99})


def test_set_reaches_what_stands_inside_a_section(tmp_path: Path) -> None:
    text = GOOD.replace("  target:", "  picture: {height: 8, width: 8}\n  target:", 1)
    read = load(tmp_path, text, settings=["data/picture/height=16"])
    assert read.data.picture is not None
    assert (read.data.picture.height, read.data.picture.width) == (16, 8)
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text, settings=["data/picture/heigth=16"])
    message = str(caught.value)
    assert "--set gave 'heigth'" in message and "Did you mean `data/picture/height`?" in message


def test_warnings_do_not_refuse(tmp_path: Path) -> None:
    read = load(
        tmp_path, GOOD.replace("training/epochs", "schedule/name: cosine\n    training/epochs")
    )
    assert any("anytime" in str(warning) for warning in read.warnings)


@pytest.mark.parametrize(
    ("setting", "where"),
    [("optimizer/lr={float: [1e-3, 1e-3]}", "--set gave"), ("search/seed=1", "line 10 gave")],
)
def test_a_warning_names_its_place(tmp_path: Path, setting: str, where: str) -> None:
    read = load(tmp_path, GOOD.replace("[1e-4, 1e-2]", "[1e-3, 1e-3]"), settings=[setting])
    (warning,) = read.warnings
    assert warning.code == "space/single-value" and where in str(warning)


def test_the_schema_takes_good_specs_and_knows_every_section() -> None:
    schema = spec_file.schema()
    assert set(yaml.safe_load(GOOD)) <= set(schema["properties"])
    assert schema["required"] == ["name", "task", "data"]
    assert "model/hidden_size" in schema["properties"]["override"]["properties"]


def test_rows_and_losses_of_training_are_searched_like_anything_else(tmp_path: Path) -> None:
    parts = "[classification, parts/augmentation, parts/imbalance]"
    text = GOOD.partition("space:")[0] + f"space:\n  include: {parts}\n"
    found = load(tmp_path, text + "override:\n  training/batch_tokens: [2000, 8000]\n")
    kinds = {"augmentation": 6, "loss": 2}
    for section, num in kinds.items():
        assert sum(path.startswith(f"{section}/") for path in found.space.defaults()) == num
    assert found.space.defaults()["data/sampling"] == "none"
    assert found.space.defaults()["training/batch_tokens"] == 2000
    with pytest.raises(SpecError, match="augmentation/jitters"):
        load(tmp_path, text + "override:\n  augmentation/jitters: 0.1\n")


@pytest.mark.parametrize("path", ["regularization/activation", "training/bptt"])
def test_what_reaches_into_the_encoder_needs_one(path: str) -> None:
    task = {"name": "forecasting", "horizon": 3}
    values: dict[str, Any] = {"data/decoding": "recursive"}
    values[path] = 2 if path == "training/bptt" else 2.0
    with pytest.raises(ValuesRefused, match=f"`{path}` reaches into the encoder"):
        TrialConfig.from_values(values, task)
