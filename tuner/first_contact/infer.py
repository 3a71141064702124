"""From what a file holds to what can be learned from it."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.data import extensions
from tuner.data.files import join_some
from tuner.data.picture import Picture
from tuner.errors import CommandError, DataError, Mistake
from tuner.first_contact import tables
from tuner.first_contact.draft import Draft
from tuner.first_contact.look import Look

_CHARACTERS = 2 << 20
"""Bytes of text below which words come too seldom to be learned."""
_FEW_SEQUENCES = 300
_FOLDS = 5


def infer(look: Look, wanted: Sequence[str]) -> Draft:
    """The task, the columns and the splits.

    Args:
        wanted: target columns that the user named.

    Raises:
        InputError: there is no such column, or nobody can tell what is to be learned.
    """
    names = list(look.columns)
    if strangers := [name for name in wanted if name not in names]:
        raise CommandError(
            Mistake(
                code="init/target",
                rule="`--target` must be a column of the data",
                where="--target",
                got=join_some(map(repr, strangers)),
                fix=f"The columns are {join_some(map(repr, names), 12)}.",
            )
        )
    match look.found.format:
        case "ts":
            draft = _ts(look)
        case "conll" | "conllu":
            draft = _tagging(look, wanted)
        case "labelled_text":
            draft = _labelled(look, wanted)
        case "text":
            draft = _language(look, "text")
        case "histories":
            why = "a user and the items of a history in each line"
            draft = Draft("recommendation", why, id=look.fixed["id"])
        case extensions.FOLDER:
            draft = _pictures(look)
        case _:
            found = tables.infer(look, wanted)
            draft = found if isinstance(found, Draft) else _language(look, found)
    if len(wanted) > 1 and draft.task in ("classification", "tagging"):
        raise CommandError(
            Mistake(
                code="init/target",
                rule=f"the target of {draft.task} must be one column",
                where="--target",
                got=join_some(map(repr, wanted)),
                fix="Name one of them.",
            )
        )
    _split(look, draft)
    return draft


def _ts(look: Look) -> Draft:
    id = look.fixed["id"]
    if "target" in look.columns:
        return Draft("regression", "`@targetLabel` in its header", id=id, targets=["target"])
    if "label" in look.columns:
        return Draft("classification", "`@classLabel` in its header", id=id, targets=["label"])
    raise DataError(
        Mistake(
            code="init/no-target",
            rule="a `.ts` file must name classes or a number to predict",
            where=look.train.name,
            got="neither `@classLabel true` nor `@targetLabel true`",
            fix="Add the labels, or write the channels as a CSV file to forecast them.",
        )
    )


def _tagging(look: Look, wanted: Sequence[str]) -> Draft:
    fixed = look.fixed
    target = wanted[0] if wanted else fixed["label"]
    draft = Draft("tagging", f"one tag ({target}) for each token of a sentence")
    draft.id, draft.text, draft.targets = fixed["id"], fixed["text"], [target]
    if target != fixed["label"]:
        draft.say("target", target)
    elif look.found.format == "conllu":
        draft.say("target", target, "universal; `xpos`: the treebank's own tags")
    if look.found.format == "conll":
        draft.options_why = "{name: tagging, scheme: bioes} may score better on spans"
    draft.override["data/characters"] = 16, "of each token; tells names and endings; 0: none"
    return draft


def _labelled(look: Look, wanted: Sequence[str]) -> Draft:
    target = wanted[0] if wanted else look.fixed["label"]
    draft = Draft("classification", "a label before each text", text="text", targets=[target])
    if wanted:
        draft.say("target", target)
    elif look.columns["fine_label"].num_distinct > 1:
        number = look.columns["fine_label"].num_distinct
        draft.say("target", target, f"coarse; `fine_label` holds {number} finer ones")
    tables.say_tokens(look, draft)
    return draft


def _pictures(look: Look) -> Draft:
    id, target = look.fixed["picture"], look.fixed["label"]
    draft = Draft("classification", "a folder of pictures for each class", id=id, targets=[target])
    size = Picture().model_dump(include={"height", "width"})
    draft.say("picture", size, "pixels that each is brought to")
    return draft


def _language(look: Look, text: str) -> Draft:
    draft = Draft("language_modelling", "texts and nothing to predict of them", text=text)
    if text != look.fixed.get("text"):
        draft.say("text", text)
    size = look.found.paths["train"].stat().st_size
    if size < _CHARACTERS:
        draft.say("tokens", "character", f"{size / 1e6:.1f} MB hold too few words; else `word`")
    else:
        draft.say("tokens", "word", "or `character`, or `subword`")
        draft.say("vocabulary", 20_000, "the frequent words; each more costs time")
    return draft


def _split(look: Look, draft: Draft) -> None:
    """Files where there are some; else shares, from the end of what has an order."""
    if draft.task == "recommendation":
        draft.say("test", {"last": 1}, "item of each history; scored once, for the winner")
        draft.say("validation", {"last": 1}, "the one before it; ranks the trials")
        return
    ordered = draft.task in ("language_modelling", "forecasting")
    where = "the end of the data" if ordered else "of the sequences"
    if "test" not in look.tables:
        draft.say("test", 0.1, f"{where}; scored once, for the winner")
    if "validation" in look.tables:
        return
    if draft.task == "language_modelling":
        draft.say("validation", 0.05, "what lies before it; ranks the trials")
    elif ordered:
        draft.say("validation", 0.2, "what lies before it; {origins: 3} for several spans")
    elif (num := tables.num_sequences(look, draft)) < _FEW_SEQUENCES:
        folds = min(_FOLDS, max(2, num // 2))
        draft.say("validation", {"folds": folds}, f"{num:,} sequences are too few for one share")
    else:
        draft.say("validation", 0.2, "of the sequences; ranks the trials")
