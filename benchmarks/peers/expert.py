"""A sweep as an expert writes it by hand: warm actors, pinned threads, MLflow off the path.

    python expert.py --data train.parquet --trials 40 --epochs 10 --folder out [--own-thread]

A function trainable with reused actors, one thread each, data sent once and kept as tensors, a
fused optimizer, more trials pending than slots, Tune's own loggers off, and Ray's MLflow callback
over MLflow's asynchronous queue. With `--own-thread` a callback of one's own instead hands every
report to one thread, which writes to MLflow in batches.
"""

import argparse
import collections
import json
import os
import queue
import statistics
import threading
import time
import uuid
from pathlib import Path

SLOTS = 2
# Read when Tune is imported or when it starts.
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(2 * SLOTS)
os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "3600"
os.environ["MLFLOW_ENABLE_ASYNC_LOGGING"] = "true"

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import ray  # noqa: E402
import torch  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param  # noqa: E402
from ray import tune  # noqa: E402
from ray.air.integrations.mlflow import MLflowLoggerCallback  # noqa: E402
from ray.tune.logger import LoggerCallback  # noqa: E402
from ray.tune.search.optuna import OptunaSearch  # noqa: E402
from torch import nn  # noqa: E402

FEATURES, CLASSES, HIDDEN, BATCH = 8, 4, 64, 32
RATES = (1e-4, 1e-2)


class OwnThread(LoggerCallback):
    """Puts what happens into a queue; a thread opens the database and writes it in batches."""

    def __init__(self, uri, experiment):
        self.uri, self.experiment = uri, experiment

    def setup(self, *args, **kwargs):
        self.events, self.failure = queue.SimpleQueue(), None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def log_trial_start(self, trial):
        self.events.put(("start", trial.trial_id, dict(trial.config)))

    def log_trial_result(self, iteration, trial, result):
        now, step = int(1000 * time.time()), result["training_iteration"]
        metrics = [Metric(key, result[key], now, step) for key in ("accuracy", "best", "loss")]
        self.events.put(("report", trial.trial_id, metrics))

    def log_trial_end(self, trial, failed=False):
        self.events.put(("end", trial.trial_id, "FAILED" if failed else "FINISHED"))

    def on_experiment_end(self, trials, **info):
        self.events.put(None)
        self.thread.join()
        if self.failure:
            raise self.failure

    def work(self):
        try:
            self.write()
        except Exception as failure:
            self.failure = failure

    def write(self):
        client, runs = MlflowClient(self.uri), {}
        known = client.get_experiment_by_name(self.experiment)
        experiment = known.experiment_id if known else client.create_experiment(self.experiment)
        going = True
        while going:
            batch = [self.events.get()]
            while not self.events.empty():
                batch.append(self.events.get())
            going = batch[-1] is not None
            metrics = collections.defaultdict(list)
            for kind, trial, value in batch if going else batch[:-1]:
                if kind == "start":
                    runs[trial] = client.create_run(experiment, run_name=trial).info.run_id
                    params = [Param(key, str(each)) for key, each in value.items()]
                    client.log_batch(runs[trial], params=params)
                elif kind == "report":
                    metrics[trial] += value
                else:
                    client.log_batch(runs[trial], metrics=metrics.pop(trial, []))
                    client.set_terminated(runs[trial], status=value)
            for trial, values in metrics.items():
                client.log_batch(runs[trial], metrics=values)


def load_data(path):
    """All sequences as standardised tensors, and rows to train and validate on."""
    table = pq.read_table(path)
    steps = table.num_rows // len(np.unique(table["id"].to_numpy()))
    x = np.stack([table[f"x{f}"].to_numpy() for f in range(FEATURES)], axis=1)
    x = torch.from_numpy((x - x.mean(0)) / x.std(0)).reshape(-1, steps, FEATURES)
    y = torch.from_numpy(table["label"].to_numpy()[::steps].copy())
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    train, validation = order[len(y) // 5 :], order[: len(y) // 5]
    return x[train], y[train], x[validation], y[validation]


def train(config, data=None, epochs=1):
    """Trains one model."""
    torch.set_num_threads(1)
    x_train, y_train, x_validation, y_validation = data
    lstm, head = nn.LSTM(FEATURES, HIDDEN, batch_first=True), nn.Linear(HIDDEN, CLASSES)
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=config["lr"], fused=True)
    best = 0.0
    for _ in range(epochs):
        for rows in torch.randperm(len(y_train)).split(BATCH):
            optimizer.zero_grad()
            outputs, _ = lstm(x_train[rows])
            loss = nn.functional.cross_entropy(head(outputs[:, -1]), y_train[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            outputs, _ = lstm(x_validation)
            hits = head(outputs[:, -1]).argmax(1) == y_validation
        accuracy = hits.float().mean().item()
        best = max(best, accuracy)
        tune.report({"accuracy": accuracy, "best": best, "loss": loss.item()})


def first_points(trials):
    """Rates spread evenly over their range: a sweep's mean accuracy must not depend on luck."""
    shares = (np.arange(trials) + 0.5) / trials
    return [{"lr": float(RATES[0] * (RATES[1] / RATES[0]) ** share)} for share in shares]


def main():
    """Tunes the learning rate, and prints seconds, trials and their mean accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1, choices=[1])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--own-thread", action="store_true")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    ray.init(num_cpus=SLOTS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    if options.own_thread:
        callback = OwnThread(uri, "expert")
    else:
        callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name="expert")
    trainable = tune.with_parameters(train, data=load_data(options.data), epochs=options.epochs)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"CPU": 1}),
        param_space={"lr": tune.loguniform(*RATES)},
        tune_config=tune.TuneConfig(
            metric="best",
            mode="max",
            search_alg=OptunaSearch(points_to_evaluate=first_points(options.trials)),
            num_samples=options.trials,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=f"expert-{uuid.uuid4().hex[:6]}",
            storage_path=str(folder / "tune"),
            callbacks=[callback],
            verbose=0,
        ),
    )
    begin = time.perf_counter()
    results = tuner.fit()
    seconds = time.perf_counter() - begin

    if results.errors:
        raise results.errors[0]
    accuracy = statistics.fmean(result.metrics["best"] for result in results)
    ray.shutdown()
    print(json.dumps({"seconds": seconds, "trials": len(results), "accuracy": accuracy}))


if __name__ == "__main__":
    main()
