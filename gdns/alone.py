"""What gdns is where its extension modules cannot be imported: the system's own resolver, on the hub."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdns.approval import AddressPolicy, check_policy
from gdns.errors import ConfigError
from gdns.logs import WARNING, log
from gdns.names import need_idna2008
from gdns.overrides import PROCESS, Addresses, Host, Overrides
from gdns.switch import Switch
from gdns.system import LibcFunctions, wants_libc
from gdns.threads import QuietLock

if TYPE_CHECKING:
    from gdns.hubs import Hub


def patch_dnspython() -> Switch:
    """As `gdns.dnspython.patch_dnspython`, where that cannot serve: dnspython is left as it is."""
    log("gdns", WARNING, "patch_dnspython: dnspython is left as it is, because %s", _missing)
    return Switch(())


class Resolver(LibcFunctions):
    """`gdns.Resolver` where the extension modules cannot be imported: it serves with the backend "libc".

    The settings are those of that class. What says whom to ask and what to keep is for gdns' own engine, and
    of no effect here; `backend="native"` raises ConfigError.
    """

    def __init__(
        self,
        nameservers: object = None,
        *,
        lifetime: float | None = None,
        backend: str = "auto",
        hub: Hub | None = None,
        policy: AddressPolicy | None = None,
        override: Mapping[Host, Addresses] | None = None,
        idna: int = 2003,
        **settings: object,
    ) -> None:
        wants_libc(backend)
        if backend == "native":
            raise ConfigError(f"backend: 'native' cannot serve: {_missing}")
        self._hub = hub
        self._lifetime = lifetime
        if idna == 2008:
            need_idna2008()
        self._begin(_missing, check_policy(policy), Overrides(PROCESS, idna == 2008))
        if override is not None:
            self._given.add(override)

    def create_connection(
        self,
        address: tuple[str | bytes | None, str | bytes | int | None],
        timeout: Any = socket._GLOBAL_DEFAULT_TIMEOUT,  # type: ignore[attr-defined]
        source_address: tuple[str, int] | None = None,
        *,
        all_errors: bool = False,
        attempt_delay: float = 0.25,
        resolution_delay: float = 0.05,
    ) -> socket.socket:
        """Connect to whichever address of a host answers first: see docs/how-to/connect.md."""
        from gdns import connect

        return connect.create_connection(
            self._finder(), address, timeout, source_address, all_errors, attempt_delay, resolution_delay
        )

    def flush(self, name: str | None = None) -> int:
        """Nothing is cached here: 0."""
        return 0

    def stats(self) -> dict[str, Any]:
        """Nothing is counted here: an empty dict."""
        return {}

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<gdns.Resolver of the system's own resolver{' (closed)' if self._has_ended else ''}>"


_missing = "gdns' extension modules cannot be imported"  # with the reason, once it is known


def serve_alone(reason: ImportError) -> None:
    """Say, once, that this backend serves because the extension modules cannot be imported."""
    global _missing
    if "(" in _missing:
        return
    _missing = f"{_missing} ({reason})"
    log("gdns", WARNING, "%s: the system's own resolver serves, and resolve() does not", _missing)


_default: Resolver | None = None


def default_resolver() -> Resolver:
    """The resolver behind the module's functions."""
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Resolver()
    return _default


_lock = QuietLock()
