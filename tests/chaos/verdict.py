"""What a storm must not have done."""

from __future__ import annotations

import sys

from tests.chaos.storm import Storm, Tally


def complaints(tally: Tally) -> list[str]:
    """What a storm must not have done; empty if all is well."""
    found = [*tally.wrong, *tally.late, *tally.twice]
    if tally.lost:
        found.append(f"{tally.lost} look-ups never ended")
    if tally.right < 0.95 * tally.asked:
        found.append(f"only {tally.right} of {tally.asked} were right")
    if tally.pending:
        found.append(f"{tally.pending} queries were left")
    if tally.descriptors[1] > tally.descriptors[0] + 4:  # two servers, of which two sockets each may be kept
        found.append(f"descriptors grew from {tally.descriptors[0]} to {tally.descriptors[1]}")
    if (
        tally.traced[1] - tally.traced[0] > 640 << 10
    ):  # what a full cache takes; 20,000 look-ups keep not 32 octets each
        found.append(f"Python's memory grew from {tally.traced[0]} to {tally.traced[1]} octets")
    if tally.resident[1] - tally.resident[0] > 16 << 20:
        found.append(f"memory grew from {tally.resident[0]} to {tally.resident[1]} octets")
    return found


def run_one(hub: str, names: int, seed: int) -> None:
    """A storm in a process of its own; its status says whether all was well."""
    tally = Storm(hub, names, seed).run()
    print(f"{hub}: {tally}", flush=True)
    found = complaints(tally)
    for complaint in found[:20]:
        print("  ", complaint, flush=True)
    sys.exit(1 if found else 0)
