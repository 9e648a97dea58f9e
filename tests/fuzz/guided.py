"""Coverage-guided fuzzing of the reply reader: mutate what reached new code, keep what reaches more.

gdns._wire is compiled anew with gcc's -fsanitize-coverage=trace-pc, next to a few lines of C that count the
edges taken. No other tool is needed.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "fuzz"
EDGES = 1 << 16
COUNTER = """
#include <stdint.h>
uint8_t gdns_edges[65536];
static uintptr_t last;
void gdns_begin(void) { last = 0; __builtin_memset(gdns_edges, 0, sizeof gdns_edges); }
void __sanitizer_cov_trace_pc(void) {
    uintptr_t here = (uintptr_t)__builtin_return_address(0);
    uint8_t *edge = &gdns_edges[(here ^ (last << 5) ^ (last >> 7)) & 65535];
    if (*edge < 255) ++*edge;
    last = here;
}
static const uint8_t classes[9] = {0, 1, 2, 4, 8, 16, 32, 64, 128};
/* how much of `seen` is new; adds it */
int gdns_end(uint8_t *seen) {
    int news = 0;
    for (int i = 0; i < 65536; i++) {
        if (!gdns_edges[i]) continue;
        int size = gdns_edges[i], log = 0;
        while (size) { log++; size >>= 1; }
        uint8_t bit = classes[log];
        if (!(seen[i] & bit)) { news += seen[i] ? 1 : 100; seen[i] |= bit; }
    }
    return news;
}
"""


class Counter:
    """The edges of the instrumented module."""

    def __init__(self) -> None:
        """Build it, and put it in the place of gdns._wire. Raises CalledProcessError without a compiler."""
        BUILD.mkdir(parents=True, exist_ok=True)
        (BUILD / "counter.c").write_text(COUNTER)
        run = ["gcc", "-shared", "-fPIC", "-O2", "-g"]
        subprocess.run([*run, "-o", BUILD / "counter.so", BUILD / "counter.c"], check=True)
        self._library = ctypes.CDLL(str(BUILD / "counter.so"), ctypes.RTLD_GLOBAL)
        subprocess.run(
            [sys.executable, "-m", "cython", "-3", ROOT / "gdns" / "_wire.pyx", "-o", BUILD / "_wire.c"],
            check=True,
        )
        name = BUILD / f"_wire{sysconfig.get_config_var('EXT_SUFFIX')}"
        include = f"-I{sysconfig.get_path('include')}"
        subprocess.run(
            [*run, "-w", "-fsanitize-coverage=trace-pc", include, "-o", name, BUILD / "_wire.c"], check=True
        )
        assert "gdns._wire" not in sys.modules, "it has been imported as it is installed"
        spec = importlib.util.spec_from_file_location(
            "gdns._wire", name, loader=importlib.machinery.ExtensionFileLoader("gdns._wire", str(name))
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["gdns._wire"] = module
        spec.loader.exec_module(module)
        self._seen = (ctypes.c_uint8 * EDGES)()

    def begin(self) -> None:
        """Count from here."""
        self._library.gdns_begin()

    def news(self) -> int:
        """How much was reached since `begin` that never was before."""
        return int(self._library.gdns_end(self._seen))

    @property
    def edges(self) -> int:
        """How many edges were ever taken."""
        return sum(map(bool, self._seen))


def mutate(octets: bytes, others: list[bytes], random: Random) -> bytes:
    """Another input, not far from this one."""
    made = bytearray(octets)
    for _ in range(random.choice((1, 1, 1, 2, 2, 4, 8))):
        at = random.randrange(len(made) + 1)
        match random.randrange(10):
            case 0 if made:
                made[at - 1] ^= 1 << random.randrange(8)
            case 1 if made:
                made[at - 1] = random.choice((0, 1, 0x0C, 63, 64, 0x7F, 0x80, 0xC0, 0xFF))
            case 2:
                made[at : at + 2] = random.choice((0, 1, 4, 5, 12, 16, 28, 41, 0xC00C, 0xFFFF)).to_bytes(2)
            case 3:
                del made[at : at + random.choice((1, 2, 4, 12))]
            case 4:
                made[at:at] = random.randbytes(random.choice((1, 2, 4, 12)))
            case 5:
                end = at + random.randrange(1, 40)
                made[at:at] = made[at:end]  # a record once more, with luck
            case 6:
                other = random.choice(others)
                begin = random.randrange(len(other) + 1)
                made[at:] = other[begin:]
            case 7:
                other = random.choice(others)
                begin = random.randrange(len(other) + 1)
                made[at:at] = other[begin : begin + random.randrange(1, 60)]
            case 8 if len(made) > 13:
                made[random.choice((3, 4, 6, 8, 10, 12))] = random.choice((0, 1, 2, 3, 0x80, 0x84))
            case _:
                del made[at:]
    return bytes(made[:70_000])


def fuzz(seconds: float, seed: int) -> int:
    """Run for so long; the number of inputs tried. Raises what the reader got wrong, its input in a note."""
    counter = Counter()
    from tests.fuzz.targets import check_reply, seeds  # only now: it imports gdns._wire

    random = Random(seed)
    corpus: list[bytes] = []
    tried = 0
    # instrumented module or not, a run that sees no edge proves nothing
    for octets in seeds():
        counter.begin()
        check_reply(octets)
        if counter.news():
            corpus.append(octets)
    assert counter.edges > 300, f"only {counter.edges} edges were seen: is _wire instrumented?"
    print(f"{len(corpus)} seeds reach {counter.edges} edges", flush=True)
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        octets = mutate(random.choice(corpus), corpus, random)
        (BUILD / "last").write_bytes(octets)  # what to look at if the process dies
        counter.begin()
        try:
            check_reply(octets)
        except BaseException as error:
            error.add_note(f"input: {octets.hex()}")
            raise
        tried += 1
        if counter.news():
            corpus.append(octets)
    print(f"{tried} inputs in {seconds:g} s: {len(corpus)} reach {counter.edges} edges", flush=True)
    (BUILD / "corpus.hex").write_text("\n".join(sorted({octets.hex() for octets in corpus}, key=len)) + "\n")
    return tried
