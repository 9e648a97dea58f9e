"""Gives the calling process a network of its own, whose system resolver asks 127.0.0.1.

unshare(2), user_namespaces(7), mount_namespaces(7), network_namespaces(7). Nothing of it needs a privilege
where the system lets users make namespaces.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

_CLONE_NEWNS = 0x00020000  # linux/sched.h
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_MS_REC = 0x4000  # linux/mount.h
_MS_PRIVATE = 0x40000
_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_IFF_UP = 1  # linux/if.h

FILES = {
    "resolv.conf": "nameserver 127.0.0.1\n",
    "nsswitch.conf": "hosts: files dns\n",
    "hosts": "127.0.0.1 localhost\n",
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.unshare.argtypes = [ctypes.c_int]
_libc.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]


def enter() -> None:
    """Move into new user, network and mount namespaces, as root in them, with the loopback interface up.

    For a process with one thread. Raises OSError where that is refused.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWNS))
    except OSError as error:
        if error.errno == errno.ENOSPC:  # which has nothing to do with space here
            raise OSError(errno.ENOSPC, "the limit in /proc/sys/user is reached") from None
        raise
    Path("/proc/self/setgroups").write_text("deny")  # else gid_map is refused
    # root, so that a program run in here keeps the right to port 53
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))  # struct ifreq


def point_system_at_loopback() -> None:
    """Let the system's resolver read `FILES` instead of what is in /etc. Raises OSError.

    Everything else in /etc is out of sight from then on, so programs are better started before.
    """
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    # in place of the folder: resolv.conf itself may be missing, or a link to anywhere
    _check(_libc.mount(b"tmpfs", b"/etc", b"tmpfs", 0, None))
    for name, content in FILES.items():
        Path("/etc", name).write_text(content)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
