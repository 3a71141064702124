"""How MLflow names a sweep's data: alike for its runs and for the models that it registers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.files import join_some
from tuner.tracking.records import Dataset
from tuner.tracking.uri import redact

if TYPE_CHECKING:
    from tuner.data.card import DataCard

_NAMED = 20
"""Most files that are told: a folder of pictures has thousands, and MLflow takes 65,535 letters."""


def dataset(key: str, card: DataCard) -> Dataset:
    """The data that a card tells of, as those of one run.

    Args:
        key: of the run.
        card: of the prepared data.
    """
    return Dataset(
        key=key,
        name=Path(card.files[0].path).name,
        digest=card.files[0].sha256[:36],
        source=redact(join_some((file.path for file in card.files), _NAMED)),
        schema=json.dumps({"features": list(card.features), "labels": list(card.labels)}),
        profile=json.dumps({"sequences": dict(card.num_sequences), "steps": dict(card.num_steps)}),
    )
