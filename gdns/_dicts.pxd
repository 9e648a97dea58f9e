cpdef object value_of(object mapping, object key)
