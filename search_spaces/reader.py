"""Reads spaces: the grammar of a space file, `include`, overrides, and the shipped files."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

from search_spaces.conditions import When, read_conditions
from search_spaces.domains import Choice, Domain, Fixed, Float, Int, is_number, is_scalar
from search_spaces.problems import Place, SpaceError, SpaceErrors
from search_spaces.schema import Inputs, Parameter, Space

HEAD = ("about", "source", "task")
KEYS = {
    "choice": ("default", "when", "of"),
    "int": ("default", "when", "of", "log", "or", "multiple_of", "power_of_2"),
    "float": ("default", "when", "of", "log", "or"),
    "fixed": ("when", "of"),
}
"""Kind of domain → what may stand beside it."""


def parse(data: object, load: Callable[[str], Space], narrowed: bool) -> Space:
    """Reads a whole space; see `Space.parse`."""
    if not isinstance(data, dict):
        raise SpaceErrors([_wrong_type("a space", "a mapping with `parameters`", data, ())])
    errors: list[SpaceError] = [
        _unknown_key(key, (*HEAD, "include", "parameters"), (key,))
        for key in data
        if key not in (*HEAD, "include", "parameters")
    ]
    for key in HEAD:
        if not isinstance(data.get(key, ""), str):
            errors.append(_wrong_type(f"`{key}`", "text", data[key], (key,)))
    parameters = _included(data.get("include", []), load, errors)
    raw = data.get("parameters", {})
    if not isinstance(raw, dict):
        errors.append(_wrong_type("`parameters`", "a mapping", raw, ("parameters",)))
        raw = {}
    own = {path: _read(str(path), domain, None, errors) for path, domain in raw.items()}
    parameters |= {path: parameter for path, parameter in own.items() if parameter}
    if not parameters and not errors:
        errors.append(_wrong_type("a space", "at least one parameter", "none", ("parameters",)))
    head = {key: data[key] for key in HEAD if isinstance(data.get(key), str)}
    own = {} if narrowed else own
    return _checked(lambda: Space(parameters=parameters, **head), parameters, own, errors)


def override(space: Space, domains: Mapping[str, object]) -> Space:
    """Replaces domains; see `Space.override`."""
    errors: list[SpaceError] = []
    own = {
        path: _read(str(path), domain, space.parameters.get(path), errors)
        for path, domain in domains.items()
    }
    changed = {path: parameter for path, parameter in own.items() if parameter}
    # A choice that an override narrows may leave conditions that can no longer hold: that is
    # what narrowing is for, so only conditions that the override itself wrote are checked.
    fresh = {
        path: changed.get(path)
        for path, domain in domains.items()
        if isinstance(domain, dict) and "when" in domain
    }
    parameters = space.parameters | changed
    try:
        return _checked(lambda: space.replaced(changed), parameters, fresh, errors)
    except SpaceErrors as found:
        raise SpaceErrors(
            SpaceError(code=e.code, rule=e.rule, got=e.got, fix=e.fix, path=e.path[1:])
            for e in found.errors
        ) from None


def _checked(
    build: Callable[[], Space],
    parameters: Mapping[str, Parameter],
    own: Mapping[str, Parameter | None],
    errors: list[SpaceError],
) -> Space:
    """The space, unless it or a condition of its own parameters has a mistake."""
    broken = {path for path, parameter in own.items() if parameter is None}
    for path, parameter in own.items():
        for when in parameter.when if parameter else ():
            controller = parameters.get(when.controller)
            if controller is not None and when.controller not in broken:
                errors += _never(path, when, controller.domain)
    try:
        space = build()
    except SpaceErrors as found:
        # A controller whose own domain is broken is not unknown.
        errors += [e for e in found.errors if e.path[-1] not in broken]
    if errors:
        raise SpaceErrors(errors)
    return space


def _included(
    names: object, load: Callable[[str], Space], errors: list[SpaceError]
) -> dict[str, Parameter]:
    if not isinstance(names, list):
        errors.append(_wrong_type("`include`", "a list of spaces", names, ("include",)))
        return {}
    parameters: dict[str, Parameter] = {}
    for index, name in enumerate(names):
        try:
            parameters |= load(str(name)).parameters
        except SpaceErrors as found:
            errors += [
                SpaceError(
                    code=e.code,
                    rule=e.rule,
                    got=f"{e.got} (in `{name}`)",
                    fix=e.fix,
                    path=("include", index),
                )
                for e in found.errors
            ]
    return parameters


def _read(
    path: str, raw: object, old: Parameter | None, errors: list[SpaceError]
) -> Parameter | None:
    """One parameter; None after noting its mistakes."""
    place = ("parameters", path)
    mistakes: list[SpaceError] = []
    when = old.when if old else ()
    if isinstance(raw, dict) and "when" in raw:
        try:
            when = read_conditions(raw["when"])
        except SpaceErrors as found:
            mistakes += found.errors
    of = old.of if old else None
    if isinstance(raw, dict) and "of" in raw:
        of = raw["of"]
        if of not in get_args(Inputs):
            mistakes.append(
                SpaceError(
                    code="space/of",
                    rule=f"`of` must be one of {', '.join(get_args(Inputs))}, the inputs that a "
                    "parameter is for",
                    got=repr(of),
                    fix="Leave it out for a parameter of all.",
                    path=("of",),
                )
            )
    domain: Domain | None = None
    try:
        domain = _read_domain(raw, old.domain if old else None)
    except SpaceErrors as found:
        mistakes += found.errors
    errors += [mistake.under(place, path) for mistake in mistakes]
    if mistakes or domain is None:
        return None
    return Parameter(path=path, domain=domain, when=when, of=of)


def _read_domain(raw: object, old: Domain | None) -> Domain:
    if isinstance(raw, list):
        raw = {"choice": raw}
    if not isinstance(raw, dict):
        return Fixed(value=raw)  # type: ignore[arg-type]  # Fixed refuses what is no scalar
    kinds = [kind for kind in KEYS if kind in raw]
    if len(kinds) != 1:
        raise _refused(
            "space/domain",
            f"a parameter must be a value, a list, or have one of {', '.join(KEYS)}",
            ", ".join(map(str, raw)) or "an empty mapping",
            "Write for example {float: [0.001, 0.1], log: true}.",
        )
    kind = kinds[0]
    odd = [key for key in raw if key != kind and key not in KEYS[kind]]
    if odd:
        raise SpaceErrors(_unknown_key(key, KEYS[kind], (key,)) for key in odd)
    if kind == "fixed":
        return Fixed(value=raw["fixed"])
    if kind == "choice":
        return _read_choice(raw, old)
    return _read_range(kind, raw, old)


def _read_choice(raw: dict[str, Any], old: Domain | None) -> Choice:
    options = raw["choice"]
    if not isinstance(options, list):
        raise SpaceErrors([_wrong_type("`choice`", "a list", options, ("choice",))])
    kept = old.default if old and old.default in options else None
    first = options[0] if options and is_scalar(options[0]) else ""
    default = raw.get("default", first if kept is None else kept)
    return Choice(options=tuple(options), default=default)


def _read_range(kind: str, raw: dict[str, Any], old: Domain | None) -> Float | Int:
    errors: list[SpaceError] = []
    bounds = raw[kind]
    wanted = int if kind == "int" else (int, float)
    if not (
        isinstance(bounds, list)
        and len(bounds) == 2
        and all(isinstance(b, wanted) and not isinstance(b, bool) for b in bounds)
    ):
        code = "space/bound"
        must = "two whole numbers" if kind == "int" else "two numbers"
        errors += _refused(
            code, f"`{kind}` takes {must}", repr(bounds), f"Write {kind}: [low, high].", (kind,)
        ).errors
    for key in ("log", "power_of_2"):
        if not isinstance(raw.get(key, False), bool):
            errors.append(_wrong_type(f"`{key}`", "true or false", raw[key], (key,)))
    for key in ("or", "default", "multiple_of"):
        whole = kind == "int"
        if key in raw and (not is_number(raw[key]) or whole and not isinstance(raw[key], int)):
            must = "a whole number" if whole else "a finite number"
            errors.append(_wrong_type(f"`{key}`", must, raw[key], (key,)))
    if errors:
        raise SpaceErrors(errors)
    low, high = bounds
    log, beside = raw.get("log", False), raw.get("or")
    # Built with a default that is inside, so that the range can say where the wanted one lies.
    if kind == "int":
        units = Int(
            low=low,
            high=high,
            default=low,
            log=log,
            beside=beside,
            multiple_of=raw.get("multiple_of", 1),
            power_of_2=raw.get("power_of_2", False),
        )
        return replace(units, default=int(_default(units, raw, old)))
    real = Float(
        low=float(low),
        high=float(high),
        default=float(low),
        log=log,
        beside=None if beside is None else float(beside),
    )
    return replace(real, default=float(_default(real, raw, old)))


def _default(shape: Float | Int, raw: dict[str, Any], old: Domain | None) -> float:
    """The default given; else the former one, or what is nearest to it; else the middle."""
    if "default" in raw:
        given: float = raw["default"]
        return given
    if old is None or not is_number(old.default):
        return shape.middle
    before = old.default
    return before if shape.contains(before) else shape.nearest(before)


def _never(path: str, when: When, domain: Domain) -> list[SpaceError]:
    """Mistakes of a condition that its controller can never meet."""
    for value in when.among or ():
        if not any(value == point for point in _listed(domain, value)):
            close = difflib.get_close_matches(str(value), map(str, domain.ends()), n=1)
            fix = f"Did you mean {close[0]!r}?" if close else f"Take one of {domain.to_data()}."
            return _never_error(path, when, repr(value), fix)
    if when.thresholds and not any(
        when.holds(v) for v in [*domain.ends(), *when.representatives(domain)]
    ):
        return _never_error(path, when, str(when.to_data()), "Move the threshold, or drop it.")
    return []


def _listed(domain: Domain, value: object) -> list[object]:
    return [value] if domain.contains(value) else list(domain.ends())


def _never_error(path: str, when: When, got: str, fix: str) -> list[SpaceError]:
    place = ("parameters", path, "when", when.controller)
    rule = f"`{path}`: a condition must name values that `{when.controller}` can have"
    return [SpaceError(code="space/unreachable", rule=rule, got=got, fix=fix, path=place)]


def _refused(code: str, rule: str, got: str, fix: str, path: Place = ()) -> SpaceErrors:
    return SpaceErrors([SpaceError(code=code, rule=rule, got=got, fix=fix, path=path)])


def _wrong_type(what: str, must: str, got: object, path: Place) -> SpaceError:
    return SpaceError(
        code="space/type",
        rule=f"{what} must be {must}",
        got=repr(got),
        fix="See a ready-made space for its spelling.",
        path=path,
    )


def _unknown_key(key: object, known: tuple[str, ...], path: Place) -> SpaceError:
    close = difflib.get_close_matches(str(key), known, n=1)
    return SpaceError(
        code="space/unknown-key",
        rule=f"the keys known here are {', '.join(known)}",
        got=f"`{key}`",
        fix=f"Did you mean `{close[0]}`?" if close else "Remove it.",
        path=path,
    )
