"""Run the ``abr`` command, as the script ``abr`` and ``python -m abr`` do."""

import os
import signal
import sys

_python_handler = signal.getsignal(signal.SIGINT)
if _python_handler is signal.default_int_handler:
    # Ctrl-C while modules load ends as it does later, with no traceback.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

from abr import shell  # noqa: E402  # not before
from abr.cli import main  # noqa: E402


def run() -> int:
    """Run the command line of this process and return its exit code."""
    if _python_handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, shell.interrupt)
    return main()


if __name__ == "__main__":
    sys.exit(run())
