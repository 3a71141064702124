"""The interface that holds a node's address: gloo and NCCL must be told, or they take loopback."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

_SIOCGIFADDR = 0x8915


def interface_of(address: str) -> str | None:
    """The network interface with this IPv4 address, or None (Linux only)."""
    import fcntl

    for entry in sorted(Path("/sys/class/net").glob("*")):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            request = struct.pack("256s", entry.name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an IPv4 address
            if socket.inet_ntoa(answer[20:24]) == address:
                return entry.name
    return None


def use_interface_of(address: str) -> None:
    """Makes this process's gloo and NCCL groups use the interface that holds the address."""
    if name := interface_of(address):
        os.environ["GLOO_SOCKET_IFNAME"] = name
        os.environ["NCCL_SOCKET_IFNAME"] = name


def free_port(address: str) -> int:
    """A TCP port that is free on this address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
