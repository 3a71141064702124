"""Section `data/picture` of a spec: how pictures become rows of numbers that a model reads."""

from __future__ import annotations

from pydantic import Field

from tuner.part import Config


class Picture(Config):
    """PNG files, brought to one size: the same in training and wherever the model is used."""

    path: str = Field(default="picture", min_length=1)
    """Column of a manifest that names each row's PNG file, relative to the manifest."""
    height: int = Field(default=64, ge=4, le=1024)
    """Rows of pixels, whatever the file has: pictures are stretched, and averaged where shrunk."""
    width: int = Field(default=64, ge=4, le=1024)
    """Columns of pixels."""
    colour: bool = True
    """Whether red, green and blue are told apart; otherwise their mean counts."""

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return 3 if self.colour else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.channels

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers of a row of pixels are called as inputs."""
        letters = "rgb" if self.colour else "g"
        return tuple(
            f"{column}{letter}" for column in range(1, self.width + 1) for letter in letters
        )
