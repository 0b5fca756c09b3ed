"""``python -m abr``: the same as the command ``abr``."""

import sys

from abr.cli import main

if __name__ == "__main__":
    sys.exit(main())
