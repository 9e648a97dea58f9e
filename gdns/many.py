"""Resolves many names without a greenlet for each.

    questions ── pulled as there is room ── Stub.put ── first tries, in batches ── take ── results

One greenlet asks and takes, the one that iterates. It pulls questions while fewer than `concurrency` are
between their asking and their being handed out, and parks when none has ended: so a slow consumer slows the
asking, a slow source holds up nothing that has ended, and memory does not grow with the number of names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from greenlet import getcurrent

from gdns._wire import Question
from gdns.errors import ConfigError, ResolverClosed
from gdns.flight import Ask, Crowd
from gdns.hubs.waiter import ON_THE_HUB, Waiter
from gdns.names import encode_idna, is_ordinary, special_use
from gdns.outcome import INVALID, TIMEOUT, Outcome
from gdns.pace import Pace
from gdns.parameters import whole
from gdns.rdtypes import NUMBERS, A
from gdns.servers import BUFFERED_FOR
from gdns.stub import GONE

if TYPE_CHECKING:
    from gdns.hubs import Hub
    from gdns.stub import Stub

MOST_CONCURRENCY = 60_000  # ids are 16 bits
REFILL = 64  # questions pulled at a time at least, so that they leave in one system call
NO_LIMIT = -1.0  # seconds
LEAST_PAUSE = 0.002  # seconds between two looks at the pace; hubs count no shorter ones

Item = Any
"""A name, a str or a dns.name.Name, which is asked for its A records; or a pair of a name and a type."""


class Result(NamedTuple):
    """What became of one question: the very object that was pulled from `questions`, and its outcome."""

    question: Any
    outcome: Outcome


_make = cast("Callable[[type[Result], tuple[Any, Outcome]], Result]", tuple.__new__)  # what Result's own does


class Engine(Protocol):
    """What of a resolver's engine is needed here."""

    @property
    def stub(self) -> Stub: ...
    @property
    def hub(self) -> Hub: ...


class Many(Crowd):
    """Questions under way, and what has come of them, for one greenlet that waits.

    `engine` gives the resolver's engine of the moment; `is_idna2008` says how names beyond ASCII are written.
    `pace` limits the questions, None does not.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        concurrency: int,
        pace: Pace | None = None,
        is_idna2008: bool = False,
    ) -> None:
        self.landed: deque[Ask] = deque()  # asks with their outcomes, in the order of these
        self.in_flight = 0
        self.is_closed = False
        self._engine = engine
        self._concurrency = concurrency
        self._pace = pace
        self._is_idna2008 = is_idna2008
        self._hub: Hub = None  # type: ignore[assignment]  # until `begin`
        self._stub: Stub = None  # type: ignore[assignment]
        self._stubs: list[Stub] = []  # those that were asked, for settings may change meanwhile
        self._waiter: Waiter | None = None
        self._is_held = False  # by the server, which has not answered enough yet
        self._questions: Iterator[Item] = iter(())
        self._is_exhausted = False  # there are no more of them,
        self._problem: BaseException | None = None  # because of this
        self._refill = max(1, min(REFILL, concurrency // 2))
        self._handed_out = 0  # since more was asked

    # --- for whoever asks

    def begin(self) -> None:
        """Be on the hub of whoever calls."""
        engine = self._engine()
        self._hub = engine.hub
        self._stub = engine.stub
        self._stubs.append(self._stub)

    def renew(self) -> None:
        """Ask the servers of now. Raises RuntimeError on another hub than the first, or in that itself."""
        engine = self._engine()
        if engine.hub is not self._hub:
            raise RuntimeError("the results of resolve_many are to be taken on the hub they were begun on")
        if getcurrent() is self._hub.greenlet:
            raise RuntimeError(ON_THE_HUB)
        if engine.stub is not self._stub:
            self._stub = engine.stub
            self._stubs = [stub for stub in self._stubs if not stub.is_closed] + [self._stub]

    def room(self) -> int:
        """How many more may be asked now, the pace aside: until results are taken, or the server is ready."""
        room = self._concurrency - self.in_flight - len(self.landed)
        self._is_held = False
        if room > 0:
            room = min(room, self._stub.room())
            if room <= 0:
                self._is_held = self.in_flight > 0
                return 0 if self._is_held else 1  # where others keep the server busy, one waits for its turn
        return room

    def put(self, item: object, name: str, rdtype: int) -> bool:
        """Ask for the records of one type at a name, taken as absolute; the outcome will be in `landed`.

        False for a name that cannot be asked for: its outcome has the status INVALID, a detail that says why,
        and is the last in `landed` now.
        """
        if self._pace is not None:
            self._pace.take(monotonic())
        try:
            if not name.isascii():
                name = encode_idna(name, self._is_idna2008)
            question = Question(name, rdtype)
        except ValueError as error:
            self.refuse(item, rdtype, str(error))
            return False
        ask = Ask(self, item, question)
        self.in_flight += 1
        if not is_ordinary(name):
            rule = special_use(question.qname)
            if rule is not None:
                from gdns import records  # loads dnspython

                self.take(ask, records.special_outcome(question, rule))
                return True
        try:
            self._stub.put(ask)
        except BaseException:
            if ask.outcome is None:
                self.in_flight -= 1  # nobody will tell of it
            raise
        return True

    def refuse(self, item: object, rdtype: int, detail: str) -> None:
        """Have something that cannot be asked for among the outcomes."""
        ask = Ask(self, item, Question(".", rdtype if 0 < rdtype <= 0xFFFF else A))
        self.in_flight += 1
        self.take(ask, Outcome(ask.question, INVALID, detail=detail))

    def send(self) -> None:
        """Send what was put."""
        self._stub.flush()

    def pause(self) -> float:
        """Seconds until the pace allows another; 0 if it does now."""
        pace = self._pace
        return 0.0 if pace is None else pace.wait(monotonic())

    def wait(self, seconds: float = NO_LIMIT) -> None:
        """Park until something has landed or `wake_up` is called, for `seconds` at most; below 0: no limit.

        What is thrown into the greenlet comes out, and ends all.
        """
        if self.landed or seconds == 0.0:
            return
        waiter = self._waiter = Waiter(self._hub)
        timer = None
        if self._is_held and (seconds < 0.0 or seconds > BUFFERED_FOR):
            seconds = BUFFERED_FOR  # by then the server has room, whatever became of what was sent
        try:
            if seconds > 0.0:
                timer = self._hub.call_later(max(seconds, LEAST_PAUSE), self.wake_up)
            waiter.park()
        except BaseException:
            self.close()
            raise
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def wake_up(self) -> None:
        """Let `wait` return; from the hub."""
        waiter = self._waiter  # held: who wakes puts an end to it
        if waiter is not None:
            waiter.wake()

    def take(self, ask: Ask, outcome: Outcome) -> None:
        """One has ended."""
        self.in_flight -= 1
        if self.is_closed:
            return
        ask.outcome = outcome
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            self._stub.wake_soon(waiter)
        self.landed.append(ask)

    def next(self) -> Ask:
        """What has landed first, with its outcome; there must be one. `landed` may be short of one after."""
        ask = self.landed.popleft()
        outcome = ask.outcome
        assert outcome is not None
        if not outcome.is_word_of_name:
            if outcome.status is TIMEOUT and ask.has_joined and not self._stub.is_closed:
                ask.has_joined = False  # others' time was up, not its own
                self.in_flight += 1
                self._stub.put(ask)
                self._stub.flush()
                ask.outcome = None
                return ask
            stale = self._stub.stale(ask.question)
            if stale is not None:
                ask.outcome = stale
        elif outcome.question is not ask.question and outcome.question.wire != ask.question.wire:
            ask.outcome = outcome.for_asker(ask.question)
        return ask

    def close(self) -> None:
        """Give up what is under way; safe to call twice."""
        if self.is_closed:
            return
        self.is_closed = True
        for stub in self._stubs:
            if not stub.is_closed:
                stub.leave(self)

    # --- for whoever iterates

    def results(self, questions: Iterator[Item]) -> Generator[Result, None, None]:
        """Ask all questions, and yield the results as they come."""
        self.begin()
        self._questions = questions
        landed = self.landed
        try:
            while True:
                if landed:
                    ask = self.next()
                    if ask.outcome is not None:
                        yield _make(Result, (ask.item, ask.outcome))
                    if landed and not self._is_to_fill():
                        continue
                if not self._is_exhausted:
                    self._fill()
                    if landed:
                        continue
                if self.in_flight:
                    self.wait(NO_LIMIT if self._is_exhausted or self.room() <= 0 else self.pause())
                elif self._is_exhausted:
                    break
                elif self._pace is not None:
                    self.wait(self.pause())
            if self._problem is not None:
                raise self._problem
            if self._stub.is_closed:
                raise ResolverClosed(GONE)
        finally:
            self.close()

    def _put_other(self, item: object) -> None:
        """Ask what is no mere str."""
        if type(item) is tuple and len(item) == 2 and type(item[0]) is str:
            number = NUMBERS.get(item[1])
            if number is not None:
                self.put(item, item[0], number)
                return
        name, rdtype = _read_item(item)
        if rdtype > 0:
            self.put(item, name, rdtype)
        else:
            self.refuse(item, A, f"{item!r}: there is no such record type")

    def _is_to_fill(self) -> bool:
        """Whether it is time to ask more, though there is more to be handed out."""
        self._handed_out += 1
        return self._handed_out >= self._refill and not self._is_exhausted

    def _fill(self) -> None:
        """Pull and ask as much as there is room for."""
        self._handed_out = 0
        self.renew()
        room = self.room()
        while room > 0:
            room -= 1
            if self._stub.is_closed:
                self._is_exhausted = True
                self._problem = ResolverClosed(GONE)
                break
            if self._pace is not None and self.pause() > 0.0:
                break
            try:
                item = next(self._questions)
                if type(item) is str:
                    self.put(item, item, 1)
                else:
                    self._put_other(item)
            except StopIteration:
                self._is_exhausted = True
                break
            except Exception as error:
                self._is_exhausted = True
                self._problem = error
                break
            if self.landed:
                break  # the source took its time, or it was known
        self._stub.flush()


def resolve_many(
    engine: Callable[[], Engine],
    questions: Iterable[Item],
    concurrency: int,
    rate: float | None,
    is_idna2008: bool,
) -> Iterator[Result]:
    """The results of all questions, as completed; `Resolver.resolve_many` says how. Raises ConfigError."""
    if isinstance(questions, (str, bytes)):
        raise TypeError("questions: expected an iterable of names, not a single one")
    whole("concurrency", concurrency, 1, MOST_CONCURRENCY)
    pace = None
    if rate is not None:
        if isinstance(rate, bool) or not isinstance(rate, (int, float)):
            raise TypeError(f"rate: expected questions per second as a number, not {type(rate).__name__}")
        if not 0 < rate < 1e9:
            raise ConfigError(f"rate: expected a positive number of questions per second, not {rate!r}")
        pace = Pace(rate)
    return Many(engine, concurrency, pace, is_idna2008).results(iter(questions))


def rdtype_of(rdtype: object) -> int:
    """The number of a record type; 0 for what is none, or none that can be asked for."""
    if isinstance(rdtype, int):
        return rdtype if 0 < rdtype <= 0xFFFF else 0
    if not isinstance(rdtype, str):
        raise TypeError(f"a record type is a str or an int, not {type(rdtype).__name__}")
    number = NUMBERS.get(rdtype.upper())
    if number is not None:
        return number
    from gdns import records  # loads dnspython

    try:
        return int(records.to_rdtype(rdtype))
    except (records.DNSException, ValueError):
        return 0


def _read_item(item: object) -> tuple[str, int]:
    """Name and type of what was pulled."""
    rdtype: object = A
    name = item
    if isinstance(item, (tuple, list)):
        if len(item) != 2:
            raise TypeError(
                f"a question is a name or (name, type), not a {type(item).__name__} of {len(item)}"
            )
        name, rdtype = item
    if not isinstance(name, str):
        to_text = getattr(name, "to_text", None)
        if to_text is None:
            raise TypeError(f"a name is a str or a dns.name.Name, not {type(name).__name__}")
        name = to_text()
    return name, rdtype_of(rdtype)
