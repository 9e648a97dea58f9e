"""Asks the user's policy which addresses of a host may be handed out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from gdns.errors import AddressRefused

if TYPE_CHECKING:
    from gdns.netdb import AddrInfo

# A host as it was asked for, one of its addresses as inet_ntop(3) writes it, perhaps with `%` and the number
# of an interface: may it be used?
AddressPolicy = Callable[[str, str], bool]


def check_policy(policy: AddressPolicy | None) -> AddressPolicy | None:
    """The policy. Raises TypeError for what cannot be one."""
    if policy is not None and not callable(policy):
        raise TypeError(
            f"policy: expected a function of a host and an address, or None, not {type(policy).__name__}"
        )
    return policy


def is_approved(policy: AddressPolicy, host: str, address: str) -> bool:
    """What the policy says of one address. Raises what it raises; TypeError if it says neither yes nor no."""
    verdict = policy(host, address)
    if verdict is True or verdict is False:
        return verdict
    # None may be a forgotten `return`, a coroutine a forgotten `await`, which would pass for yes
    raise TypeError(f"policy: expected True or False of it for {address}, not {type(verdict).__name__}")


def approved(policy: AddressPolicy, host: str | None, addresses: Iterable[str]) -> tuple[str, ...]:
    """The addresses that the policy approves, each asked about once, in the calling greenlet.

    Raises AddressRefused if there are addresses and none is approved; else as `is_approved`.
    """
    verdicts: dict[str, bool] = {}
    addresses = tuple(addresses)
    for address in addresses:
        if address not in verdicts:
            verdicts[address] = is_approved(policy, host or "", address)
    if addresses and True not in verdicts.values():
        raise AddressRefused(host or "", tuple(verdicts))
    return tuple(address for address in addresses if verdicts[address])


def approved_infos(policy: AddressPolicy, host: str | None, infos: list[AddrInfo]) -> list[AddrInfo]:
    """The tuples of getaddrinfo(3) that the policy approves; the first of them has the canonical name."""
    left = set(approved(policy, host, (str(info[4][0]) for info in infos)))
    kept = [info for info in infos if info[4][0] in left]
    if kept and infos[0][3]:
        kept[0] = (*kept[0][:3], infos[0][3], kept[0][4])
    return kept
