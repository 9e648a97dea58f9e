"""Makes a server the one that a whole program asks, whatever it looks names up with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

_SCRIPT = """\
put() {
    [ -e "$2" ] || { echo "gdns.testing: there is no $2 to put another in the place of" >&2; exit 126; }
    file=$(mktemp) && printf '%s' "$1" >"$file" && chmod 644 "$file" && mount --bind "$file" "$2" &&
        rm "$file" || exit 126
}
put "$0" /etc/resolv.conf
[ ! -e /etc/nsswitch.conf ] || put "hosts: files dns
" /etc/nsswitch.conf
exec "$@"
"""


def resolv_conf(host: str, search: Iterable[str], options: Iterable[str]) -> str:
    """The text of a resolv.conf(5) with one server. Raises TypeError, ValueError for words it cannot hold."""
    lines = [f"nameserver {host}"]
    for keyword, words in (("search", _words(search)), ("options", _words(options))):
        lines += [f"{keyword} {' '.join(words)}"] if words else []
    return "".join(f"{line}\n" for line in lines)


def run_with(text: str, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` where that text is /etc/resolv.conf."""
    if isinstance(argv, str) or not argv:
        raise TypeError(f"a command is a list of a program and its arguments, not {argv!r}")
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    return [*unshare, "sh", "-c", _SCRIPT, text, *argv]


def _words(words: Iterable[str]) -> list[str]:
    if isinstance(words, str):
        raise TypeError(f"words come in a list, not as the single text {words!r}")
    words = list(words)
    for word in words:
        if not word or word.split() != [word]:
            raise ValueError(f"{word!r} is not one word")
    return words
