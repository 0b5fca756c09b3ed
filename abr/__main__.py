"""Run the ``abr`` command with ``python -m abr``."""

import sys

from abr.cli import main

if __name__ == "__main__":
    sys.exit(main())
