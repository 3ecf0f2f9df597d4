"""``python -m wavegen`` is the same as ``wavegen``."""

import sys

from wavegen.cli import main

if __name__ == "__main__":
    sys.exit(main())
