"""Ways from a text to tokens, one file each.

    split(text, learned) -> tokens     a list of texts, none of them empty
    join(tokens) -> text               as near to the reverse as there is
    learn(texts, size) -> learned      only where something is learned from training rows: a text

`given`, where each row of a table is one token, needs no tokenizer.
"""
