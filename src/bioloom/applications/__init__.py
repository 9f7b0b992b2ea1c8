"""One file an application: its columns, formats and cleaning; see `bioloom.application`.

Where a module has OPTIONS (of a data set), COLUMNS (its `columns`) or CLEAN, each option with its
default, a task is checked against them before any job runs.
"""
