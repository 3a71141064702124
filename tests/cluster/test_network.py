"""The interface of an address, and a port that is free on it."""

from __future__ import annotations

import os
import socket

import pytest

from cluster.network import free_port, interface_of, use_interface_of

VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


def test_loopback_is_found() -> None:
    name = interface_of("127.0.0.1")
    assert name is not None and name in {entry for _, entry in socket.if_nameindex()}


# The second is kept for documentation, so that no machine has it.
@pytest.mark.parametrize("address", ["", "192.0.2.1", "::1", "host", "127.0.0.1 "])
def test_no_interface_has_another_address(address: str) -> None:
    assert interface_of(address) is None


def test_groups_are_told_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "as it was")
    use_interface_of("192.0.2.1")
    assert [os.environ[name] for name in VARIABLES] == ["as it was"] * 2
    use_interface_of("127.0.0.1")
    assert [os.environ[name] for name in VARIABLES] == [interface_of("127.0.0.1")] * 2


def test_a_free_port_can_be_bound() -> None:
    port = free_port("127.0.0.1")
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname() == ("127.0.0.1", port)
        assert free_port("127.0.0.1") != port, "taken"
