"""What a resolver has on one hub, in one thread, and everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

from gdns._ares import AUTHENTIC_DATA, USE_0X20, USE_EDNS, USE_TCP
from gdns.counters import Tally
from gdns.hooks import Hooks
from gdns.nss import Nss
from gdns.overrides import PROCESS, Overrides
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
from gdns.threads import QuietLock, local_base

if TYPE_CHECKING:
    from gdns.approval import AddressPolicy
    from gdns.cache import Cache
    from gdns.config import Settings
    from gdns.counters import Counters
    from gdns.hubs import Hub
    from gdns.ready import Results

all_stubs: WeakSet[Stub] = WeakSet()
all_shared: WeakSet[Shared] = WeakSet()


class Upstreams(NamedTuple):
    """Whom a resolver was told to ask; replaced as a whole, so that no thread sees half of a change."""

    addresses: Sequence[ServerAddress] | None
    """None for resolv.conf's."""
    domains: Mapping[bytes, Sequence[ServerAddress]]


class Shared:
    """What the engines of a resolver have in common, whatever their threads and hubs.

    `lock` is held while one of these is replaced that another thread may replace at the same time, and while
    an engine is made.
    """

    __slots__ = (
        "cache",
        "prefetches",
        "tally",
        "hooks",
        "lock",
        "upstreams",
        "asked",
        "is_idna2008",
        "overrides",
        "policy",
        "use_0x20",
        "__weakref__",
    )

    def __init__(
        self,
        cache: Cache | None,
        prefetches: bool,
        upstreams: Upstreams,
        is_idna2008: bool,
        policy: AddressPolicy | None,
        use_0x20: bool,
    ) -> None:
        self.use_0x20 = use_0x20
        self.is_idna2008 = is_idna2008
        self.policy = policy
        self.overrides = Overrides(PROCESS, is_idna2008)
        self.cache = cache
        self.prefetches = prefetches
        self.tally = Tally()
        self.hooks = Hooks()
        self.lock = QuietLock()
        self.upstreams = upstreams
        self.asked: object = None  # the servers that the cache's content comes from
        all_shared.add(self)


class Here:
    """What a resolver has in one thread."""

    __slots__ = ("engine", "results", "token", "counters")

    def __init__(self, tally: Tally) -> None:
        self.engine: Engine | None = None
        self.results: Results | None = None  # of that engine's
        self.token = Token()
        self.counters = tally.open(self.token)


class OfThread(local_base()):  # type: ignore[misc]
    """Where each thread finds what is its own: one attribute, for each costs as much as a cache hit."""

    def __init__(self, tally: Tally) -> None:
        self.here = Here(tally)


class Token:
    """Goes with the thread that has it."""

    __slots__ = ("__weakref__",)


class Engine:
    """What a resolver has on one hub: the stub that asks, and the sources of names in front of it."""

    __slots__ = ("hub", "system", "settings", "stub", "nss", "lifetime", "upstreams", "is_idna2008")

    def __init__(
        self,
        hub: Hub,
        system: Settings,
        settings: Settings,
        servers: Servers,
        lifetime: float | None,
        shared: Shared,
        counters: Counters,
    ) -> None:
        resolv_conf = settings.resolv_conf
        wishes = (
            (USE_EDNS if resolv_conf.edns0 else 0)
            | (AUTHENTIC_DATA if resolv_conf.trust_ad else 0)
            | (USE_TCP if resolv_conf.use_vc else 0)
            | (USE_0X20 if shared.use_0x20 else 0)
        )
        self.hub = hub
        self.system = system  # the snapshot that this engine was made from
        self.settings = settings
        self.lifetime = lifetime
        self.upstreams = shared.upstreams
        self.is_idna2008 = shared.is_idna2008
        self.stub = Stub(
            hub,
            servers,
            timeout=resolv_conf.timeout,
            attempts=resolv_conf.attempts,
            wishes=wishes,
            cache=shared.cache,
            prefetches=shared.prefetches,
            counters=counters,
            hooks=shared.hooks,
        )
        if lifetime is not None:
            self.stub.longest = lifetime
        self.nss = Nss(
            self.stub,
            settings,
            lifetime,
            is_idna2008=shared.is_idna2008,
            overrides=shared.overrides,
            policy=shared.policy,
            keeps_results=True,
        )
        all_stubs.add(self.stub)
