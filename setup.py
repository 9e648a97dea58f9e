"""The extension modules; everything else is in pyproject.toml."""

import os
import sys

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup

# Elsewhere, or where it is asked for, gdns is installed without them: the system resolves
HAS_EXTENSIONS = sys.platform == "linux" and os.environ.get("GDNS_EXTENSIONS", "") != "0"

SANITIZE = os.environ.get("GDNS_SANITIZE", "")  # e.g. "address,undefined": see CONTRIBUTING

flags = ["-O2", "-g", "-fvisibility=hidden"]
link_flags = []
if SANITIZE:
    flags = ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={SANITIZE}"]
    flags += ["--param=asan-stack=0"]  # greenlet copies whole stacks, red zones and all
    link_flags = [f"-fsanitize={SANITIZE}"]
if os.environ.get("GDNS_COVERAGE"):  # counts which lines ran: .ci/coverage builds a copy of the tree so
    flags = ["-O0", "-g", "--coverage"]
    link_flags = ["--coverage", "-Wl,-u,__gcov_dump"]  # to be called where a process ends by _exit


def extension(module: str, suffix: str) -> Extension:
    return Extension(
        "gdns." + module.replace("/", "."),
        [f"gdns/{module}.{suffix}"],
        extra_compile_args=flags,
        extra_link_args=link_flags,
        libraries=["dl"],
    )


# Policy is Python; on the path of every lookup it is also compiled, with the types that its .pxd names.
COMPILED = (
    "outcome",
    "deadlines",
    "servers",
    "hubs/waiter",
    "hubs/gevent",
    "hubs/choice",
    "cache",
    "counters",
    "hooks",
    "flight",
    "turns",
    "stub",
    "pace",
    "many",
    "names",
    "entries",
    "nss_modules",
    "nss_dns",
    "nss",
    "hosts",
    "ordering",
    "sources",
    "forward",
    "arguments",
    "netdb",
    "config",
    "ready",
    "engines",
    "front",
)

MODULES = (
    "_clock",
    "_dicts",
    "_wire",
    "_addresses",
    "_rows",
    "_routes",
    "_sockets",
    "_libcares",
    "_links",
    "_ares",
    "_datagram",
    "_ndjson",
)

# Cython allows this mark for classes in its own syntax alone, though it means the same for ours
Options.directive_scopes["no_gc"] += ("class",)

jobs = os.cpu_count() or 1
setup(
    ext_modules=HAS_EXTENSIONS
    and cythonize(
        [extension(module, "pyx") for module in MODULES] + [extension(module, "py") for module in COMPILED],
        build_dir="build/cython",
        nthreads=jobs,
        compiler_directives={
            "language_level": 3,
            "embedsignature": True,
            "binding": False,
            "annotation_typing": False,
            "freethreading_compatible": True,  # docs/explanation/threads.md says why
        },
    ),
    options={"build_ext": {"parallel": jobs}},
)
