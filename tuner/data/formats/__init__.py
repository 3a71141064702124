"""One file per format. A format's module holds

    EXTENSIONS   the extensions that choose it when `data/format` is left out
    read(path, layout) -> RawTable     one file as a table of raw columns; raises `DataError`

and, where a file names its own columns, `COLUMNS`: column meanings that stand in for those the
spec leaves out.
"""
