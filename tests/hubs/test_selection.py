"""Which hub a lookup runs on, in programs that use one, another or none."""

import threading

import pytest

from gdns.hubs import NativeHub, current


def test_the_explicit_hub_is_taken(native):
    assert current(native) is native
    assert current() is not native


def test_without_gevent_the_native_hub_serves_and_gevent_stays_unimported(run_python):
    assert run_python(
        """
import sys
from gdns.hubs import NativeHub, current
print(current().name, current() is NativeHub.of_this_thread(), "gevent" in sys.modules)
"""
    ) == ["native", "True", "False"]


def test_merely_importing_gevent_changes_nothing(run_python):
    assert run_python(
        """
import gevent
from gevent._hub_local import get_hub_if_exists
from gdns.hubs import current
print(current().name, get_hub_if_exists())
"""
    ) == ["native", "None"]


def test_a_gevent_hub_in_the_thread_is_taken(run_python):
    assert run_python(
        """
from gdns.hubs import current
print(current().name)
import gevent
hub = gevent.get_hub()
print(current().name, current().greenlet is hub, current() is current())
"""
    ) == ["native", "gevent", "True", "True"]


def test_a_task_of_the_native_hub_gets_that_one_beside_a_gevent_hub(run_python):
    """Only the hub that runs a greenlet can wake it: on gevent's, its look-up would never end."""
    assert run_python(
        """
import gevent
from gdns.hubs import NativeHub, current
gevent.get_hub()
hub = NativeHub.of_this_thread()
task = hub.spawn(lambda: current() is hub)
print(task.get(), current().name)
"""
    ) == ["True", "gevent"]


@pytest.mark.parametrize("order", ["gevent first", "gdns first"])
def test_after_patching_gevents_hub_is_made_if_need_be(run_python, order):
    patch = "from gevent import monkey; monkey.patch_all()\n"
    imports = "from gdns.hubs import current\n"
    assert run_python(
        (patch + imports if order == "gevent first" else imports + patch)
        + """
from gevent._hub_local import get_hub_if_exists
print(get_hub_if_exists(), current().name, current().greenlet is get_hub_if_exists())
"""
    ) == ["None", "gevent", "True"]


def test_a_gevent_hub_of_another_thread_is_not_taken(run_python):
    assert run_python(
        """
import threading
import gevent
from gdns.hubs import current
gevent.get_hub()
thread = threading.Thread(target=lambda: print(current().name))
thread.start()
thread.join()
print(current().name)
"""
    ) == ["native", "gevent"]


def test_a_patched_program_has_gevents_hub_in_its_native_threads_too(run_python):
    assert run_python(
        """
from gevent import monkey; monkey.patch_all()
import gevent
from gdns.hubs import current
def look():
    hub = current()
    return hub.name, hub
(name, hub) = gevent.get_hub().threadpool.apply(look)
print(name, hub is current())
"""
    ) == ["gevent", "False"]


def test_a_destroyed_gevent_hub_is_not_taken_again(run_python):
    assert run_python(
        """
import gevent
from gdns.hubs import current
first = gevent.get_hub()
before = current()
first.destroy()
print(current().name)
second = gevent.get_hub()
print(current().name, current() is before, current().greenlet is second)
"""
    ) == ["native", "gevent", "False", "True"]


def test_a_module_that_may_not_be_imported_is_not_taken_for_gevent(run_python):
    assert run_python(
        """
import sys
sys.modules["gevent"] = None
from gdns.hubs import current
print(current().name)
"""
    ) == ["native"]


def test_the_default_is_the_native_hub_of_the_thread():
    found = []  # in a thread where no other test has made a hub of gevent's
    thread = threading.Thread(target=lambda: found.append(current() is NativeHub.of_this_thread()))
    thread.start()
    thread.join()
    assert found == [True]
