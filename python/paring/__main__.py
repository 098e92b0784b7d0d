"""``python -m paring`` is the ``paring`` program."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
