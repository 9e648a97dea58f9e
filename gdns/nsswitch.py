"""The `hosts:` line of nsswitch.conf(5), as glibc 2.36 reads it."""

import enum
import re
from typing import NamedTuple


class Status(enum.IntEnum):
    """How a module's lookup ended."""

    SUCCESS = 0
    NOTFOUND = 1
    UNAVAIL = 2
    TRYAGAIN = 3


class Action(enum.Enum):
    """What to do then."""

    RETURN = "return"
    CONTINUE = "continue"
    MERGE = "merge"


Actions = tuple[Action, Action, Action, Action]  # in the order of Status


class Module(NamedTuple):
    """One word of the line with what follows it in brackets; whether we know the word is not asked here."""

    name: str
    actions: Actions = (Action.RETURN, Action.CONTINUE, Action.CONTINUE, Action.CONTINUE)


class NsSwitch(NamedTuple):
    """The modules to ask for hosts, in turn.

    `is_malformed` says that glibc would answer every lookup with EINVAL: the line of some database holds a
    bad criterion. Then, and where the file says nothing about hosts, `hosts` is glibc's default.
    """

    hosts: tuple[Module, ...] = (Module("files"), Module("dns"))
    is_malformed: bool = False


_DATABASES = frozenset(
    b"aliases ethers group group_compat gshadow hosts initgroups netgroup networks passwd passwd_compat"
    b" protocols publickey rpc services shadow shadow_compat".split()
)
_LINE = rb"\s*([^\s:]+)[\s:]+"
_MODULE = rb"\s*([^\s\[]+)\s*"
_CRITERION = rb"\s*(?P<negation>!?)(?P<status>[^\s=\]]*)\s*=\s*(?P<action>[^\s=\]]*)\s*"
_STATUSES = {status.name.encode("ascii"): status for status in Status}
_ACTIONS = {action.name.encode("ascii"): action for action in Action}


def parse_nsswitch(content: bytes) -> NsSwitch:
    """Parse the file's content.

    There are no comments: a `#` begins a word like any other. The last `hosts` line counts, and a line
    without its newline does not. A bad criterion spoils the whole file, on the line of any database.
    """
    nsswitch = NsSwitch()
    for line in content.split(b"\n")[:-1]:
        line = (line + b"\n").partition(b"\0")[0]
        database = re.match(_LINE, line)
        if database is None or database[1] not in _DATABASES:
            continue
        modules = _parse_modules(line[database.end() :])
        if modules is None:
            return NsSwitch(is_malformed=True)
        if database[1] == b"hosts":
            nsswitch = NsSwitch(modules)
    return nsswitch


def _parse_modules(text: bytes) -> tuple[Module, ...] | None:
    """The modules of a line, None if a criterion is malformed; a second bracket in a row ends the reading."""
    modules = []
    position = 0
    while found := re.compile(_MODULE).match(text, position):
        module = Module(found[1].decode("ascii", "backslashreplace"))
        position = found.end()
        if text.startswith(b"[", position):
            criteria = _parse_criteria(text, position + 1, module.actions)
            if criteria is None:
                return None
            actions, position = criteria
            module = Module(module.name, actions)
        modules.append(module)
    return tuple(modules)


def _parse_criteria(text: bytes, position: int, actions: Actions) -> tuple[Actions, int] | None:
    """What the criteria from this position on make of the actions, with the position behind their bracket."""
    while True:
        criterion = re.compile(_CRITERION).match(text, position)
        if criterion is None:
            return None
        status = _STATUSES.get(criterion["status"].upper())
        action = _ACTIONS.get(criterion["action"].upper())
        if status is None or action is None:
            return None
        is_negated = criterion["negation"] != b""
        success, notfound, unavail, tryagain = (
            action if (other is status) != is_negated else present
            for other, present in zip(Status, actions, strict=True)
        )
        actions = (success, notfound, unavail, tryagain)
        position = criterion.end()
        if text[position : position + 1] == b"]":
            return actions, position + 1
