"""Scores of forecasts against plain formulas and scikit-learn, and quantiles."""

from __future__ import annotations

from typing import Any

import made
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.tasks.forecasting import Config, Forecasting

HORIZON = 5
LEVELS = [0.1, 0.5, 0.8]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """Two target channels, or one of them."""
    found = {}
    for name, target in (("two", None), ("one", "heat")):
        folder = tmp_path_factory.mktemp(name)
        made.series_csv(folder / "rows.csv", missing=0.1)
        data = {"train": "rows.csv", "id": "name", "time": "time", "missing": "mean"}
        data |= {"test": 0.2, "target": target}
        found[name] = Store.open(
            made.prepared(folder, {"name": "forecasting", "horizon": HORIZON}, data)
        )
    return found


def task(store: Store, options: dict[str, Any], **inputs: Any) -> Forecasting:
    options = {"name": "forecasting", "horizon": HORIZON, **options}
    values = {f"data/{name}": value for name, value in inputs.items()}
    found = make_task(options, TrialConfig.from_values(values, options), store.card, None)
    assert isinstance(found, Forecasting)
    return found


def scored(found: Forecasting, store: Store) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Scores of random outputs added over two parts; targets and forecasts [N, (Q)] in units of
    deviations, of what is observed, with each one's channel."""
    rows = found.rows(store, "test", None)
    whole = found.batch(store, rows)
    outputs = torch.randn(
        len(whole.inputs), found.num_outputs, generator=torch.Generator().manual_seed(1)
    )
    each = len(whole.inputs) // len(rows)
    sums = sum(
        found.statistics(
            outputs[begin * each : end * each], found.batch(store, rows[begin:end]).to_torch("cpu")
        )
        for begin, end in ((0, 7), (7, len(rows)))
    )
    assert isinstance(sums, torch.Tensor)
    kept = whole.weights > 0
    forecast = outputs.numpy().reshape(*whole.targets.shape, -1)
    return found.metrics(sums.tolist()), whole.targets[kept].astype(float), forecast[kept]


@pytest.mark.parametrize("season", [None, 6])
@pytest.mark.parametrize("channels", ["mixed", "shared"])
@pytest.mark.parametrize("name", ["one", "two"])
def test_scores_are_their_formulas(
    stores: dict[str, Store], name: str, channels: str, season: int | None, tmp_path: Any
) -> None:
    data = {"train": "rows.csv", "id": "name", "time": "time", "missing": "mean"}
    data |= {"test": 0.2, "target": "heat" if name == "one" else None}
    made.series_csv(tmp_path / "rows.csv", missing=0.1)
    options = {"season": season}
    store = Store.open(
        made.prepared(tmp_path, {"name": "forecasting", "horizon": HORIZON, **options}, data)
    )
    found = task(store, options, channels=channels)
    scores, y, forecast = scored(found, store)
    f = forecast[:, 0].astype(float)
    assert scores["mse"] == pytest.approx(mean_squared_error(y, f))
    assert scores["mae"] == pytest.approx(mean_absolute_error(y, f))
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean((y - f) ** 2)))
    rse = np.sqrt(np.sum((y - f) ** 2) / np.sum((y - y.mean()) ** 2))
    assert scores["rse"] == pytest.approx(rse)

    batch = found.batch(store, found.rows(store, "test", None))
    place = np.broadcast_to(np.arange(batch.targets.shape[2]), batch.targets.shape)
    if channels == "shared":
        number = np.arange(len(batch.targets)) % len(found.targets)
        place = np.broadcast_to(number[:, None, None], batch.targets.shape)
    channel = found.targets[place[batch.weights > 0]]
    statistics = store.card.statistics["all"]
    std, mean = np.array(statistics.std)[channel], np.array(statistics.mean)[channel]
    own_y, own_f = y * std + mean, f * std + mean
    smape = np.mean(2 * np.abs(own_y - own_f) / (np.abs(own_y) + np.abs(own_f)))
    assert scores["smape"] == pytest.approx(smape)
    naive = np.array([naive_error(store, c, season or 24) for c in range(2)])
    # `heat` repeats itself every day, which leaves its deviation to compare with.
    naive = np.where(naive > 0, naive, statistics.std)
    assert scores["mase"] == pytest.approx(np.mean(np.abs(own_y - own_f) / naive[channel]))
    if name == "one":
        assert scores["rmse_units"] == pytest.approx(np.sqrt(np.mean((own_y - own_f) ** 2)))
        assert scores["mae_units"] == pytest.approx(np.mean(np.abs(own_y - own_f)))
    else:
        assert not {"rmse_units", "mae_units"} & scores.keys()


def naive_error(store: Store, channel: int, season: int) -> float:
    """Of training rows, both ends of a pair observed."""
    assert store.observed_NF is not None
    errors = []
    for series, offset in enumerate(store.offset_S):
        for t in range(season, store.bounds["train_end"][series]):
            pair = [offset + t, offset + t - season]
            if store.observed_NF[pair, channel].all():
                errors.append(abs(np.subtract(*store.values_NF[pair, channel].astype(float))))
    return float(np.mean(errors))


def test_a_perfect_forecast_of_zeros_has_no_smape(tmp_path: Any) -> None:
    rows = [{"time": t, "x": 0 if t > 30 else t % 3} for t in range(60)]
    made.write_rows(tmp_path / "rows.csv", rows)
    options = {"name": "forecasting", "horizon": HORIZON}
    store = Store.open(made.prepared(tmp_path, options, {"train": "rows.csv", "time": "time"}))
    found = task(store, {})
    batch = found.batch(store, found.rows(store, "validation", None)).to_torch("cpu")
    scores = found.metrics(found.statistics(batch.targets.flatten(1), batch).tolist())
    assert scores["smape"] == scores["rse"] == 0


@pytest.mark.parametrize("channels", ["mixed", "shared"])
def test_quantiles_are_scored_like_scikit_learn(stores: dict[str, Store], channels: str) -> None:
    found = task(stores["two"], {"quantiles": LEVELS}, channels=channels)
    scores, y, forecast = scored(found, stores["two"])
    forecast = np.sort(forecast, axis=1).astype(float)
    losses = [mean_pinball_loss(y, forecast[:, q], alpha=a) for q, a in enumerate(LEVELS)]
    assert scores["pinball"] == pytest.approx(np.mean(losses))
    inside = (forecast[:, 0] <= y) & (y <= forecast[:, 2])
    assert scores["coverage"] == pytest.approx(inside.mean())
    assert scores["mae"] == pytest.approx(np.abs(y - forecast[:, 1]).mean())
    assert found.num_outputs == task(stores["two"], {}, channels=channels).num_outputs * 3


def test_the_loss_of_quantiles_is_pinball_and_its_least_their_values(
    stores: dict[str, Store],
) -> None:
    found = task(stores["one"], {"quantiles": LEVELS})
    store = stores["one"]
    batch = found.batch(store, found.rows(store, "train", None)).to_torch("cpu")
    constant = torch.zeros(HORIZON * 3, requires_grad=True)
    optimizer = torch.optim.Adam([constant], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        loss = found.loss(constant.expand(len(batch.inputs), -1), batch) / batch.weights.sum()
        loss.backward()
        optimizer.step()
    y = batch.targets[:, 0][batch.weights[:, 0] > 0].numpy()
    learned = constant.detach().reshape(HORIZON, 3)[0].numpy()
    below, up_to = ((y[:, None] < learned).mean(0), (y[:, None] <= learned).mean(0))
    assert (below < np.array(LEVELS) + 0.06).all() and (up_to > np.array(LEVELS) - 0.06).all()
    f = constant.detach().reshape(HORIZON, 1, 3)
    error, level = batch.targets[..., None] - f, torch.tensor(LEVELS)
    plain = torch.maximum(level * error, (level - 1) * error)
    expected = (plain.mean(-1) * batch.weights).sum()
    torch.testing.assert_close(
        found.loss(f.flatten().expand(len(batch.inputs), -1), batch), expected
    )


@pytest.mark.parametrize("channels", ["mixed", "shared"])
def test_each_quantile_is_a_column_in_the_datas_units(
    stores: dict[str, Store], channels: str
) -> None:
    store = stores["two"]
    found = task(store, {"quantiles": LEVELS}, channels=channels, normalization="last")
    rows = found.prediction_rows(store)
    batch = found.batch(store, rows)
    # One below the window's last value, that value, and two above; crossed in the making.
    outputs = np.tile(np.float32([0, -1, 2]), (len(batch.inputs), found.num_outputs // 3))
    columns = found.decode(store, rows, outputs, batch)
    names = {"load", "load 0.1", "load 0.8", "heat", "heat 0.1", "heat 0.8"}
    assert columns.keys() == {"id", "step", *names}
    load = store.card.features.index("load")
    last, std = store.values_NF[rows - 1, load], store.card.statistics["all"].std[load]
    for name, shift in (("load 0.1", -1), ("load", 0), ("load 0.8", 2)):
        forecast = np.array(columns[name]).reshape(len(rows), HORIZON)
        np.testing.assert_allclose(
            forecast, np.tile(last[:, None] + shift * std, HORIZON), rtol=1e-4
        )


def test_baselines_have_every_score_of_a_trial(stores: dict[str, Store]) -> None:
    for name, options in (("one", {}), ("two", {"quantiles": LEVELS})):
        found = task(stores[name], options)
        batch = found.batch(stores[name], found.rows(stores[name], "test", None)).to_torch("cpu")
        zeros = torch.zeros(len(batch.inputs), found.num_outputs)
        mine = found.metrics(found.statistics(zeros, batch).tolist())
        for scores in found.baselines(stores[name], "test", None).values():
            assert scores.keys() == mine.keys() and np.isfinite(list(scores.values())).all()


@pytest.mark.parametrize("levels", [[0.1, 0.9], [0.5, 0.1], [0.5, 0.5, 0.9], [0, 0.5], [0.5]])
def test_levels_that_are_none_are_refused(levels: list[float]) -> None:
    with pytest.raises(ValidationError):
        Config(horizon=3, quantiles=levels)
