"""Waits until a cluster has its nodes: `python -m cluster.launch.wait NUMBER`, with RAY_ADDRESS.

A head answers at its port before it is itself a node.
"""

from __future__ import annotations

import os
import sys
import time

_SECONDS = 120.0
_ANSWER_SECONDS = 5.0


def main(number: int) -> int:
    """Gives 0 once so many nodes are alive; else says how many are, and gives 1."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
    from ray.core.generated.gcs_pb2 import GcsNodeInfo

    head = GcsClient(address=os.environ["RAY_ADDRESS"])
    deadline = time.monotonic() + _SECONDS
    while True:
        alive = head.get_all_node_info(
            timeout=_ANSWER_SECONDS, state_filter=GcsNodeInfo.GcsNodeState.ALIVE
        )
        if len(alive) >= number:
            return 0
        if time.monotonic() > deadline:
            print(f"{len(alive)} of {number} nodes came within {_SECONDS:g} s", file=sys.stderr)
            return 1
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
