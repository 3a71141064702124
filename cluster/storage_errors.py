"""What an object store's messages mean, and what to do; the messages are the AWS SDK's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cluster.refused import Refused

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


_NO_BUCKET = ("NO_SUCH_BUCKET", "bucket does not exist")
_UNREACHED = ("NETWORK_CONNECTION", "curlCode", "timeout", "Timeout", "connect", "resolve")
_DENIED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY", "SIGNATURE", "TOKEN", "Forbidden", "code: 403")


def told(place: str, text: str) -> Refused:
    """The refusal that a message at a place stands for."""
    got = " ".join(text.split())[:300]

    def says(signs: Iterable[str]) -> bool:
        return any(sign in text for sign in signs)

    if says(_NO_BUCKET):
        code, rule = "no-bucket", "the bucket must exist"
        fix = "Make it, or correct its name."
    elif says(_UNREACHED):
        code, rule = "unreachable", "the object store must answer"
        fix = "Check its endpoint: AWS_ENDPOINT_URL, or `?endpoint_override=host:port` in the URI."
    elif place.startswith("s3://") and not _has_credentials():
        # Stores say no in many ways to whoever shows nothing.
        code, rule = "no-credentials", "this machine must have credentials for the store"
        fix = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials."
    elif says(_DENIED):
        code, rule = "no-right", "this machine's credentials must allow to read and write there"
        fix = "Grant it, or name other credentials in the environment."
    else:
        code, rule = "failed", "the object store must do as it is asked"
        fix = "Look at what it says."
    return Refused(rule, got, fix, code=f"storage/{code}", where=place)


def _has_credentials() -> bool:
    """Whether this machine has any that pyarrow would find without a network."""
    file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    return any(os.environ.get(n) for n in _CREDENTIALS) or Path(file).expanduser().exists()
