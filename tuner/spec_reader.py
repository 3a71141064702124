"""The only reader of a spec file: reports every mistake at once, creates nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import search_spaces
from search_spaces import Inputs, Space, SpaceError, SpaceErrors
from tuner import document, registry, spec_search
from tuner.config import TrialConfig
from tuner.data import files
from tuner.data.config import DataConfig
from tuner.data.extensions import reads_texts
from tuner.document import Document, Place
from tuner.errors import Mistake, SpecError
from tuner.part import Config
from tuner.refused_values import Refusal, ValuesRefused, refusals_of
from tuner.spec import SweepSpec
from tuner.spec_file import SpecFile, TrackingConfig
from tuner.spec_goals import Goals, Metrics, goals
from tuner.spec_settings import SECTIONS, apply, put

_WITHOUT: dict[Inputs | None, str] = {
    "texts": "numbers are read",
    "numbers": "texts are read",
    "fused": "nothing stands beside the sequences",
    "pictures": "no pictures are read",
    None: "what it belongs to is of none",
}
"""What the data are, of which a parameter for other inputs makes nothing."""

_SECRET = re.compile(r"(password|passwd|secret|token$|api_?key|credential)", re.IGNORECASE)


def load(
    path: Path, *, settings: Iterable[str] = (), name: str | None = None, **search: Any
) -> SweepSpec:
    """Reads and checks a spec file.

    Args:
        path: of the YAML file.
        settings: `path=value` texts that replace what the file says; `search/trials=5` and the
            like reach the spec's sections, any other path overrides the space.
        name: replaces the file's `name`.
        search: replaces fields of the file's `search`, such as `trials=5`; None leaves them.

    Raises:
        SpecError: every mistake that can be found without opening the data.
    """
    read = document.read(path)
    registry.search_in(path.parent.resolve())
    mistakes: list[Mistake] = []
    if isinstance(read.data, dict):
        mistakes += apply(read, settings)
        if name is not None:
            put(read, ("name",), name, "--name")
        for key, value in search.items():
            if value is not None:
                put(read, ("search", key), value, f"--{key}")
    return _Reader(read, path.parent, mistakes).spec()


class _Reader:
    """One pass over one document, gathering mistakes."""

    def __init__(self, read: Document, folder: Path, mistakes: list[Mistake]) -> None:
        self.read, self.folder, self.mistakes = read, folder, mistakes
        self.warnings: list[Mistake] = []

    def spec(self) -> SweepSpec:
        self._refuse_secrets(self.read.data, ())
        file = self._file()
        raw = self.read.data if isinstance(self.read.data, dict) else {}
        task = self._task(raw.get("task"))
        space = self._space(raw, task) if task else None
        if space is not None and task is not None and file is not None:
            space = self._suited(space, raw.get("override"), file.data, task)
        if space is not None and task is not None:
            self._check_values(space, task)
        if file is not None:
            self._check_tracking(file.tracking)
            self._check_storage(file.search.storage)
        if file is None or task is None or space is None:
            raise SpecError([*self.mistakes, *self._absent_files(file)])
        ends = self._goals(file, task)
        file = file.model_copy(update={"search": ends.search})
        if not self.mistakes:
            spec_search.check(file, space, task, self._place_of, self._add)
            spec_search.doubt(file, space, self._place_of, self._warn)
        if self.mistakes:
            raise SpecError([*self.mistakes, *self._absent_files(file)])
        return SweepSpec(
            name=file.name,
            task=task,
            data=file.data,
            space=space,
            search=file.search,
            resources=file.resources,
            tracking=file.tracking,
            metric=ends.metric,
            maximize=ends.maximize,
            others=ends.others,
            root=self.folder.resolve(),
            warnings=self.warnings,
        )

    def _absent_files(self, file: SpecFile | None) -> list[Mistake]:
        """Data files that cannot be opened: told in the same go where the spec has mistakes, and
        by the preparation where it has none.
        """
        if file is None:
            return []
        named = (file.data.train, file.data.validation, file.data.test, file.data.vectors)
        found = [
            files.refusal(self.folder / path)
            for given in named
            if isinstance(given, str | list)
            for path in files.paths(given)
            # What is wrong in a folder, its reader tells.
            if not (self.folder / path).is_dir()
        ]
        return [mistake for mistake in found if mistake is not None]

    def _check_tracking(self, tracking: TrackingConfig) -> None:
        if tracking.uri == "local":
            return
        from tuner.tracking.uri import check_uri

        where = self.read.where(("tracking", "uri"))
        self.mistakes += [replace(mistake, where=where) for mistake in check_uri(tracking.uri)]

    def _check_storage(self, url: str | None) -> None:
        if url is None:
            return
        from tuner.search.database import check_address

        where = self.read.where(("search", "storage"))
        self.mistakes += [replace(mistake, where=where) for mistake in check_address(url)]

    def _file(self) -> SpecFile | None:
        try:
            return SpecFile.model_validate(self.read.data)
        except ValidationError as invalid:
            self.mistakes += _located(invalid, self.read)
            return None

    def _task(self, given: Any) -> dict[str, Any] | None:
        options = {"name": given} if isinstance(given, str) else given
        if not isinstance(options, dict) or not isinstance(options.get("name"), str):
            if isinstance(options, dict):
                self._add(
                    "task", "`task` must name a task", repr(given), _known("tasks"), ("task",)
                )
            return None
        try:
            module = registry.get("tasks", options["name"])
        except registry.UnknownPart as unknown:
            near = f"Did you mean `{unknown.nearest}`? " if unknown.nearest else ""
            self._add(
                "unknown-part",
                "`task` must be a known task or an import path",
                repr(unknown.name),
                f"{near}{_known('tasks')}",
                ("task",),
            )
            return None
        try:
            config = module.Config(**options)
            for mistake in module.refusals(config) if hasattr(module, "refusals") else ():
                place = ("task", mistake.where.removeprefix("task/"))
                self.mistakes.append(replace(mistake, where=self.read.where(place)))
            checked: dict[str, Any] = config.model_dump()
            return checked
        except ValidationError as invalid:
            for refusal in refusals_of(invalid, "task/", module.Config):
                self._refuse(refusal, ("task", refusal.path.removeprefix("task/")))
            return _sound(module.Config, options, invalid)

    def _space(self, raw: dict[str, Any], task: dict[str, Any]) -> Space | None:
        given = raw.get("space")
        try:
            space = self._base_space(given, task)
        except SpaceErrors as wrong:
            self._add_space_errors(wrong, ("space",), inline=isinstance(given, dict))
            space = self._without_broken(given, wrong) if isinstance(given, dict) else None
        if space is None:
            return None
        if space.task and space.task != task["name"]:
            self._add(
                "space-task",
                f"the space must be made for the task {task['name']}",
                f"one for {space.task}",
                f"Take another space, or `space: {task['name']}`.",
                ("space",),
            )
        domains = raw.get("override") or {}
        if not isinstance(domains, dict):
            return space
        try:
            space = space.override(domains)
        except SpaceErrors as wrong:
            self._add_space_errors(wrong, ("override",), inline=True)
            broken = {error.path[0] for error in wrong.errors if error.path}
            sound = {path: raw for path, raw in domains.items() if path not in broken}
            try:
                space = space.override(sound)
            except SpaceErrors:
                return None
        for warning in space.warnings:
            place = self._place_of(str(warning.path[-1]))
            self.warnings.append(
                replace(self._space_mistake(warning, ()), where=self.read.where(place))
            )
        return space

    def _suited(self, space: Space, override: Any, data: DataConfig, task: dict[str, Any]) -> Space:
        """The space without parameters of which these inputs would make nothing."""
        module = registry.get("tasks", task["name"])
        about = module.data(module.Config(**task))
        reads: list[Inputs] = ["texts" if reads_texts(data, about) else "numbers"]
        if about.sided and data.has_side:
            reads.append("fused")
        if data.picture is not None or data.frames is not None:
            reads.append("pictures")
        suited = space.suited(*reads)
        for path in override if isinstance(override, dict) else ():
            if path in space.parameters and path not in suited.parameters:
                self.warnings.append(
                    self._mistake(
                        "no-effect",
                        f"`{path}` is of no effect where {_WITHOUT[space.parameters[path].of]}",
                        "it in `override`",
                        "It is left out of the space.",
                        ("override", path),
                    )
                )
        return suited

    def _without_broken(self, given: dict[str, Any], wrong: SpaceErrors) -> Space | None:
        """What is left of a space in full, so that its other mistakes are told in the same go."""
        parameters = given.get("parameters")
        if not isinstance(parameters, dict):
            return None
        broken = {error.path[1] for error in wrong.errors if len(error.path) > 1}
        sound = {path: raw for path, raw in parameters.items() if path not in broken}
        try:
            return Space.parse(given | {"parameters": sound}, search_spaces.load)
        except SpaceErrors:
            return None

    def _base_space(self, given: Any, task: dict[str, Any]) -> Space | None:
        if isinstance(given, dict):
            return Space.parse(given, search_spaces.load)
        name = given if isinstance(given, str) else task["name"]
        file = self.folder / name
        if file.suffix in (".yaml", ".yml"):
            return Space.parse(document.read(file).data, search_spaces.load)
        if name not in search_spaces.names():
            close = difflib.get_close_matches(name, search_spaces.names(), n=1)
            near = f"Did you mean `{close[0]}`? " if close else ""
            self._add(
                "unknown-space",
                "`space` must be a ready-made space, a YAML file, or a space in full",
                repr(name),
                f"{near}Ready-made: {', '.join(search_spaces.names())}.",
                ("space",),
            )
            return None
        return search_spaces.load(name)

    def _check_values(self, space: Space, task: dict[str, Any]) -> None:
        """Every end of every domain in every branch must be something that its part takes."""
        seen: set[str] = set()
        for values, path in space.corners():
            try:
                TrialConfig.from_values(values, task)
            except ValuesRefused as refused:
                for refusal in refused.refusals:
                    key = f"{refusal.path} {refusal.rule} {refusal.got}"
                    if key in seen:
                        continue
                    seen.add(key)
                    self._refuse(refusal, self._place_of(refusal.path, path))

    def _place_of(self, path: str, tested: str = "") -> Place:
        """Where a parameter stands, or the one whose value was being tested."""
        for place in (("override", path), ("space", "parameters", path), ("override", tested)):
            if place in self.read.lines or place in self.read.replaced:
                return place
        return ("space",)

    def _goals(self, file: SpecFile, task: dict[str, Any]) -> Goals:
        module = registry.get("tasks", task["name"])
        metrics: Metrics = module.METRICS
        if hasattr(module, "metrics"):
            named = [file.data.target] if isinstance(file.data.target, str) else file.data.target
            metrics = module.metrics(module.Config(**task), len(named) if named else None)
        return goals(task["name"], file.search, metrics, self._add)

    def _refuse_secrets(self, data: Any, place: Place) -> None:
        if isinstance(data, dict):
            for key, value in data.items():
                if _SECRET.search(key) and place[:1] != ("override",):
                    self._add(
                        "secret",
                        "a spec must not hold credentials: it is copied to the tracking server",
                        f"the key `{key}`",
                        "Give it in the environment, as MLFLOW_TRACKING_TOKEN and the like.",
                        (*place, key),
                    )
                self._refuse_secrets(value, (*place, key))
        elif isinstance(data, list):
            for index, value in enumerate(data):
                self._refuse_secrets(value, (*place, index))

    def _add_space_errors(self, wrong: SpaceErrors, place: Place, *, inline: bool) -> None:
        for error in wrong.errors:
            self.mistakes.append(self._space_mistake(error, place if inline else ("space",)))

    def _space_mistake(self, error: SpaceError, place: Place) -> Mistake:
        return Mistake(
            code=error.code,
            rule=error.rule,
            where=self.read.where((*place, *error.path)),
            got=error.got,
            fix=error.fix,
        )

    def _mistake(self, code: str, rule: str, got: str, fix: str, place: Place) -> Mistake:
        return Mistake(
            code=f"spec/{code}", rule=rule, where=self.read.where(place), got=got, fix=fix
        )

    def _add(self, code: str, rule: str, got: str, fix: str, place: Place) -> None:
        self.mistakes.append(self._mistake(code, rule, got, fix, place))

    def _warn(self, code: str, rule: str, got: str, fix: str, place: Place) -> None:
        self.warnings.append(self._mistake(code, rule, got, fix, place))

    def _refuse(self, refusal: Refusal, place: Place) -> None:
        self.mistakes.append(
            Mistake(
                code=refusal.code,
                rule=refusal.rule,
                where=self.read.where(place),
                got=refusal.got,
                fix=refusal.fix,
            )
        )


def _sound(
    config: type[Config], options: dict[str, Any], invalid: ValidationError
) -> dict[str, Any] | None:
    """A task without the options that are refused, so that other mistakes are told in the same go;
    None if it cannot do without them.
    """
    refused = {error["loc"][0] for error in invalid.errors() if error["loc"]}
    try:
        checked = config(**{k: v for k, v in options.items() if k not in refused})
    except ValidationError:
        return None
    return checked.model_dump()


def _known(kind: str) -> str:
    return f"Known: {', '.join(registry.names(kind))}."


def _located(invalid: ValidationError, read: Document) -> list[Mistake]:
    """Pydantic's errors with the lines they stand on; what concerns a section speaks for it."""
    found = []
    for error in invalid.errors():
        # Names of union members stand among the keys; they are no place in the file.
        place = tuple(step for step in error["loc"] if not _is_member(step))
        config: type[Config] = SpecFile
        if len(place) > 1:
            config = SECTIONS.get(str(place[0]), SpecFile)
        inner = ValidationError.from_exception_data(
            "spec", [_again(error, place[1:] if config is not SpecFile else place)]
        )
        prefix = f"{place[0]}/" if config is not SpecFile else ""
        for refusal in refusals_of(inner, prefix, config):
            found.append(
                Mistake(
                    code=refusal.code,
                    rule=refusal.rule if refusal.path else refusal.rule.replace("`` ", ""),
                    where=read.where(place),
                    got=refusal.got,
                    fix=refusal.fix,
                )
            )
    return found


def _is_member(step: object) -> bool:
    return isinstance(step, str) and (step in _MEMBERS or "[" in step)


_MEMBERS = {"files", "share", "span", "folds", "origins", "one", "several", "number", "range"}


def _again(error: Any, place: Place) -> Any:
    """One of pydantic's errors under another place."""
    from pydantic_core import InitErrorDetails, PydanticCustomError

    known = {"extra_forbidden", "missing"}
    kind: Any = error["type"]
    if kind not in known:
        message = error["msg"].replace("{", "{{").replace("}", "}}")
        kind = PydanticCustomError(error["type"], message.replace("{{", "{").replace("}}", "}"))
    return InitErrorDetails(type=kind, loc=place, input=error["input"])
