"""One file per augmentation: what training changes in a batch, and evaluation never.

Its module holds

    CHANGES    what it changes: "values" of steps that stay where they are, "steps" themselves, or
               whole "rows" and with them their targets; a task takes those that leave a target true
    TOKENS     whether it reads numbers (float32 x_BTF), tokens (int64 x_BTK), or both: a set of
               False and True
    ORDER      when its turn comes: 0 steps, 1 values, 2 rows
    Config     one field, `strength`; 0 is off. It is the field of section `augmentation/` of a
               trial that bears the part's name
    apply(batch, strength, chance, others) -> Batch

`apply` takes a torch batch and gives another; it changes valid steps only, and leaves zeros beyond
the lengths that it gives. A second input stays as it is, unless whole rows are mixed. All chance
comes from `chance`, whose draws for a row and step depend on neither the other rows nor the
padding: any number of ranks makes the same rows. `others()` is a batch of as many training rows,
chosen by chance.
"""
