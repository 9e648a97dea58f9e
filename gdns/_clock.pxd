cpdef double monotonic() noexcept
cpdef double now_by(object clock) except? -1.0
