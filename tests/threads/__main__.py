"""The storms of threads, on each hub that there is: python -m tests.threads [--seed 7] [--rounds 60]"""

import argparse
import importlib.util
import os
import sys
import time

from tests.threads import storm


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.threads")
    arguments.add_argument("kinds", nargs="*")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=60)
    chosen = arguments.parse_args()
    kinds = chosen.kinds or [kind for kind in ("native", "gevent") if kind == "native" or _has_gevent()]
    sys.setswitchinterval(1e-6)
    for kind in kinds:
        began_at = time.process_time()
        files = len(os.listdir("/proc/self/fd"))
        wrong = storm.storm(kind, chosen.rounds, chosen.seed)
        wrong += storm.closing(kind, max(2, chosen.rounds // 10))
        left = len(os.listdir("/proc/self/fd")) - files
        spent = time.process_time() - began_at
        print(f"{kind}: {wrong or 'all is well'}, {left} descriptors more, {spent:.1f} s of CPU")
        if wrong:
            return 1
    return 0


def _has_gevent() -> bool:
    return importlib.util.find_spec("gevent") is not None


if __name__ == "__main__":
    sys.exit(main())
