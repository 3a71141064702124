"""Writes scikit-learn's handwritten digits as Parquet: each image is a sequence of its 8 rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits

digits = load_digits()
num_images, num_rows, num_columns = digits.images.shape
columns = {
    "image": np.repeat(np.arange(num_images), num_rows),
    "row": np.tile(np.arange(num_rows), num_images),
    "digit": np.repeat(digits.target, num_rows),
}
pixels = digits.images.reshape(-1, num_columns).astype(np.float32)
columns |= {f"pixel_{c}": pixels[:, c] for c in range(num_columns)}

target = Path(__file__).parent / "data" / "digits.parquet"
target.parent.mkdir(exist_ok=True)
pq.write_table(pa.table(columns), target)
print(f"{target}: {num_images} images of {num_rows} rows")
