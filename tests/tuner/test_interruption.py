"""The first signal stops in order, at once or where it is asked for; the second does not wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tuner.errors import Interrupted
from tuner.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_with_its_exit_code(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="goes on") as raised, Interruption("goes on"):
        os.kill(os.getpid(), number)
    assert raised.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_a_deferred_signal_waits_for_the_check() -> None:
    with Interruption("goes on") as interruption:
        interruption.check()
        with interruption.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            interruption.check()


def test_the_second_signal_ends_the_process() -> None:
    code = (
        "import os, signal\n"
        "from tuner.interruption import Interruption\n"
        "with Interruption('x') as interruption, interruption.deferred():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (128 + signal.SIGINT, "")
