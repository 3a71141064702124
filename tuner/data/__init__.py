"""Raw files to one memory-mapped preparation, checked as a whole and fitted on training rows only.

config      section `data:` of a spec
formats/    one file per format: bytes to a table of raw columns
reading     files to tables, by their formats
layout      which column of a table means what
columns     raw columns to numbers, times and texts
sequences   tables to sequences of steps
times       the time column
filling     what stands in for missing values
derived     channels that are made of columns, and the roles of channels
deriving    makes them: categories, calendar, rolling
labels      the label column
splits      training, validation and test, by sequence or by time
origins     folds of series: successive spans, each forecast from what lies before it
rules       what does not go with the kind of task
checks      what the splits must not share or lack
features    what no feature may be
fitting     what is fitted, in all and without each fold: statistics, seasons
prepare     all of the above, once, into a folder
store       that folder, memory-mapped
card        what everybody else must know of it
predicting  files to predict on
future      what they tell of the steps ahead
"""
