"""Says which versions of what are at work."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from gdns._version import __version__

PACKAGES = ("greenlet", "gevent", "eventlet", "dnspython", "pycares")


def installed(package: str) -> str | None:
    """The version of a package that is installed, imported or not; None for one that is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def cares() -> tuple[str, str]:
    """The version of the c-ares in use, with its file. Raises ImportError where there is none."""
    from gdns import _libcares

    return _libcares.version(), _libcares.library_file()


def text() -> str:
    """What --version prints."""
    try:
        number, file = cares()
        library = f"c-ares {number} from {file}"
    except ImportError as error:
        library = f"no c-ares: {error}"
    packages = [f"{package} {installed(package) or 'not installed'}" for package in PACKAGES]
    python = f"Python {platform.python_version()} ({platform.python_implementation()})"
    return f"gdns {__version__}\n{library}\n{python}\n{', '.join(packages)}"
