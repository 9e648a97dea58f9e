"""What mutated replies must not have done."""

from __future__ import annotations

import sys

from tests.fuzz.mutations import run


def mutate_on(hub: str, count: int, seed: int) -> None:
    """A run in a process of its own; its status says whether all was well."""
    tally = run(hub, count, seed)
    print(f"{hub}: {tally}", *tally.wrong[:20], sep="\n   ", flush=True)
    sys.exit(1 if tally.wrong else 0)
