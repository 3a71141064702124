"""Our limits are those of the MLflow that is installed."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from tuner.tracking import batch, delivery, names, records


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (records.MAX_PARAM_LENGTH, validation.MAX_PARAM_VAL_LENGTH),
        (records.MAX_TAG_LENGTH, validation.MAX_TAG_VAL_LENGTH),
        (names.MAX_NAME_LENGTH, validation.MAX_ENTITY_KEY_LENGTH),
        (names.MAX_EXPERIMENT_LENGTH, validation.MAX_EXPERIMENT_NAME_LENGTH),
        (delivery._MAX_DIGEST_LENGTH, validation.MAX_DATASET_DIGEST_SIZE),
    ],
)
def test_texts_are_as_long_as_mlflow_takes_them(ours: int, theirs: int) -> None:
    assert ours == theirs


def test_a_batch_fits_into_one_call() -> None:
    entities = batch.MAX_METRICS + batch.MAX_PARAMS + batch.MAX_TAGS
    assert entities <= validation.MAX_ENTITIES_PER_BATCH
    assert batch.MAX_METRICS <= validation.MAX_METRICS_PER_BATCH
    assert max(batch.MAX_PARAMS, batch.MAX_TAGS) <= validation.MAX_PARAMS_TAGS_PER_BATCH
    texts = batch.MAX_PARAMS * records.MAX_PARAM_LENGTH + batch.MAX_TAGS * records.MAX_TAG_LENGTH
    assert texts < validation.MAX_BATCH_LOG_REQUEST_SIZE


@pytest.mark.parametrize(
    "name",
    ["loss", "model/cell", "a.b-c:d e_f", "größe", "9", "a" * 250, "a" * 251, "", ".", "..", "/a",
     "a//b", "a/", "./a", "a/./b", "../a", "a\n", "a'b", "a%", "a\\b", "a|b", " a", "a/..", ".a"],
)  # fmt: skip
def test_no_name_passes_that_mlflow_refuses(name: str) -> None:
    theirs = None
    try:
        validation._validate_metric_name(name)
        validation._validate_param("p" if not name else name, "x")
        validation._validate_tag(name, "x")
    except MlflowException as refused:
        theirs = refused.message
    assert theirs is None or names.check_name(name) is not None, theirs
