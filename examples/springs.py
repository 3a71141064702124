"""Writes 600 made recordings of swinging springs as Parquet: how stiff, how damped was each?"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

chance = np.random.default_rng(0)
columns: dict[str, list[np.ndarray]] = {
    name: [] for name in ("spring", "second", "position", "stiffness", "damping")
}
for spring in range(600):
    second = 0.1 * np.arange(chance.integers(30, 60))
    stiffness, damping = chance.uniform(4, 40), chance.uniform(0.1, 1.5)
    phase, noise = chance.uniform(0, 2 * np.pi), chance.normal(0, 0.05, len(second))
    position = np.exp(-damping * second) * np.cos(np.sqrt(stiffness) * second + phase) + noise
    values = (spring, second, position.astype(np.float32), stiffness, damping)
    for name, value in zip(columns, values, strict=True):
        columns[name].append(np.broadcast_to(value, len(second)))

target = Path(__file__).parent / "data" / "springs.parquet"
target.parent.mkdir(exist_ok=True)
table = pa.table({name: np.concatenate(each) for name, each in columns.items()})
pq.write_table(table, target)
print(f"{target}: 600 springs, {table.num_rows} moments")
