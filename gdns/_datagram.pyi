"""The plain lane: asks simple questions over UDP itself, and leaves everything else to c-ares."""

from typing import final

from gdns._ares import AresLane, Try

@final
class PlainTry(Try):
    """A try that this lane makes; its `transport` is UDP for as long as it does."""

class DatagramLane(AresLane):
    """Carries plain questions over UDP itself, and all others over c-ares, as `AresLane` does.

    A plain question is not sent before the next `flush`; cancelling its try ends that at once.
    """
