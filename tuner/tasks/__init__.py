"""One file per task: what is learned.

A task owns target encoding, loss, metrics, decoding and the naive baseline a model must beat. Its
module holds

    Config        the task's own options, given under `task:` in a spec; they define the problem,
                  so no search may touch them
    InputConfig   section `data/` of a trial: how rows become inputs
    LossConfig    section `loss/` of a trial: what training minimises, and no score knows of; left
                  out where there is nothing to choose
    AUGMENTED     which augmentations leave a target true, by what they change: a set of "values",
                  "steps" and "rows"; left out where none does
    CAUSAL        true where the model predicts what it reads, so must not read ahead
    SHIPPED       true where the model must be one of the shipped architectures
    METRICS       name → "maximize" | "minimize"; the first is the default objective
    metrics(options, targets) -> the same, where it depends on options or on how many columns a spec
                  names as `data/target` (None without); a module may leave it out
    refusals(options) -> mistakes of the options that only this machine shows; may be left out
    data(options) -> TaskData                      what preparation must know
    create(options, inputs, facts) -> Task         see `_base.Task`; with a LossConfig, that of a
                                                   trial in training comes fourth
"""
