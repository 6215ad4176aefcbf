"""`python -m shike.cli` is `shike`."""

import sys

from shike.cli import main

if __name__ == "__main__":
    sys.exit(main())
