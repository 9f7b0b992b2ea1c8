"""One file a model: the name in config.yaml is the file name; see `bioloom.training`."""
