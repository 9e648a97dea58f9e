"""python -m tests.lanes [COUNT]: compares the lanes over so many mutated replies; status 1 if they differ."""

import sys

from gdns.testing import Server
from tests.lanes.outcomes import compare

SEED = 7


def main() -> int:
    """Compare, say what differs, and return the exit status."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with Server(seed=SEED) as server:
        learnt, found = compare(server, count)
    print(*found[:50], sep="\n")
    print(f"{count} mutated replies, seed {SEED}: {len(found)} differences between the lanes")
    return 1 if found or len(learnt) != count else 0


raise SystemExit(main())
