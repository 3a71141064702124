"""Small exported models of every task, and what an author of malice does to one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import made
import torch

from tuner.export.bundle import Bundle
from tuner.export.contents import MANIFEST, About, TaskUsed
from tuner.export.integrity import sha256
from tuner.export.model import signature_of
from tuner.export.write import write
from tuner.training.fit import Fit
from tuner.training.rank import Rank


def trained(name: str, folder: Path, **values: Any) -> Fit:
    """A small network of a task, trained for two epochs on data made in a folder."""
    data = made.of_task(name, folder)
    small = {"model/hidden_size": 12, "training/epochs": 2, "optimizer/lr": 0.02}
    rank = Rank("cpu", 1)
    rank.start(made.job_of(name, data, folder / "trial", small | values))
    while not rank.epoch().ended:
        pass
    assert rank._trial is not None
    (found,) = rank._trial.fits
    found.module.eval()
    return found


def exported(name: str, folder: Path, fit: Fit, formats: Sequence[str] = ()) -> Bundle:
    """The bundle of such a network, in `folder/model`."""
    task, store = fit.task, fit.store
    batch = task.batch(store, task.rows(store, "validation", None))
    preprocessing = {
        "layout": store.card.layout.to_json(),
        "facts": task.facts.to_json(),
        "inputs": fit.config.data.model_dump(),
        "longest": store.card.lengths.maximum,
    }
    x = torch.from_numpy(batch.inputs)
    task_name, *_ = made.TASKS[name].values()
    options = {k: v for k, v in made.TASKS[name].items() if k != "name"}
    about = About(
        name=name,
        trial=0,
        task=TaskUsed(name=task_name, options=options),
        parameters={},
        signature=signature_of(fit.module, x, task.shape),
        preprocessing=json.loads(json.dumps(preprocessing)),
        scores=(),
    )
    real = [tuple(map(torch.from_numpy, batch.given))]
    return write(folder / "model", fit.module, about, real, formats=formats)


def reseal(folder: Path) -> None:
    """Vouches for whatever the files hold now."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        manifest["files"][name] = {"sha256": sha256(content), "bytes": len(content)}
    (folder / MANIFEST).write_text(json.dumps(manifest))
