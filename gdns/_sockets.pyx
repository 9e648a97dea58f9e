"""The sockets of one hub, behind one epoll descriptor and known by handles that are never reused.

A handle, not a file descriptor, is what c-ares is given and what epoll's data carries. A descriptor's
number comes back as soon as it is closed; a handle does not, so an event or a completion that is late
finds nothing instead of somebody else's socket. Every system call that gdns makes on a socket is in
this file.
"""

cimport cython
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc cimport errno as c_errno
from libc.errno cimport EAGAIN, ECONNREFUSED, EINPROGRESS, EINTR, EMFILE, ENFILE, errno
from libc.stdint cimport INT32_MAX, uint32_t, uint64_t
from libc.string cimport memset
from posix.unistd cimport close, read, write

cdef extern from "sys/socket.h" nogil:
    int socket(int domain, int kind, int protocol)
    int c_bind "bind"(int fd, const sockaddr* address, socklen_t length)
    int c_connect "connect"(int fd, const sockaddr* address, socklen_t length)
    ssize_t c_send "send"(int fd, const void* data, size_t length, int flags)
    ssize_t recv(int fd, void* data, size_t length, int flags)
    int sendmmsg(int fd, mmsghdr* messages, unsigned int count, int flags)
    int recvmmsg(int fd, mmsghdr* messages, unsigned int count, int flags, void* timeout)
    int getsockname(int fd, sockaddr* address, socklen_t* length)
    int getsockopt(int fd, int level, int option, void* value, socklen_t* length)
    int setsockopt(int fd, int level, int option, const void* value, socklen_t length)
    int AF_INET, AF_UNSPEC, SO_BINDTODEVICE, SOCK_DGRAM, SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC, SOL_SOCKET, SO_ERROR, SO_RCVBUF, SO_REUSEADDR
    int MSG_NOSIGNAL, MSG_DONTWAIT

cdef extern from "sys/socket.h" nogil:
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    size_t CMSG_LEN(size_t length)
    size_t CMSG_SPACE(size_t length)
    unsigned char* CMSG_DATA(cmsghdr* control)

cdef extern from "netinet/in.h" nogil:
    int IPPROTO_TCP, IPPROTO_UDP

cdef extern from "netinet/tcp.h" nogil:
    int TCP_NODELAY

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event* event)
    int epoll_wait(int epfd, epoll_event* events, int count, int timeout)
    int EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLL_CLOEXEC
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP

cdef extern from "sys/eventfd.h" nogil:
    int eventfd(unsigned int start, int flags)
    int EFD_NONBLOCK, EFD_CLOEXEC

cdef extern from *:
    """
    #include <pthread.h>
    static unsigned gdns_forks;  /* between the process that began and this one */
    static unsigned gdns_children;  /* grows before and after each that this process begins, or one before it did */
    static void gdns_count_fork(void) { gdns_forks++; }
    static void gdns_count_child(void) { gdns_children++; }
    static int gdns_watch_forks(void) { return pthread_atfork(gdns_count_child, gdns_count_child, gdns_count_fork); }
    """
    unsigned int gdns_forks
    unsigned int gdns_children
    int gdns_watch_forks() noexcept

gdns_watch_forks()

cdef enum:
    EVENTS = 64  # sockets looked at in one epoll_wait(2)
    WAKE_HANDLE = 0
    UDP_SEGMENT = 103  # of udp(7), Linux 4.18; older headers do not know it
    CONTROL_SPACE = 32  # octets: no less than CMSG_SPACE of two
    DEVICE_NAME = 16  # octets, with the NUL (IFNAMSIZ)
    MOST_SPARE = 128  # sockets that are kept for look-ups to come: a turn of the hub ends no more
    WANTED_RECEIVE_BUFFER = 4 << 20  # octets; the kernel gives what net.core.rmem_max allows
    OCTETS_PER_REPLY = 2304  # what the kernel charges to a socket's buffer for one small datagram


def receive_window() -> int:
    """How many small replies the kernel holds for one UDP socket before it drops the next.

    The kernel clamps SO_RCVBUF (socket(7)), so the size is read back. Raises OSError when no socket
    can be made.
    """
    cdef int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    cdef int size = WANTED_RECEIVE_BUFFER
    cdef socklen_t length = sizeof(int)
    if fd < 0:
        raise OSError(errno, "gdns could not make a UDP socket")
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(int))
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length)
    close(fd)
    return max(1, size // OCTETS_PER_REPLY)


cdef class Owner:
    """Who is told when a socket is ready."""

    cdef int on_ready(self, Socket sock, uint32_t events) except -1:
        raise NotImplementedError


cdef class Socket:
    """One socket: its descriptor closes with it, whatever else happens."""

    def __cinit__(self):
        self.fd = -1

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)


@cython.no_gc_clear  # __dealloc__ needs nothing but its C fields, sockets close themselves
cdef class Sockets:
    """One epoll set and all that is in it.

    `fileno()` is what a hub watches: it is readable while any socket is, or after `wake()`.
    """

    def __cinit__(self):
        cdef epoll_event event
        cdef cmsghdr* control
        cdef int index
        self.epoll_fd = self.wake_fd = -1
        self.next_handle = WAKE_HANDLE
        self.made_in = gdns_forks
        self.by_handle = {}
        self.arena = <unsigned char*>PyMem_Malloc(<size_t>BATCH * DATAGRAM_SPACE)
        self.batch = <mmsghdr*>PyMem_Malloc(BATCH * sizeof(mmsghdr))
        self.vectors = <iovec*>PyMem_Malloc(BATCH * sizeof(iovec))
        self.departing = <unsigned char*>PyMem_Malloc(<size_t>BATCH * MESSAGE_SPACE)
        self.letters = <mmsghdr*>PyMem_Malloc(BATCH * sizeof(mmsghdr))
        self.parcels = <iovec*>PyMem_Malloc(BATCH * sizeof(iovec))
        self.controls = <unsigned char*>PyMem_Malloc(BATCH * CONTROL_SPACE)
        if self.arena == NULL or self.batch == NULL or self.vectors == NULL:
            raise MemoryError
        if self.departing == NULL or self.letters == NULL or self.parcels == NULL or self.controls == NULL:
            raise MemoryError
        memset(self.batch, 0, BATCH * sizeof(mmsghdr))
        memset(self.letters, 0, BATCH * sizeof(mmsghdr))
        memset(self.controls, 0, BATCH * CONTROL_SPACE)
        for index in range(BATCH):
            control = <cmsghdr*>(self.controls + index * CONTROL_SPACE)
            control.cmsg_len = CMSG_LEN(sizeof(unsigned short))
            control.cmsg_level = IPPROTO_UDP
            control.cmsg_type = UDP_SEGMENT
            self.letters[index].msg_hdr.msg_control = control
            self.letters[index].msg_hdr.msg_iov = &self.parcels[index]
            self.letters[index].msg_hdr.msg_iovlen = 1
            self.vectors[index].iov_base = self.arena + <size_t>index * DATAGRAM_SPACE
            self.vectors[index].iov_len = DATAGRAM_SPACE
            self.batch[index].msg_hdr.msg_iov = &self.vectors[index]
            self.batch[index].msg_hdr.msg_iovlen = 1
        self.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll_fd < 0:
            raise OSError(errno, "gdns could not make an epoll set")
        self.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        event.events = EPOLLIN
        event.data.u64 = WAKE_HANDLE
        if self.wake_fd < 0 or epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, self.wake_fd, &event) < 0:
            raise OSError(errno, "gdns could not make an eventfd")

    def __dealloc__(self):
        self._close_descriptors()
        PyMem_Free(self.arena)
        PyMem_Free(self.batch)
        PyMem_Free(self.vectors)
        PyMem_Free(self.departing)
        PyMem_Free(self.letters)
        PyMem_Free(self.parcels)
        PyMem_Free(self.controls)

    cdef void _close_descriptors(self) noexcept:
        if self.epoll_fd >= 0:
            close(self.epoll_fd)
        if self.wake_fd >= 0:
            close(self.wake_fd)
        self.epoll_fd = self.wake_fd = -1

    def __len__(self):
        return len(self.by_handle)

    def fileno(self) -> int:
        """The epoll descriptor, or -1 after `close()`."""
        return self.epoll_fd

    def wake(self) -> None:
        """Make `fileno()` readable; the one method that any thread may call."""
        cdef uint64_t one = 1
        with cython.critical_section(self):  # else the descriptor could be closed, and somebody else's, by now
            if self.wake_fd >= 0:
                write(self.wake_fd, &one, sizeof(one))  # a full counter is already readable

    def close(self) -> None:
        """Close the set and every socket in it; safe to call twice.

        The epoll descriptor goes first: after a fork the set is shared with the parent, and closing a
        socket while it is still in the set would take it out of the parent's set too.
        """
        cdef PyObject* value = NULL
        cdef Py_ssize_t at
        with cython.critical_section(self):
            self._close_descriptors()
        try:
            for sock in list(self.by_handle.values()):
                self.close_socket(sock)
        except MemoryError:
            at = 0
            while PyDict_Next(self.by_handle, &at, NULL, &value):  # slower: it begins anew after each
                sock = <Socket>value  # held: nobody else may
                self.close_socket(sock)
                at = 0

    def poll(self, int limit) -> bool:
        """Tell the owners of ready sockets, until about `limit` datagrams have been taken.

        What is left keeps `fileno()` readable. Returns whether `wake()` was called since the last poll.
        """
        cdef epoll_event events[EVENTS]
        cdef uint64_t wakes
        cdef int ready, index
        cdef bint woken = False
        cdef Socket sock
        cdef Owner owner
        self.budget = limit
        ready = epoll_wait(self.epoll_fd, events, EVENTS, 0)
        for index in range(ready):
            if events[index].data.u64 == WAKE_HANDLE:
                read(self.wake_fd, &wakes, sizeof(wakes))
                woken = True
                continue
            if self.budget <= 0:
                break
            sock = self.find(<int>events[index].data.u64)
            if sock is not None:  # else it was closed by an owner told earlier in this loop
                owner = sock.owner  # held, for a socket that is closed lets go of it
                owner.on_ready(sock, events[index].events)
        return woken

    cdef int open(self, Socket sock, Owner owner, int family, int kind, bint is_for_many) except -2:
        """Give `sock` a fresh non-blocking descriptor and a handle; -1 with errno set on failure.

        `is_for_many` says that a UDP socket is to hold more replies than the usual buffer, and may send many
        messages as one.
        """
        cdef int one = 1
        cdef int size = WANTED_RECEIVE_BUFFER
        cdef socklen_t length = sizeof(one)
        sock.shared_by = gdns_children
        sock.fd = socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        if sock.fd < 0 and errno in (EMFILE, ENFILE) and self.drop_spares():
            sock.fd = socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        if sock.fd < 0:
            return -1
        sock.family = family
        sock.is_stream = kind == SOCK_STREAM
        sock.owner = owner
        if sock.is_stream:
            setsockopt(sock.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        elif is_for_many:
            setsockopt(sock.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size))
            # a kernel that does not know it would send all as a single message
            sock.joins = getsockopt(sock.fd, IPPROTO_UDP, UDP_SEGMENT, &one, &length) == 0
        while True:
            self.next_handle = self.next_handle + 1 if self.next_handle < INT32_MAX else 1
            if self.next_handle not in self.by_handle:
                break
        sock.handle = sock.key = self.next_handle
        self.by_handle[sock.key] = sock
        return 0

    cdef Socket find(self, int handle):
        """The open socket of this handle, or None. Raises nothing: it goes without memory, too."""
        cdef Socket sock
        try:
            return self.by_handle.get(handle)
        except MemoryError:
            for sock in self.by_handle.values():
                if sock.handle == handle:
                    return sock
        return None

    cdef int bind(self, Socket sock, const sockaddr* address, socklen_t length) noexcept:
        """bind(2); -1 with errno set on failure. A port may be shared with sockets that did so likewise."""
        cdef int one = 1
        setsockopt(sock.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one))
        return c_bind(sock.fd, address, length)

    cdef int connect(self, Socket sock, const sockaddr* address, socklen_t length) noexcept:
        """connect(2), then into the epoll set; -1 with errno set on failure.

        A UDP socket has a port, which anybody can send to, before the connection says who may.
        """
        if c_connect(sock.fd, address, length) < 0 and errno != EINPROGRESS:
            return -1
        if not sock.is_stream and self.drain(sock) < 0:
            return -1
        # a stream tells by being writable that it is connected
        return self.watch(sock, EPOLLIN | EPOLLOUT if sock.is_stream else EPOLLIN)

    cdef int drain(self, Socket sock) noexcept:
        """Drop what a UDP socket received before it was connected; -1 with errno set if somebody goes on filling it."""
        cdef unsigned char octet  # not the arena: somebody may be reading it
        cdef int index
        for index in range(BATCH):
            if recv(sock.fd, &octet, sizeof(octet), MSG_DONTWAIT) < 0 and errno == EAGAIN:
                return 0
        c_errno.errno = EAGAIN
        return -1

    # --- sockets that wait for another look-up

    cdef bint keep(self, Socket sock) noexcept:
        """Dissolve the connection of a UDP socket, and keep it for the next; False if it is to be closed.

        The system gets back the port that it chose, and chooses anew with the next connection (connect(2),
        AF_UNSPEC). It also forgets a device that the socket was bound to as it was made (ip-vrf(8)), so one that
        is bound is not kept, nor one that a child may have.
        """
        cdef sockaddr nobody
        cdef char device[DEVICE_NAME]
        cdef socklen_t length = sizeof(device)
        cdef Socket other
        if sock.is_spare:
            return True
        if sock.shared_by != gdns_children or sock.interest != EPOLLIN:
            return False
        if self.spare_count >= MOST_SPARE:
            other = self.spare
            if other.family == sock.family:
                return False
            self.close_socket(other)  # else what is of no use any more could be in the way
        if not sock.is_of_all:
            if getsockopt(sock.fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length) < 0 or length:
                return False
            sock.is_of_all = True
        memset(&nobody, 0, sizeof(nobody))
        nobody.sa_family = AF_UNSPEC
        if c_connect(sock.fd, &nobody, sizeof(nobody)) < 0:
            return False
        sock.is_spare = True
        sock.next_spare = self.spare
        self.spare = sock
        self.spare_count += 1
        return True

    cdef Socket take_spare(self, int family):
        """A socket of this family that was kept, or None."""
        cdef Socket sock = self.spare
        cdef Socket after
        while sock is not None:
            after = sock.next_spare
            if sock.shared_by != gdns_children:
                self.close_socket(sock)
            elif sock.family == family:
                self.unlink(sock)
                return sock
            sock = after
        return None

    cdef void unlink(self, Socket sock) noexcept:
        cdef Socket before
        if self.spare is sock:
            self.spare = sock.next_spare
        else:
            before = self.spare
            while before is not None and before.next_spare is not sock:
                before = before.next_spare
            if before is not None:
                before.next_spare = sock.next_spare
        sock.next_spare = None
        sock.is_spare = False
        self.spare_count -= 1

    cpdef bint drop_spares(self) noexcept:
        """Close what was kept for look-ups to come; whether there was anything."""
        cdef Socket sock = self.spare
        cdef bint had_any = sock is not None
        while sock is not None:
            self.close_socket(sock)
            sock = self.spare
        return had_any

    cdef int watch(self, Socket sock, uint32_t interest) noexcept:
        """Say what a socket is watched for; 0 takes it out of the set. -1 with errno set on failure."""
        cdef epoll_event event
        cdef int operation = EPOLL_CTL_MOD if sock.interest else EPOLL_CTL_ADD
        if sock.interest == interest:
            return 0
        event.events = interest
        event.data.u64 = <uint64_t>sock.handle
        if epoll_ctl(self.epoll_fd, operation if interest else EPOLL_CTL_DEL, sock.fd, &event) < 0:
            return -1
        sock.interest = interest
        return 0

    cdef int close_socket(self, Socket sock) noexcept:
        """Close and forget; a second call does nothing."""
        if sock.is_spare:
            self.unlink(sock)
        if sock.fd >= 0:
            # close(2) alone leaves it in as long as a forked child holds a copy; that child must let it be.
            # (One that runs another program closes it: all are close-on-exec.)
            if sock.interest and self.epoll_fd >= 0 and self.made_in == gdns_forks:
                if sock.shared_by != gdns_children:
                    self.watch(sock, 0)
                sock.interest = 0
            close(sock.fd)
            sock.fd = -1
        self.by_handle.pop(sock.key, None)
        sock.owner = None  # its owner names it, too: no cycle is left behind
        return 0

    cdef int local_address(self, Socket sock, sockaddr* address, socklen_t* length) noexcept:
        return getsockname(sock.fd, address, length)

    cdef ssize_t send(self, Socket sock, const void* data, size_t length) noexcept:
        cdef ssize_t sent
        while True:
            sent = c_send(sock.fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT)
            if sent >= 0 or errno != EINTR:
                return sent

    cdef ssize_t receive_stream(self, Socket sock) noexcept:
        """Up to 64 KiB of a stream into the arena; 0 at its end, -1 with errno set."""
        cdef ssize_t received
        while True:
            received = recv(sock.fd, self.arena, DATAGRAM_SPACE, MSG_DONTWAIT)
            if received >= 0 or errno != EINTR:
                self.budget -= 1
                return received

    cdef void put_message(self, Socket sock, size_t size) noexcept:
        """The message written to `room()` is the next of the batch, and shares a letter with others of its size.

        The kernel takes a letter through the network's layers once, and makes datagrams of it at their end: on
        loopback a message costs a quarter of what it does by itself.
        """
        cdef int last = self.letter_count - 1
        if last >= 0 and sock.joins and self.size_in(last)[0] == size:
            self.parcels[last].iov_len += size
            self.messages_in[last] += 1
            self.letters[last].msg_hdr.msg_controllen = CMSG_SPACE(sizeof(unsigned short))
        else:
            last = self.letter_count
            self.letter_count += 1
            self.parcels[last].iov_base = self.room()
            self.parcels[last].iov_len = size
            self.messages_in[last] = 1
            self.size_in(last)[0] = <unsigned short>size
            self.letters[last].msg_hdr.msg_controllen = 0
        self.departing_size += size

    cdef unsigned short* size_in(self, int letter) noexcept:
        """The size of each message in a letter, as it stands in the control message."""
        return <unsigned short*>CMSG_DATA(<cmsghdr*>(self.controls + letter * CONTROL_SPACE))

    cdef int send_batch(self, Socket sock) noexcept:
        """Send the batch; how many of its messages went, or -1 with errno set.

        It is 0 where a shared letter was refused, for whatever reason: none is made any more on this socket, so
        that the next batch shows which message is meant.
        """
        cdef int letter, sent, messages = 0
        while True:
            sent = sendmmsg(sock.fd, self.letters, self.letter_count, MSG_NOSIGNAL | MSG_DONTWAIT)
            if sent >= 0 or errno != EINTR:
                break
        if sent < 0:
            if self.messages_in[0] == 1 or errno in (EAGAIN, ECONNREFUSED):  # the latter is an earlier one's
                return -1
            sock.joins = False
        for letter in range(sent):
            messages += self.messages_in[letter]
        return messages

    cdef int receive_batch(self, Socket sock, int most) noexcept:
        """Up to `most` (BATCH) datagrams into the arena; their count, or -1 with errno set (EAGAIN: none)."""
        cdef int received
        while True:
            received = recvmmsg(sock.fd, self.batch, most, MSG_DONTWAIT, NULL)
            if received >= 0 or errno != EINTR:
                self.budget -= max(received, 1)
                return received
