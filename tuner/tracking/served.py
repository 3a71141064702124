"""The script that MLflow runs to serve a registered bundle: a model from code, nothing pickled.

It is copied into the model as it stands, beside the package that it imports.
"""

import pandas as pd
import pyarrow as pa
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from tuner.data.table import RawTable
from tuner.errors import InputError
from tuner.predictor import Predictor

ALONE = "1"
"""The id of a sequence that a request sends by itself."""


class ServedBundle(PythonModel):
    """Answers raw rows as `tuner predict` does."""

    def load_context(self, context: PythonModelContext) -> None:
        """Opens and checks the bundle."""
        self._predictor = Predictor.open(context.artifacts["bundle"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> pd.DataFrame:
        """One row per answer, from rows as in the training files, labels left out.

        Without the column of ids all rows are one sequence; without that of times they are in
        order.

        Raises:
            MlflowException: what is wrong with the rows; the server answers 400.
        """
        try:
            answers = self._predictor.answer(self._table(model_input))
        except InputError as wrong:
            raise MlflowException.invalid_parameter_value(str(wrong)) from None
        return pd.DataFrame(answers.columns)

    def _table(self, rows: pd.DataFrame) -> RawTable:
        columns = {str(name): _array(rows[name]) for name in rows.columns}
        layout = self._predictor.layout
        if layout.id is not None:
            columns.setdefault(layout.id, pa.array([ALONE] * len(rows), pa.string()))
        if len(layout.time) == 1 and not layout.derived.calendar:
            columns.setdefault(*layout.time, pa.array(range(len(rows)), pa.int64()))
        return RawTable("the request", pa.table(columns), lambda row: f"row {row + 1}")


def _array(column: pd.Series) -> pa.Array:
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # Texts and numbers in one column: the reader says which are none.
        return pa.array([None if pd.isna(value) else str(value) for value in column], pa.string())


set_model(ServedBundle())
