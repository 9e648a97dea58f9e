"""Tells gdns that gevent has patched the standard library; does nothing unless the program wants gdns.

gevent imports this for its entry point `gevent.plugins.monkey.did_patch_builtins` wherever gdns is installed.
That may be before pytest, which would then warn of what it cannot rewrite: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any


def did_patch_builtins(event: Any) -> None:
    """Act on GDNS_AUTO=1, GDNS_WATCH=1 or `monkey.patch_all(gdns=True)`; keep `gdns.patch_socket()` in force.

    `patch_all(gdns=False)` counts more than GDNS_AUTO. Where GEVENT_RESOLVER names gdns it is loaded now,
    which takes some 20 ms: else gevent would load it in the first look-up, and every greenlet wait.
    """
    wish = event.patch_all_kwargs.get("gdns")
    if wish or (wish is None and _is_set("GDNS_AUTO")):
        import gdns.gevent

        gdns.gevent.install()
        arguments = event.patch_all_arguments
        if arguments.get("socket", True) and arguments.get("dns", True):
            gdns.patch_socket()
    elif "gdns.gevent." in os.environ.get("GEVENT_RESOLVER", ""):
        with suppress(ImportError):  # it is for gevent to say so, or to take the next in the list
            import gdns.gevent
    if _is_set("GDNS_WATCH"):
        import gdns  # which looks at GDNS_WATCH itself
    if "gdns.patch" in sys.modules:
        sys.modules["gdns.patch"].renew()


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")
