"""`python -m bioloom`: the command line, where the command itself is not on PATH."""

import sys

from bioloom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
