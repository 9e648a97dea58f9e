from libc.stdint cimport uint32_t

cdef extern from "sys/socket.h" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr:
        unsigned short sa_family
    struct sockaddr_storage:
        unsigned short ss_family
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

cdef enum:
    BATCH = 32  # datagrams sent or taken in one system call
    MESSAGE_SPACE = 288  # octets: no plain question is longer
    DATAGRAM_SPACE = 65536  # octets: no UDP payload is longer


cdef class Owner:
    cdef int on_ready(self, Socket sock, uint32_t events) except -1


cdef class Socket:
    cdef readonly int fd
    cdef readonly int handle
    cdef object key  # the handle, as it is known in `by_handle`
    cdef readonly bint is_stream
    cdef readonly bint joins  # messages of one length may leave it as one (udp(7), UDP_SEGMENT)
    cdef int family
    cdef readonly bint is_spare  # unconnected, without a port: kept for the next look-up
    cdef Socket next_spare
    cdef bint is_of_all  # known not to be bound to a device
    cdef Owner owner
    cdef uint32_t interest
    cdef unsigned int shared_by  # the count of children when it was made: once that has grown, one may have it


cdef class Sockets:
    cdef int epoll_fd
    cdef int wake_fd
    cdef int next_handle
    cdef readonly int budget
    cdef unsigned int made_in  # the process, counted in forks
    cdef readonly dict by_handle
    cdef Socket spare  # the first of them,
    cdef int spare_count  # and how many there are
    cdef unsigned char* arena
    cdef mmsghdr* batch
    cdef iovec* vectors
    cdef unsigned char* departing  # messages to send, one behind the other,
    cdef size_t departing_size  # so many octets
    cdef int letter_count  # in how many letters: one of several messages has a control message, which says their size
    cdef mmsghdr* letters
    cdef iovec* parcels
    cdef unsigned char* controls
    cdef int messages_in[BATCH]

    cdef void _close_descriptors(self) noexcept
    cdef int open(self, Socket sock, Owner owner, int family, int kind, bint is_for_many) except -2
    cdef Socket find(self, int handle)
    cdef int bind(self, Socket sock, const sockaddr* address, socklen_t length) noexcept
    cdef int connect(self, Socket sock, const sockaddr* address, socklen_t length) noexcept
    cdef bint keep(self, Socket sock) noexcept
    cdef Socket take_spare(self, int family)
    cdef void unlink(self, Socket sock) noexcept
    cpdef bint drop_spares(self) noexcept
    cdef int drain(self, Socket sock) noexcept
    cdef int close_socket(self, Socket sock) noexcept
    cdef int watch(self, Socket sock, uint32_t interest) noexcept
    cdef int local_address(self, Socket sock, sockaddr* address, socklen_t* length) noexcept
    cdef ssize_t send(self, Socket sock, const void* data, size_t length) noexcept
    cdef ssize_t receive_stream(self, Socket sock) noexcept
    cdef int receive_batch(self, Socket sock, int most) noexcept
    cdef inline void begin_batch(self) noexcept:
        self.departing_size = 0
        self.letter_count = 0
    cdef inline unsigned char* room(self) noexcept:
        return self.departing + self.departing_size
    cdef void put_message(self, Socket sock, size_t size) noexcept
    cdef unsigned short* size_in(self, int letter) noexcept
    cdef int send_batch(self, Socket sock) noexcept
    cdef inline unsigned char* datagram(self, int index, Py_ssize_t* length) noexcept:
        if self.batch[index].msg_hdr.msg_flags & 0x20:  # MSG_TRUNC: longer than any UDP payload, so no reply of ours
            length[0] = 0
        else:
            length[0] = self.batch[index].msg_len
        return self.arena + <size_t>index * DATAGRAM_SPACE
