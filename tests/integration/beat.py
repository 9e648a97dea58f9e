"""For the programs under test: how long gevent's hub stood still."""

import time

import gevent


class Beat:
    """In a `with` statement, a greenlet takes a turn every millisecond; `longest` is the longest gap."""

    def __enter__(self):
        self.longest = 0.0
        self._greenlet = gevent.spawn(self._run)
        gevent.sleep(0)
        return self

    def __exit__(self, *exc_info):
        self._greenlet.kill()

    def _run(self):
        last = time.monotonic()
        try:
            while True:
                gevent.sleep(0.001)
                now = time.monotonic()
                self.longest = max(self.longest, now - last)
                last = now
        finally:
            self.longest = max(self.longest, time.monotonic() - last)
