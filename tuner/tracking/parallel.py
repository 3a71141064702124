"""Several calls at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


def in_parallel(calls: Sequence[Callable[[], None]], width: int) -> None:
    """Make all calls, at most `width` at a time; after one that raises none is begun.

    Not a pool of the standard library: at the process's end that waits for a request that hangs.

    Raises:
        Exception: what the first of them raised.
    """
    waiting = iter(calls)
    mutex = threading.Lock()
    errors: list[Exception] = []

    def work() -> None:
        while not errors:
            with mutex:
                call = next(waiting, None)
            if call is None:
                return
            try:
                call()
            except Exception as error:
                errors.append(error)

    threads = [
        threading.Thread(target=work, name="tracking-call", daemon=True)
        for _ in range(min(width, len(calls)) - 1)
    ]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
