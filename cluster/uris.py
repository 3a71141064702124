"""URIs of folders in object stores: `s3://bucket/sweeps`, the same on every machine.

Credentials are never part of one: each machine finds its own, as its other programs do.
"""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from cluster.refused import Refused

SCHEMES = ("s3", "gs", "abfs", "abfss")
"""Of the stores that a spec or a cluster file may name."""


def is_uri(text: str) -> bool:
    """Whether a text names a place in an object store, and not a path."""
    return "://" in text


def resolved(uri: str) -> str:
    """The URI with the endpoint and region that this machine's environment adds, so that it means
    the same on another.

    Raises:
        Refused: it is no URI of an object store, or holds credentials.
    """
    parts = urlsplit(uri)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise _no_uri(uri, f"be the URI of an object store, {', '.join(SCHEMES)}", uri)
    query = dict(parse_qsl(parts.query))
    if parts.username or parts.password or any("key" in k or "token" in k for k in query):
        public = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="")
        raise _no_uri(urlunsplit(public), "hold no credentials", "some")
    if parts.scheme == "s3":
        query = _s3_options(query)
    return urlunsplit(parts._replace(query=urlencode(query), path=parts.path.rstrip("/")))


def joined(uri: str, *names: str) -> str:
    """The URI of what lies below another."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(path="/".join([parts.path.rstrip("/"), *names])))


def _s3_options(query: dict[str, str]) -> dict[str, str]:
    """Endpoint, scheme and region, from the URI or the environment."""
    environment = os.environ
    given = query.get("endpoint_override") or (
        environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    )
    region = query.get("region") or (
        environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    )
    found = {}
    if given:
        scheme, separator, host = given.rpartition("://")
        found["endpoint_override"] = host.rstrip("/")
        found["scheme"] = scheme if separator else query.get("scheme", "https")
        _refuse_link_local(host)
        # Else the SDK asks Amazon's metadata server, which a store of one's own does not have.
        region = region or "us-east-1"
    if region:
        found["region"] = region
    return found


def _refuse_link_local(host: str) -> None:
    """An endpoint in a spec must not reach what only this machine may ask, such as its role."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return  # pyarrow will say that nobody answers
    if any(ip_address(str(address).partition("%")[0]).is_link_local for address in found):
        raise _no_uri(host, "name an endpoint that is not link-local", host)


def _no_uri(where: str, rule: str, got: str) -> Refused:
    return Refused(
        f"a place in an object store must {rule}",
        got,
        "Write `s3://bucket/folder`; credentials come from the environment.",
        code="storage/uri",
        where=where,
    )
