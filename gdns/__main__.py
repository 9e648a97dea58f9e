"""`python -m gdns` is the gdns command."""

import sys

from gdns.cli import main

if __name__ == "__main__":
    sys.exit(main())
