"""A host's addresses, an address's names, from the sources that nsswitch.conf(5) lists."""

from __future__ import annotations

import _socket
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from socket import AF_INET, AF_INET6, AF_UNSPEC, gethostname, inet_pton
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar, cast

from gdns import libc
from gdns.entries import Failure, Foreign, HostEntry, Miss
from gdns.errors import (
    EAI_AGAIN,
    EAI_NODATA,
    EAI_NONAME,
    EAI_OF,
    EAI_SYSTEM,
    HOST_NOT_FOUND,
    NETDB_INTERNAL,
    NO_DATA,
    NO_RECOVERY,
    TRY_AGAIN,
)
from gdns.hosts import HostsFile
from gdns.names import LOOPBACK, LOOPBACK_IPV4, SpecialUse, from_octets, is_hostname, is_ordinary, special_use
from gdns.nss_dns import Dns
from gdns.nss_modules import Source, Step, steps
from gdns.nsswitch import Action, Status
from gdns.ordering import Policy, Verdict, arranged, deciding_rule
from gdns.outcome import Outcome
from gdns.overrides import PROCESS, Overridden, Overrides
from gdns.ready import NO_PORT, NOT_KEPT, Results, port_key
from gdns.services import Services
from gdns.sources import Sources
from gdns.threads import local_base

if TYPE_CHECKING:
    from gdns.approval import AddressPolicy
    from gdns.cache import Lease
    from gdns.config import Settings
    from gdns.stub import Stub
    from gdns.trace import Recorder

T = TypeVar("T")

FILES: Final = Source.FILES
DNS: Final = Source.DNS
MISSING: Final = Source.MISSING
RETURN: Final = Action.RETURN
# as plain numbers, which compiled code takes as such
_SUCCESS: Final = int(Status.SUCCESS)
_UNAVAIL: Final = int(Status.UNAVAIL)
_ANY_FAMILY: Final = int(AF_UNSPEC)
_IPV4: Final = int(AF_INET)
_IPV6: Final = int(AF_INET6)

_NOT_FOUND = Miss(Status.NOTFOUND, HOST_NOT_FOUND)
_UNAVAILABLE = Miss(Status.UNAVAIL, NO_RECOVERY)
_NO_FILE = Miss(Status.UNAVAIL, HOST_NOT_FOUND)
_NO_FILE_UNSAID = Miss(Status.UNAVAIL, HOST_NOT_FOUND)  # h_errno stays as it was
_NOT_INSTALLED = Miss(Status.UNAVAIL, NETDB_INTERNAL)


class Files:
    """What is read of the system beside its settings; for the use of one thread."""

    __slots__ = ("hosts", "services", "sources")

    def __init__(
        self,
        hosts: HostsFile | None = None,
        services: Services | None = None,
        sources: Sources | None = None,
    ) -> None:
        self.hosts = hosts or HostsFile()
        self.services = services or Services()
        self.sources = sources or Sources()


class _Thread(local_base()):  # type: ignore[misc]
    """What belongs to one thread; not to one greenlet, as threading.local may have come to mean."""

    def __init__(self) -> None:
        self.files = Files()


_thread = _Thread()


class Nss:
    """The sources of names behind the functions of netdb.h, for one stub.

    `settings` are what the system's files say, with what the caller put over it. `lifetime` caps a look-up,
    in seconds, where the call itself does not. `files` are the calling thread's, unless given. `is_idna2008`
    says how names beyond ASCII are encoded. `overrides` are asked before all sources. `policy`
    (`gdns.policy`) is for those who hand addresses out. With `keeps_results`, results are kept as they are
    handed out, as far as nobody needs to see the calls.
    """

    def __init__(
        self,
        stub: Stub,
        settings: Settings,
        lifetime: float | None = None,
        files: Files | None = None,
        is_idna2008: bool = False,
        overrides: Overrides = PROCESS,
        policy: AddressPolicy | None = None,
        keeps_results: bool = False,
    ) -> None:
        self.overrides = overrides
        self.policy = policy
        self.eager: Nss | None = None  # made by `gdns.eager`, for those who can begin with half of an answer
        self.stub = stub
        self.settings = settings
        self.is_idna2008 = is_idna2008
        self.lifetime = lifetime
        self._steps = steps(settings.nsswitch.hosts, settings.resolv_conf)
        self._dns = Dns(stub, settings.resolv_conf)
        files = files or _thread.files
        self._hosts = files.hosts
        self._hosts.multi = settings.host_conf.multi
        self.services = files.services
        self.sources = files.sources
        self._has_aliases = "HOSTALIASES" in os.environ  # hostname(7)
        self._local_domain: str | None = None
        self._policy = Policy(settings.gai_conf)
        self.recorder: Recorder | None = None
        self.results: Results | None = None
        needs_no_call = policy is None and stub.cache is not None and not stub.prefetches
        if keeps_results and needs_no_call and self._is_usual_order():
            self.results = Results(stub, self._hosts, self.sources, overrides)

    def _is_usual_order(self) -> bool:
        """Whether the hosts file comes first, then DNS at most once, and what is found first counts."""
        return (
            self._steps[0].source is FILES
            and all(step.actions[_SUCCESS] is RETURN for step in self._steps)
            and sum(step.source is DNS for step in self._steps) <= 1
            and self._hosts.clock is self.sources.clock
        )

    def is_lasting(self, found: HostEntry) -> bool:
        """Whether what is made of this may be kept: it is known already, and by no override."""
        if self.results is None:
            return False
        origin = found.origin
        if isinstance(origin, Outcome):
            outcome: Outcome = origin
            return outcome.from_cache
        return not isinstance(origin, Overridden)

    def keep(
        self,
        host: object,
        port: object,
        key: int,
        name: str,
        family: int,
        found: HostEntry,
        result: object,
        is_ordered: bool,
        octets: int,
    ) -> None:
        """Keep a result for who asks again with the same arguments (`Results`), of what `is_lasting`.

        It was made of what was `found` for the name and the family, which may be others than those asked
        for. `is_ordered` says that source addresses were asked for, `octets` about what the result takes.
        """
        number = port_key(port)
        if self.results is None or key == NOT_KEPT or number < NO_PORT:
            return
        if type(host) is not str or "%" in host:  # an interface's number may change
            return
        origin = found.origin
        leases: tuple[Lease, ...] | None = ()
        if isinstance(origin, Outcome):
            leases = self._dns.leases(name, family, origin, found.addresses)
        if leases is not None:
            self.results.keep(host, number, key, result, leases, is_ordered, octets)

    def recorded_by(self, recorder: Recorder) -> Nss:
        """The same sources, but that `recorder` asks DNS, and is told what each of them said."""
        nss = self.over(cast("Stub", recorder), self.policy)
        nss.recorder = recorder
        return nss

    def over(self, stub: Stub, policy: AddressPolicy | None) -> Nss:
        """The same sources, but that `stub` asks DNS, and for those who have that policy."""
        files = Files(self._hosts, self.services, self.sources)
        return Nss(stub, self.settings, self.lifetime, files, self.is_idna2008, self.overrides, policy)

    def ends_at(self, lifetime: float | None = None) -> float | None:
        """The moment of `time.monotonic` at which a look-up that begins now has to end, None for never."""
        if lifetime is None:
            lifetime = self.lifetime
        return None if lifetime is None else monotonic() + lifetime

    def host_addresses(
        self,
        name: str,
        family: int,
        ends_at: float | None = None,
        port: int = 0,
        is_canonical: bool = False,
        is_mapped: bool = False,
        wants_all: bool = False,
    ) -> HostEntry | Failure | Foreign:
        """The addresses of a name in the order of its source (getaddrinfo(3), before any sorting).

        `family` is AF_UNSPEC, AF_INET or AF_INET6. `name` is no address; octets beyond ASCII are as
        `os.fsdecode` gives them. `is_canonical` says that the canonical name is wanted: glibc then also asks
        for names that no host can have. `is_mapped` and `wants_all` are AI_V4MAPPED and AI_ALL of AF_INET6.
        `port` is what the addresses are wanted for, 0 for none: an override may be for one port alone.
        """
        if self.overrides.table:
            given = self.overrides.find(name, port, family, is_mapped, wants_all)
            if given is not None:
                return given
        # gethostbyname2_r: a way of its own through the sources
        is_plain = family == _IPV4 and not is_canonical
        if is_plain and _looks_numeric(name):
            return Failure(EAI_NONAME, HOST_NOT_FOUND)
        is_checked = family == _ANY_FAMILY or not is_canonical
        found: HostEntry | None = None
        misses: tuple[Miss, ...] = ()
        for step in self._steps:
            if is_plain and step.source is MISSING:
                if step.actions[_UNAVAIL] is not Action.CONTINUE:
                    break
                continue
            if is_mapped:
                result = self._find_mapped(step, name, wants_all, is_checked, ends_at)
            else:
                result = self._find(step, name, family, is_checked, ends_at)
            if self.recorder is not None:
                self.recorder.note(step, result)
            if isinstance(result, HostEntry):
                if step.actions[_SUCCESS] is RETURN:
                    return result
                found = result
                continue
            if isinstance(result, Foreign):
                return result
            found = None
            misses += (result,)
            if step.actions[result.status] is RETURN:
                break
        return self._nothing(name, family, misses, is_plain) if found is None else found

    def _nothing(
        self, name: str, family: int, misses: tuple[Miss, ...], is_plain: bool
    ) -> HostEntry | Failure:
        """What is left to say where no source knows a name."""
        if special_use(name) is SpecialUse.LOOPBACK:
            if self._hosts.addresses(name) is None:
                return HostEntry(LOOPBACK[family], name)
            hit = self._hosts.addresses(name, family)
            if hit is not None:
                return HostEntry(hit.addresses, hit)
        return _failure(_last_miss(misses), misses, is_plain)

    def _find(
        self, step: Step, name: str, family: int, is_checked: bool, ends_at: float | None
    ) -> HostEntry | Miss | Foreign:
        """Ask one source. `is_checked` says that it is asked for names of hosts only."""
        if step.source is FILES:
            return self._find_in_files(name, family)
        if step.source is DNS and step.is_dns and is_ordinary(name) and not self._has_aliases:
            if family == _ANY_FAMILY:
                return self._dns.addresses(name, ends_at)
            return self._dns.addresses_of_family(name, family == _IPV6, ends_at)
        return self._find_elsewhere(step, name, family, is_checked, ends_at)

    def _find_in_files(self, name: str, family: int) -> HostEntry | Miss:
        hit = self._hosts.addresses(name, family)
        if hit is not None:
            return HostEntry(hit.addresses, hit)
        if not self._hosts.is_missing:
            return _NOT_FOUND
        return _NO_FILE if family == _ANY_FAMILY else _NO_FILE_UNSAID

    def _find_elsewhere(
        self, step: Step, name: str, family: int, is_checked: bool, ends_at: float | None
    ) -> HostEntry | Miss | Foreign:
        """As `_find`, for names and sources of all kinds."""
        if not name:
            return Foreign("only the system knows what its search list makes of no name at all")
        is_ordinary_name = is_ordinary(name)
        if not is_ordinary_name and special_use(name) is not None:
            return _NOT_FOUND
        if step.source is DNS and (step.is_dns or not step.owns(name)):
            if not is_ordinary_name and not is_hostname(name):
                return _NOT_FOUND if is_checked else self._ask_in_vain(name, family, ends_at)
            if self._has_aliases and "." not in name:
                return Foreign(f"the file that HOSTALIASES names may have another name for {name}")
            if family == _ANY_FAMILY:
                return self._dns.addresses(name, ends_at)
            return self._dns.addresses_of_family(name, family == _IPV6, ends_at)
        if step.source is Source.MISSING:
            return _NOT_INSTALLED
        if step.source is Source.UNAVAILABLE:
            return _UNAVAILABLE
        return Foreign(f"{step.name} may know {name}") if step.owns(name) else _passed_over(step)

    def _ask_in_vain(self, name: str, family: int, ends_at: float | None) -> Miss:
        """Ask DNS for what is no host name: glibc sends the question, and takes no answer to it."""
        question = name if name.isascii() else from_octets(os.fsencode(name))
        found = self._dns.addresses_of_family(question, family == AF_INET6, ends_at)
        return found if isinstance(found, Miss) else _NOT_FOUND

    def _find_mapped(
        self, step: Step, name: str, wants_all: bool, is_checked: bool, ends_at: float | None
    ) -> HostEntry | Miss | Foreign:
        """Ask one source for IPv6, and if it has none, or with `wants_all`, for IPv4 mapped into it."""
        found = self._find(step, name, AF_INET6, is_checked, ends_at)
        if isinstance(found, HostEntry) and not wants_all:
            native = tuple(address for address in found.addresses if not address.startswith("::ffff:"))
            return HostEntry(native, found.origin)
        if isinstance(found, Foreign):
            return found
        other = self._find(step, name, AF_INET, is_checked, ends_at)
        if isinstance(other, Foreign):
            return other
        if isinstance(other, HostEntry):
            mapped = tuple("::ffff:" + address for address in other.addresses)
            if isinstance(found, HostEntry):
                return HostEntry(found.addresses + mapped, found.origin)
            return HostEntry(mapped, other.origin)
        return found if isinstance(found, HostEntry) else _joint_miss(found, other)

    def in_order(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """The addresses, most promising first (RFC 6724, gai.conf(5))."""
        if len(addresses) < 2:
            return tuple(addresses)
        return tuple(arranged(addresses, self._verdicts(addresses)))

    def _verdicts(self, addresses: Sequence[str]) -> list[Verdict]:
        return [self._policy.judge(address, self.sources.source_of(address)) for address in addresses]

    def reasons_of_order(self, addresses: Sequence[str]) -> list[tuple[int, str]]:
        """Why each of these, which are in order, comes before the next: rule of RFC 6724, and its words."""
        return [deciding_rule(one, two) for one, two in pairwise(self._verdicts(addresses))]

    @property
    def hosts_path(self) -> str:
        """Where the hosts file is."""
        return self._hosts.path

    def ordered(self, found: HostEntry) -> tuple[str, ...]:
        """The addresses of a host, most promising first; those given by the user stay as they are."""
        addresses = found.addresses
        if len(addresses) < 2 or isinstance(found.origin, Overridden):
            return addresses
        return self.in_order(addresses)

    def ask_system(self, ends_at: float | None, function: Callable[..., T], *arguments: object) -> T:
        """Let the system's own resolver answer: call a function of `_socket` in a thread.

        Raises what it raises, as GaiError and HostError.
        """
        lifetime = None if ends_at is None else ends_at - monotonic()
        return libc.ask(self.stub, lifetime, function, *arguments)

    def local_domain(self) -> str:
        """The domain that NI_NOFQDN strips: as glibc, that of localhost's names, or of this host's."""
        if self._local_domain is None:
            self._local_domain = self._find_local_domain()
        return self._local_domain

    def _find_local_domain(self) -> str:
        ends_at = self.ends_at()
        host = gethostname()
        names = [self._official_name("localhost", ends_at), host]
        if "." not in names[0] and "." not in host:
            names += [self._official_name(host, ends_at), self._name_of_loopback(ends_at)]
        return next((name.partition(".")[2] for name in names if "." in name), "")

    def _official_name(self, name: str, ends_at: float | None) -> str:
        found = self.host_addresses(name, AF_INET, ends_at)
        if isinstance(found, Foreign):
            with suppress(OSError):
                return self.ask_system(ends_at, _socket.gethostbyname_ex, name)[0]
        return found.names()[0] if isinstance(found, HostEntry) else ""

    def _name_of_loopback(self, ends_at: float | None) -> str:
        found = self.address_names(LOOPBACK_IPV4, inet_pton(AF_INET, LOOPBACK_IPV4), ends_at)
        if isinstance(found, Foreign):
            with suppress(OSError):
                return self.ask_system(ends_at, _socket.gethostbyaddr, LOOPBACK_IPV4)[0]
        return found.names()[0] if isinstance(found, HostEntry) else ""

    def address_names(
        self, address: str, packed: bytes, ends_at: float | None = None
    ) -> HostEntry | Miss | Foreign:
        """The names of an address, given as inet_ntop(3) writes it and in octets (gethostbyaddr(3))."""
        if packed == bytes(16):
            return _NOT_FOUND
        found: HostEntry | Miss = _NOT_INSTALLED
        misses: tuple[Miss, ...] = ()
        for step in self._steps:
            if step.source is FILES:
                hit = self._hosts.names(packed)
                if hit is not None:
                    found = HostEntry(hit.addresses, hit)
                else:
                    found = _NO_FILE_UNSAID if self._hosts.is_missing else _NOT_FOUND
            elif step.source is DNS:
                found = self._dns.name(address, ends_at)
            elif step.source is Source.MISSING:
                if step.actions[_UNAVAIL] is not Action.CONTINUE:
                    break
                continue
            elif step.source is Source.UNAVAILABLE:
                found = _UNAVAILABLE
            elif step.owns_address(packed):
                return Foreign(f"{step.name} may know {address}")
            else:
                found = _passed_over(step)
            if isinstance(found, Miss):
                misses += (found,)
            if step.actions[found.status] is RETURN:
                break
        return found if isinstance(found, HostEntry) else _last_miss(misses)


def _passed_over(step: Step) -> Miss:
    """What a module says that does not know what it is asked: `mdns4_minimal [NOTFOUND=return]` is no end."""
    return _UNAVAILABLE if step.name.startswith("mdns") else _NOT_FOUND


def _looks_numeric(name: str) -> bool:
    """Whether gethostbyname(3) takes a name for a malformed address, which it asks nobody about."""
    if not name:
        return False
    first = name[0]
    if "0" <= first <= "9":
        return name[-1] != "." and not name.strip("0123456789.")
    return first == ":" or (first in "abcdefABCDEF" and ":" in name)


def _joint_miss(ipv6: Miss, ipv4: Miss) -> Miss:
    """What two misses of one source mean together."""
    status = ipv4.status
    if ipv6.status is Status.TRYAGAIN or status is Status.UNAVAIL:
        status = ipv6.status
    if NETDB_INTERNAL in (ipv6.herrno, ipv4.herrno):
        herrno = NETDB_INTERNAL
    elif {ipv6.herrno, ipv4.herrno} <= {TRY_AGAIN, NO_DATA}:
        herrno = ipv6.herrno if ipv6.herrno == ipv4.herrno else NO_DATA
    else:
        herrno = HOST_NOT_FOUND
    doubt = ipv4 if ipv6.is_certain else ipv6
    return Miss(status, herrno, doubt.outcome, doubt.is_certain)


def _last_miss(misses: tuple[Miss, ...]) -> Miss:
    """The last of the sources' misses, with what those before it have left behind."""
    if not misses:
        return _NOT_INSTALLED
    last = misses[-1]
    herrno = misses[-2].herrno if last is _NO_FILE_UNSAID and len(misses) > 1 else last.herrno
    asked = next((miss for miss in reversed(misses) if miss.outcome is not None), last)
    return Miss(last.status, herrno, asked.outcome, last.is_certain, asked.herrno)


def _failure(miss: Miss, misses: tuple[Miss, ...], is_plain: bool) -> Failure:
    """The number of getaddrinfo(3) for the last source's miss.

    That there is no such name, or that it has no address, is only said if every source was certain of it.
    """
    if miss.herrno == NETDB_INTERNAL:
        return Failure(EAI_SYSTEM, NETDB_INTERNAL)
    if is_plain and miss.status is Status.NOTFOUND:
        eai = EAI_NODATA if miss.herrno == NO_DATA else EAI_NONAME
    elif miss.herrno == TRY_AGAIN:
        eai = EAI_AGAIN
    elif is_plain or miss.herrno == NO_DATA:
        eai = EAI_NODATA
    else:
        eai = EAI_NONAME
    if eai != EAI_AGAIN:
        for doubt in misses:
            if not doubt.is_certain and doubt.outcome is not None:
                return Failure(EAI_OF[doubt.outcome.status], doubt.herrno, doubt.outcome)
    return Failure(eai, miss.h_errno, miss.outcome)
