"""The clock of `time.monotonic`, for code that reads it several times in a look-up."""

import time

cdef extern from *:
    """
    #include <time.h>
    static double gdns_clock(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    """
    double gdns_clock() noexcept nogil

cdef object TIME_MONOTONIC = time.monotonic


cpdef double monotonic() noexcept:
    """Seconds, as `time.monotonic` counts them."""
    return gdns_clock()


cpdef double now_by(object clock) except? -1.0:
    """Seconds, as `clock` counts them: whoever is given a clock is nearly always given `time.monotonic`."""
    return gdns_clock() if clock is TIME_MONOTONIC else clock()
