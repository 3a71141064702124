"""A YAML file together with the place of every value in it, so that errors can name lines.

Reads YAML's core schema as version 1.2 means it: `1e-3` is a number, `no` and `on` are text, dates
stay text. Nothing in a file can construct an object, and size, depth and aliases are capped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tuner.errors import Mistake, SpecError

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 60

Place = tuple[str | int, ...]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes with 1.2's plain scalars instead of 1.1's."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_CORE = "tag:yaml.org,2002:"


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"{_CORE}{tag}", re.compile(pattern), list(first))


_resolve("null", r"^(?:~|null|Null|NULL)$", "~nN")
# PyYAML files the scalar of an empty value under its first letter, the empty text.
_Loader.add_implicit_resolver(f"{_CORE}null", re.compile(r"^$"), [""])
_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("int", r"^[-+]?[0-9][0-9_]*$", "-+0123456789")
_resolve(
    "float",
    r"^(?:[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+.0123456789",
)


@dataclass
class Document:
    """The parsed data of one file and the line of every value in it."""

    name: str
    """As the user typed it; stands in every error."""
    data: Any
    lines: dict[Place, int] = field(default_factory=dict)
    """Place of a value, as its keys from the top, to its line (1-based)."""
    replaced: dict[Place, str] = field(default_factory=dict)
    """Place of a value that came from elsewhere, such as a flag, to that origin."""

    def where(self, place: Place) -> str:
        """The line of a value, or of the nearest value around it."""
        for end in range(len(place), -1, -1):
            if origin := self.replaced.get(place[:end]):
                return origin
            line = self.lines.get(place[:end])
            if line is not None:
                return f"{self.name} line {line}"
        return self.name


def read(path: Path) -> Document:
    """Reads one YAML file.

    Raises:
        SpecError: the file is absent, a folder, unreadable, empty, too large, not UTF-8, or not
            YAML that this reader takes; with all duplicate keys at once.
    """
    name = str(path)

    def refuse(code: str, rule: str, got: str, fix: str, where: str = name) -> SpecError:
        return SpecError(Mistake(code=f"spec/{code}", rule=rule, where=where, got=got, fix=fix))

    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        near = _similar_files(path)
        raise refuse(
            "missing", "a spec must be a readable file", "no such file", _did_you_mean(near)
        ) from None
    except IsADirectoryError:
        raise refuse(
            "folder", "a spec must be a file", "a folder", "Name the YAML file in it."
        ) from None
    except PermissionError:
        raise refuse(
            "permission",
            "a spec must be a readable file",
            "permission denied",
            "Make the file readable for this user.",
        ) from None
    if len(raw) > MAX_BYTES:
        raise refuse(
            "too-large",
            f"a spec must be smaller than {MAX_BYTES:,} bytes",
            f"{len(raw):,} bytes",
            "Keep data in data files.",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise refuse(
            "not-utf8",
            "a spec must be UTF-8 text",
            f"byte 0x{raw[broken.start]:02x} at offset {broken.start}",
            "Save the file as UTF-8.",
        ) from None
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Reads YAML from a text; `name` stands for the file in errors.

    Raises:
        SpecError: as `read`.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line[: len(line) - len(line.lstrip())].count("\t"):
            raise SpecError(
                Mistake(
                    code="spec/tab",
                    rule="a spec must be indented with spaces",
                    where=f"{name} line {number}",
                    got="a tab",
                    fix="Replace it by two spaces.",
                )
            )
    try:
        _refuse_depth(text, name)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        place = f"{name} line {mark.line + 1} column {mark.column + 1}" if mark else name
        raise SpecError(
            Mistake(
                code="spec/syntax",
                rule="a spec must be valid YAML",
                where=place,
                got=str(broken.problem or broken.context or "something else"),
                fix="Mend the line named, or the one above it.",
            )
        ) from None
    except yaml.YAMLError as broken:
        raise SpecError(
            Mistake(
                code="spec/syntax",
                rule="a spec must be valid YAML",
                where=name,
                got=" ".join(str(broken).split()),
                fix="Remove control characters.",
            )
        ) from None
    document = Document(name, None)
    if node is None:
        raise SpecError(
            Mistake(
                code="spec/empty",
                rule="a spec must name at least `name`, `task` and `data`",
                where=name,
                got="nothing",
                fix="Start from one in examples/.",
            )
        )
    builder = _Builder(document)
    document.data = builder.build(node, (), 0)
    if builder.mistakes:
        raise SpecError(builder.mistakes)
    return document


class _Builder:
    """Turns nodes into plain data, noting lines and refusing what a spec must not hold."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.mistakes: list[Mistake] = []
        self.num_nodes = 0

    def build(self, node: yaml.Node, place: Place, depth: int) -> Any:
        self.num_nodes += 1
        line = node.start_mark.line + 1
        self.document.lines.setdefault(place, line)
        if self.num_nodes > MAX_NODES or depth > MAX_DEPTH:
            # Aliases are expanded here, so a "billion laughs" file ends at this count.
            raise _too_large(self.document.where(place))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_CORE}map":
            return dict(self._pairs(node, place, depth))
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_CORE}seq":
            return [self.build(n, (*place, i), depth + 1) for i, n in enumerate(node.value)]
        return self._scalar(node, place)

    def _pairs(self, node: yaml.MappingNode, place: Place, depth: int) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in seen:
                self.mistakes.append(
                    Mistake(
                        code="spec/duplicate-key",
                        rule=f"`{key}` must stand once",
                        where=f"{self.document.name} line {line}",
                        got=f"it again (first on line {seen[key]})",
                        fix="Remove one of the two.",
                    )
                )
            seen[key] = line
            self.document.lines[(*place, key)] = line
            yield key, self.build(value_node, (*place, key), depth + 1)

    def _scalar(self, node: yaml.Node, place: Place) -> Any:
        text = str(node.value)
        try:
            match node.tag.removeprefix(_CORE):
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text.replace("_", ""))
                case "float":
                    return _number(text)
                case "str":
                    return text
        except ValueError:  # `!!int abc`, or more digits than Python reads
            pass
        self.mistakes.append(
            Mistake(
                code="spec/tag",
                rule="a spec must hold plain text, numbers, lists and mappings",
                where=self.document.where(place),
                got=f"the tag {node.tag}",
                fix="Remove the tag.",
            )
        )
        return None


def _refuse_depth(text: str, name: str) -> None:
    """Walks the events first: the composer recurses in C, and would take the process with it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH + 1:
                mark = event.start_mark
                raise _too_large(f"{name} line {mark.line + 1}" if mark else name)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_large(where: str) -> SpecError:
    return SpecError(
        Mistake(
            code="spec/too-large",
            rule=f"a spec must hold at most {MAX_NODES:,} values, {MAX_DEPTH} deep",
            where=where,
            got="more",
            fix="Remove the nested lists, mappings or aliases.",
        )
    )


def _number(text: str) -> float:
    plain = text.replace("_", "").lower()
    if plain.endswith(".inf"):
        return -math.inf if plain.startswith("-") else math.inf
    return math.nan if plain == ".nan" else float(plain)


def _similar_files(path: Path) -> list[str]:
    folder = path.parent
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.glob("*.y*ml"))[:5]


def _did_you_mean(names: list[str]) -> str:
    if not names:
        return "Check the path; `examples/` holds specs to start from."
    return f"Check the path; in that folder there are: {', '.join(names)}."
