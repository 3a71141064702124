"""Which column of a raw table means what; goes into every exported bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tuner.data.audio import Audio
from tuner.data.derived import Derived
from tuner.data.frames import Frames
from tuner.data.picture import Picture
from tuner.data.roles import Roles

GIVEN = "given"
"""Tokens that need no tokenizer: each row is one."""

Target = Literal["class", "number", "tags", "numbers", "tokens", "frames", "none", "next"]
"""What a sequence can stand for."""

Missing = Literal["error", "forward", "interpolate", "mean", "zero", "drop"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How to read a file the way the training files were read."""

    format: str | None = None
    """Name of a format; None lets each file's extension choose."""
    id: str | None = None
    time: tuple[str, ...] = ()
    """The column of times, or those that tell one piece by piece; see `dates`."""
    label: str | None = None
    """Column with the label of a sequence or step; None where there is none."""
    target: Target = "class"
    """What a sequence stands for; see `TaskData`."""
    targets: tuple[str, ...] = ()
    """Columns with the numbers that a sequence, or a step, stands for."""
    target_text: str | None = None
    """Column of the text that a sequence stands for."""
    target_tokens: str = "word"
    """How that text becomes tokens: a tokenizer."""
    target_tokenizer: str = ""
    """What that tokenizer learned from training rows, if it learns."""
    target_max_length: int | None = None
    group: str | None = None
    """Column that names the group of a sequence, which no split tears apart."""
    text: str | None = None
    """Column of text, which is read instead of features."""
    tokens: str = GIVEN
    """How a text becomes tokens: a tokenizer, or `given`: each row is one token."""
    lowercase: bool = False
    tokenizer: str = ""
    """What the tokenizer learned from training rows, if it learns."""
    features: tuple[str, ...] | None = None
    """Input columns in order; None means every numeric column without another meaning."""
    channels: tuple[str, ...] | None = None
    """Features to forecast; None means all of them."""
    picture: Picture | None = None
    """How the pictures that rows name become rows of pixels; None where rows hold the values."""
    frames: Frames | None = None
    """How the frames of clips that rows name become steps; None where rows hold the values."""
    side_picture: Picture | None = None
    """How the picture is read that stands beside each sequence; None where none does."""
    static: tuple[str, ...] = ()
    """Number columns that are constant within each sequence and read beside it. Of series, see
    `derived`."""
    audio: Audio | None = None
    """How the recordings that rows name become frames; None where rows hold the values."""
    missing: Missing = "error"
    sort: bool = False
    max_length: int | None = None
    truncate: Literal["start", "end"] | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    derived: Derived = Derived()

    @property
    def pixels(self) -> Picture | None:
        """How pictures are read, of which rows name one each, or clips of them."""
        return self.picture or self.frames

    @property
    def naming(self) -> dict[str, str]:
        """Columns whose rows name files that are read, too → the keys of `data` that say how."""
        readers: dict[str, Picture | Frames | Audio | None] = {
            "picture": self.picture or self.side_picture,
            "frames": self.frames,
            "audio": self.audio,
        }
        return {reader.path: key for key, reader in readers.items() if reader is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """All channels, once the features are named."""
        return self.derived.names(self.features or ())

    @property
    def roles(self) -> Roles:
        """What the channels are."""
        return self.derived.roles(self.features or ())

    @property
    def columns(self) -> list[str]:
        """The columns that a file must have, its labels left out."""
        named = [self.id, *self.time, self.text, *(self.features or ()), *self.derived.columns]
        named += [*self.static, self.side_picture.path if self.side_picture else None]
        return [name for name in named if name]

    @property
    def asked(self) -> Layout:
        """Of files that a model answers: those of training but, where frames are to be given, of
        texts alone, a row each, with ids or without."""
        if self.target != "frames":
            return self
        return Layout(
            format=self.format,
            id=self.id,
            text=self.target_text,
            tokens=self.target_tokens,
            tokenizer=self.target_tokenizer,
            lowercase=self.lowercase,
            delimiter=self.delimiter,
            encoding=self.encoding,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for a card or a bundle."""
        return {
            **asdict(self),
            "picture": self.picture and self.picture.model_dump(),
            "frames": self.frames and self.frames.model_dump(),
            "side_picture": self.side_picture and self.side_picture.model_dump(),
            "audio": self.audio and self.audio.model_dump(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Layout:
        """The reverse of `to_json`."""
        keys = ("time", "features", "channels", "targets", "static")
        lists = {k: tuple(data[k]) for k in keys if data.get(k) is not None}
        pictures = {
            key: None if data.get(key) is None else Picture.model_validate(data[key])
            for key in ("picture", "side_picture")
        }
        audio, frames = data.get("audio"), data.get("frames")
        return cls(
            **{
                **data,
                **lists,
                "derived": Derived.from_json(data["derived"]),
                **pictures,
                "frames": None if frames is None else Frames.model_validate(frames),
                "audio": None if audio is None else Audio.model_validate(audio),
            }
        )
