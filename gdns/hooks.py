"""Functions of the user's that are told what a resolver does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Self

from gdns.threads import QuietLock

if TYPE_CHECKING:
    from gdns._wire import Question
    from gdns.outcome import Outcome

OnQuery = Callable[["Question", str], object]
OnOutcome = Callable[["Outcome"], object]


class Hooks:
    """The hooks of a resolver; tuples, so that any thread may change them while they are gone through."""

    __slots__ = ("on_query", "on_outcome")

    def __init__(self) -> None:
        self.on_query: tuple[OnQuery, ...] = ()
        self.on_outcome: tuple[OnOutcome, ...] = ()


class Hook:
    """One hook in its place: `undo()`, or the end of a `with` statement, takes it out again."""

    def __init__(
        self, hooks: Hooks, event: Literal["on_query", "on_outcome"], function: Callable[..., object]
    ) -> None:
        """Raises TypeError for what cannot be called."""
        if not callable(function):
            raise TypeError(f"{event}: expected a function, not {type(function).__name__}")
        self._hooks = hooks
        self._event = event
        self._function: Callable[..., object] | None = function
        with _lock:
            setattr(hooks, event, (*getattr(hooks, event), function))

    def undo(self) -> None:
        """Call the function no more; safe to call twice."""
        with _lock:
            function, self._function = self._function, None
            if function is not None:
                remaining: list[Any] = list(getattr(self._hooks, self._event))
                remaining.remove(function)
                setattr(self._hooks, self._event, tuple(remaining))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.undo()


_lock = QuietLock()  # held to replace tuples, never to read them
