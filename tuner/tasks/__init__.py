"""One file per task: what is learned.

A task owns target encoding, loss, metrics, decoding and the naive baseline a model must beat. Its
module holds

    Config        the task's own options, given under `task:` in a spec; they define the problem,
                  so no search may touch them
    InputConfig   section `data/` of a trial: how rows become inputs
    METRICS       name → "maximize" | "minimize"; the first is the default objective
    data(options) -> TaskData                      what preparation must know
    create(options, inputs, facts) -> Task         see `base.Task`
"""
