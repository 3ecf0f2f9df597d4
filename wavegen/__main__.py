"""Runs the command line for ``python -m wavegen``."""

import sys

from wavegen.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
