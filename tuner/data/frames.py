"""Section `data/frames` of a spec: how the frames of clips become steps that a model reads."""

from __future__ import annotations

from pydantic import Field, model_validator

from tuner.data.picture import Picture

MOST = 1 << 14
"""Numbers of a frame, each of which is an input with statistics of its own."""


class Frames(Picture):
    """PNG files in sequence, brought to one size, each a step."""

    path: str = Field(default="frames", min_length=1)
    """Column of a manifest that names in each row a clip's folder of PNG files, in the natural
    order of their names, or one frame of the clip that `data/id` names; relative to the
    manifest."""
    height: int = Field(default=32, ge=4, le=1024)
    """Rows of pixels, whatever the file has: frames are stretched, and averaged where shrunk."""
    width: int = Field(default=32, ge=4, le=1024)
    """Columns of pixels."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers of a frame are called as inputs."""
        of_row = super().names
        return tuple(f"{row}.{name}" for row in range(1, self.height + 1) for name in of_row)

    @model_validator(mode="after")
    def _is_small(self) -> Frames:
        size = self.height * self.width * self.channels
        if size > MOST:
            raise ValueError(
                f"`data/frames` must hold at most {MOST:,} numbers each, `height` times `width`, "
                f"and three times that with `colour`, got {size:,}"
            )
        return self
