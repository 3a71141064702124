"""A sweep as the documentation of Ray 2.60 teaches it: a TorchTrainer inside every Tune trial.

    python documented.py --data train.parquet --trials 8 --epochs 10 --workers 2 --folder out

After Ray's guides "Hyperparameter Tuning with Ray Tune" (of Ray Train), "Get Started with
Distributed Training using PyTorch" and "Using MLflow with Tune". What they leave to the reader is
decided in favour of speed: no checkpoints, no dashboard, only as many trials at once as fit.
"""

import argparse
import json
import statistics
import time
import uuid
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import ray
import ray.train
import ray.train.torch
import torch
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.search.optuna import OptunaSearch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SLOTS = 2
FEATURES, CLASSES, HIDDEN, BATCH = 8, 4, 64, 32
RATES = (1e-4, 1e-2)


class Classifier(nn.Module):
    """An LSTM and a linear layer on its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x):
        outputs, _ = self.lstm(x)
        return self.head(outputs[:, -1])


def load_data(path):
    """A training and a validation set of standardised sequences."""
    table = pq.read_table(path)
    steps = table.num_rows // len(np.unique(table["id"].to_numpy()))
    x = np.stack([table[f"x{f}"].to_numpy() for f in range(FEATURES)], axis=1)
    x = ((x - x.mean(0)) / x.std(0)).reshape(-1, steps, FEATURES)
    y = table["label"].to_numpy()[::steps].copy()
    dataset = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return random_split(dataset, [0.8, 0.2], generator=torch.Generator().manual_seed(0))


def train_fn_per_worker(config):
    """Trains one model; runs on every worker of a trial."""
    world_size = ray.train.get_context().get_world_size()
    train_set, validation_set = load_data(config["data"])
    # The guide: divide the global batch size by the number of workers.
    train_loader = DataLoader(train_set, batch_size=BATCH // world_size, shuffle=True)
    validation_loader = DataLoader(validation_set, batch_size=len(validation_set))
    train_loader = ray.train.torch.prepare_data_loader(train_loader)
    validation_loader = ray.train.torch.prepare_data_loader(validation_loader)

    model = ray.train.torch.prepare_model(Classifier())
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])

    for epoch in range(config["epochs"]):
        if world_size > 1:
            train_loader.sampler.set_epoch(epoch)
        model.train()
        for x, y in train_loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        model.eval()
        hits_and_rows = torch.zeros(2)
        with torch.no_grad():
            for x, y in validation_loader:
                hits_and_rows[0] += (model(x).argmax(1) == y).sum()
                hits_and_rows[1] += len(y)
        torch.distributed.all_reduce(hits_and_rows)
        accuracy = (hits_and_rows[0] / hits_and_rows[1]).item()
        ray.train.report({"accuracy": accuracy, "loss": loss.item()})


def train_driver_fn(config):
    """Launches the training of one trial."""
    trainer = ray.train.torch.TorchTrainer(
        train_fn_per_worker,
        train_loop_config=config["train_loop_config"],
        scaling_config=ray.train.ScalingConfig(num_workers=config["num_workers"], use_gpu=False),
        run_config=ray.train.RunConfig(
            name=f"train-trial_id={tune.get_context().get_trial_id()}",
            storage_path=config["storage_path"],
            callbacks=[TuneReportCallback()],
        ),
    )
    trainer.fit()


def first_points(trials):
    """Rates spread evenly over their range: a sweep's mean accuracy must not depend on luck."""
    shares = (np.arange(trials) + 0.5) / trials
    rates = RATES[0] * (RATES[1] / RATES[0]) ** shares
    return [{"train_loop_config/lr": float(rate)} for rate in rates]


def main():
    """Tunes the learning rate, and prints seconds, trials and their mean accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    # The guide's way to keep trials, which only drive, from taking the CPUs of their workers.
    ray.init(num_cpus=SLOTS, resources={"TRAIN_DRIVER_RESOURCE": 1}, include_dashboard=False)

    tuner = tune.Tuner(
        tune.with_resources(train_driver_fn, {"TRAIN_DRIVER_RESOURCE": 0.01}),
        param_space={
            "num_workers": options.workers,
            "storage_path": str(folder / "train"),
            "train_loop_config": {
                "lr": tune.loguniform(*RATES),
                "epochs": options.epochs,
                "data": str(options.data.resolve()),
            },
        },
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            search_alg=OptunaSearch(points_to_evaluate=first_points(options.trials)),
            num_samples=options.trials,
            max_concurrent_trials=SLOTS // options.workers,
        ),
        run_config=tune.RunConfig(
            name=f"documented-{uuid.uuid4().hex[:6]}",
            storage_path=str(folder / "tune"),
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", experiment_name="documented"
                )
            ],
        ),
    )
    begin = time.perf_counter()
    results = tuner.fit()
    seconds = time.perf_counter() - begin

    if results.errors:
        raise results.errors[0]
    accuracy = statistics.fmean(r.metrics_dataframe["accuracy"].max() for r in results)
    ray.shutdown()
    print(json.dumps({"seconds": seconds, "trials": len(results), "accuracy": accuracy}))


if __name__ == "__main__":
    main()
