"""Things that fall due, found in order without paying for those that never do."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf

Slot = dict[object, float]

TICKS = 256  # slots a second
NONE = -1.0  # no slot


class Deadlines:
    """Items by the moment they fall due, in slots of 1/256 s.

    Nearly every item of a resolver is taken out long before it is due. Putting in and taking out are
    therefore dict operations; only a slot, shared by all that fall due within 4 ms, enters the heap. With
    each item a slot has the moment in its middle: one number for all of them.

    >>> due = Deadlines()
    >>> slot = due.put("tea", 1.0)
    >>> due.pop(0.9), due.pop(1.01)
    ([], [{'tea': 1.001953125}])
    """

    __slots__ = ("_slots", "_heap", "_tick", "_ticks", "_slot", "_moment")

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self._heap: list[int] = []
        self._ticks: float = TICKS
        self._tick = NONE  # the slot put into last, for most others join it
        self._slot: Slot = {}
        self._moment: float = NONE

    def put(self, item: object, due_at: float) -> Slot:
        """Keep `item` until `due_at` (seconds on the caller's clock); `del slot[item]` takes it out."""
        tick = due_at * self._ticks // 1 + 1  # a float: compiled, it is never made an object
        if tick != self._tick:
            self._take_slot(tick)
        slot = self._slot
        slot[item] = self._moment
        return slot

    def _take_slot(self, tick: float) -> None:
        number = int(tick)
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = {}
            try:
                heappush(self._heap, number)
            except MemoryError:
                del self._slots[number]  # what is in no heap never falls due
                raise
        self._slot = slot
        self._moment = (tick - 0.5) / TICKS
        self._tick = tick

    def next_at(self) -> float:
        """When to call `fallen` next; infinity when nothing is kept. May be early, or late by 4 ms."""
        heap, slots = self._heap, self._slots
        while heap and not slots[heap[0]]:
            self._tick = NONE
            del slots[heappop(heap)]
        return heap[0] / TICKS if heap else inf

    def fallen(self, now: float) -> Slot | None:
        """The earliest slot with items that have fallen due by `now`; it stays until they are taken out."""
        heap, slots = self._heap, self._slots
        while heap and heap[0] <= now * TICKS:
            slot = slots[heap[0]]
            if slot:
                return slot
            self._tick = NONE
            del slots[heappop(heap)]
        return None

    def pop(self, now: float) -> list[Slot]:
        """Give up the slots that have fallen due by `now`, earliest first.

        They stay the slots that `put` returned: an item may still be taken out while they are gone through.
        """
        heap, slots = self._heap, self._slots
        fallen_due = []
        self._tick = NONE
        while heap and heap[0] <= now * TICKS:
            fallen_due.append(slots.pop(heappop(heap)))
        return fallen_due
