"""The grammar of a space file, and every mistake in it at once, with its place."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Choice, Fixed, Float, Int, Space, SpaceErrors


def nothing(name: str) -> Space:
    raise AssertionError(f"{name} is not included")


def space(**parameters: Any) -> Space:
    return Space.parse(
        {"parameters": {path.replace("__", "/"): raw for path, raw in parameters.items()}}, nothing
    )


def mistakes(data: Any) -> list[tuple[str, tuple[str | int, ...]]]:
    with pytest.raises(SpaceErrors) as caught:
        Space.parse(data, nothing)
    return [(error.code, error.path) for error in caught.value.errors]


def test_spellings_of_a_domain() -> None:
    read = space(
        a={"float": [3e-4, 3e-2], "log": True, "default": 1e-3},
        b={"int": [32, 256], "log": True, "multiple_of": 8, "default": 128},
        c=["lstm", "gru"],
        d=30,
        e={"float": [1e-6, 1e-2], "log": True, "or": 0},
        f={"fixed": "x", "when": {"c": "gru"}},
    ).parameters

    assert read["a"].domain == Float(low=3e-4, high=3e-2, log=True, default=1e-3)
    assert read["b"].domain == Int(low=32, high=256, log=True, multiple_of=8, default=128)
    assert read["c"].domain == Choice(options=("lstm", "gru"), default="lstm")
    assert read["d"].domain == Fixed(value=30)
    assert isinstance(read["e"].domain, Float)
    assert read["e"].domain.beside == 0 and read["e"].domain.default == pytest.approx(1e-4)
    assert read["f"].when[0].holds("gru") and not read["f"].when[0].holds("lstm")


def test_what_a_parameter_is_of() -> None:
    base = space(a={"int": [1, 9], "of": "texts"}, b={"fixed": 1, "of": "numbers"}, c=2)
    again = Space.parse(base.to_data(), nothing)
    assert again == base.override({"a": 3}).override({"a": {"int": [1, 9], "default": 5}})
    assert [p.of for p in again.parameters.values()] == ["texts", "numbers", None]
    assert list(base.suited("texts").parameters) == ["a", "c"]
    assert mistakes({"parameters": {"a": {"int": [1, 9], "of": "words"}}}) == [
        ("space/of", ("parameters", "a", "of"))
    ]


def test_what_depends_on_other_inputs_goes_with_it() -> None:
    parts = {"a": {"choice": [1, 2], "of": "texts"}, "b": {"int": [1, 9], "when": {"a": 1}}}
    assert list(
        space(**parts, c={"int": [1, 9], "when": {"b": 1}}, d=1).suited("numbers").parameters
    ) == ["d"]


def test_all_mistakes_at_once() -> None:
    found = mistakes(
        {
            "abuot": "x",
            "parameters": {
                "a": {"float": [2, 1]},
                "b": {"choice": []},
                "c": {"int": [1, 5], "steps": 2},
                "d": {"float": [0.1, 1], "when": {"nowhere": 1}},
                "e": {"int": [1.5, 2]},
                "f": {},
            },
        }
    )

    assert found == [
        ("space/unknown-key", ("abuot",)),
        ("space/reversed", ("parameters", "a", "float")),
        ("space/empty-choice", ("parameters", "b", "choice")),
        ("space/unknown-key", ("parameters", "c", "steps")),
        ("space/bound", ("parameters", "e", "int")),
        ("space/domain", ("parameters", "f")),
        ("space/unknown-controller", ("parameters", "d", "when", "nowhere")),
    ]


def test_a_misspelt_key_names_its_neighbour() -> None:
    with pytest.raises(SpaceErrors, match="Did you mean `multiple_of`"):
        space(a={"int": [8, 16], "multiple": 8})


@pytest.mark.parametrize("data", [None, [], "x", {}, {"parameters": []}, {"parameters": {}}])
def test_refuses_what_is_no_space(data: Any) -> None:
    assert {code for code, _ in mistakes(data)} == {"space/type"}


@pytest.mark.parametrize(
    "when",
    [
        "lstm",
        {"cell": []},
        {"cell": {}},
        {"cell": {"over": 1}},
        {"cell": {"above": "1"}},
        {"cell": [["lstm"]]},
    ],
)
def test_refuses_a_condition(when: Any) -> None:
    raw = {"float": [0, 1], "when": when}
    found = mistakes({"parameters": {"cell": ["lstm", "gru"], "a": raw}})
    assert [code for code, _ in found] == ["space/when"]


@pytest.mark.parametrize("when", [{"cell": "lstn"}, {"layers": {"above": 3}}, {"layers": 4}])
def test_refuses_a_condition_that_can_never_hold(when: Any) -> None:
    raw = {"float": [0, 1], "when": when}
    parameters = {"cell": ["lstm", "gru"], "layers": {"int": [1, 3]}, "a": raw}
    assert [code for code, _ in mistakes({"parameters": parameters})] == ["space/unreachable"]


def test_a_broken_controller_is_not_told_twice() -> None:
    parameters = {"layers": {"int": [3, 1]}, "a": {"float": [0, 1], "when": {"layers": 2}}}
    assert [code for code, _ in mistakes({"parameters": parameters})] == ["space/reversed"]


def test_included_spaces_come_first_and_later_ones_win() -> None:
    shelf = {"one": space(a=1, b=1), "two": space(b=2, c=2)}
    data = {"include": ["one", "two"], "parameters": {"c": 3}}

    merged = Space.parse(data, shelf.__getitem__)

    assert merged.defaults() == {"a": 1, "b": 2, "c": 3}


def test_override_replaces_domains_only() -> None:
    base = space(
        cell=["lstm", "gru"],
        width={"int": [32, 256], "default": 128},
        bias={"float": [0, 2], "default": 1, "when": {"cell": "lstm"}},
    )

    changed = base.override({"width": {"int": [8, 64]}, "bias": [0.5, 1.0], "new": 7})

    assert changed.parameters["width"].domain.default == 64
    assert changed.parameters["bias"].domain == Choice(options=(0.5, 1.0), default=1.0)
    assert changed.parameters["bias"].when == base.parameters["bias"].when
    assert changed.defaults()["new"] == 7
    assert base.parameters["width"].domain.default == 128


def test_an_override_may_leave_a_branch_unreachable() -> None:
    base = space(cell=["lstm", "gru"], bias={"float": [0, 2], "when": {"cell": "lstm"}})

    narrow = base.override({"cell": "gru"})

    assert narrow.defaults() == {"cell": "gru"}
    assert Space.parse(narrow.to_data(), lambda name: pytest.fail(name), narrowed=True) == narrow


def test_an_override_names_its_own_places() -> None:
    with pytest.raises(SpaceErrors) as caught:
        space(a=1).override({"a": {"float": [2, 1]}, "b": {"int": [1, 2], "when": {"c": 1}}})
    assert [(e.code, e.path) for e in caught.value.errors] == [
        ("space/reversed", ("a", "float")),
        ("space/unknown-controller", ("b", "when", "c")),
    ]
