"""What a part is: one public file in a parts folder, with its own `Config` beside the code.

A part's file must import in milliseconds, because every command reads every part's `Config`:
torch is imported inside the functions that need it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Settings of one part: keyword-only, frozen, strict, each field explained beneath itself."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        ser_json_inf_nan="constants",
        allow_inf_nan=False,
    )
