"""The clock of `time.monotonic`, for code that reads it several times in a look-up."""

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


cpdef double monotonic() noexcept:
    """Seconds, as `time.monotonic` counts them."""
    return gdns_clock()
