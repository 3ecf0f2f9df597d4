"""``python -m wavegen`` is the same as ``wavegen``."""

import sys

from wavegen.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
