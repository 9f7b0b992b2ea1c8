"""One file an application: its columns, formats and cleaning; see `bioloom.application`."""
