"""The servers of gdns' own resolvers, where tests are kept from the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from gdns import resolver
from gdns.servers import Servers
from gdns.switch import Place, Switch

if TYPE_CHECKING:
    from gdns._wire import Question
    from gdns.servers import Group


class GuardedServers(Servers):
    """The servers of a resolver, which are asked only if they are on loopback."""

    refuse: ClassVar[Callable[[str], None]]

    def group_of(self, question: Question) -> Group:
        group = super().group_of(question)
        for server in group.all:
            if not server.address.is_loopback:
                type(self).refuse(f"a query to {server.name} for {question.qname!r}")
        return group


def guard_servers(refuse: Callable[[str], None]) -> Switch:
    """Call `refuse` with what would be asked of whom beyond loopback, until `undo()` of what is returned."""
    GuardedServers.refuse = staticmethod(refuse)
    return Switch([Place(resolver, "Servers", GuardedServers)])
