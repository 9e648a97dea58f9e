# What gdns uses of c-ares 1.34: prototypes as function pointers, with the structs it has to mirror.
#
# Names, types and values are those of ares.h and ares_dns_record.h. tests/test_ares.py compares the
# layouts with what pycares was built with; ares_socket_functions_ex, which pycares does not know,
# carries a version that c-ares checks, and a round trip through every member is tested.

from gdns._sockets cimport sockaddr, socklen_t

cdef enum:
    ARES_SUCCESS = 0
    ARES_ECONNREFUSED = 11
    ARES_ETIMEOUT = 12
    ARES_ENOMEM = 15
    ARES_EDESTRUCTION = 16
    ARES_ECANCELLED = 24

    ARES_FLAG_USEVC = 1 << 0
    ARES_FLAG_NOSEARCH = 1 << 5
    ARES_FLAG_NOALIASES = 1 << 6
    ARES_FLAG_NOCHECKRESP = 1 << 7

    ARES_OPT_FLAGS = 1 << 0
    ARES_OPT_TRIES = 1 << 2
    ARES_OPT_LOOKUPS = 1 << 8
    ARES_OPT_TIMEOUTMS = 1 << 13
    ARES_OPT_NOROTATE = 1 << 16
    ARES_OPT_RESOLVCONF = 1 << 17
    ARES_OPT_HOSTS_FILE = 1 << 18
    ARES_OPT_UDP_MAX_QUERIES = 1 << 19
    ARES_OPT_MAXTIMEOUTMS = 1 << 20
    ARES_OPT_QUERY_CACHE = 1 << 21
    ARES_OPT_SERVER_FAILOVER = 1 << 23

    ARES_LIB_INIT_ALL = 1
    ARES_SOCKFUNC_FLAG_NONBLOCKING = 1 << 0
    ARES_FD_EVENT_READ = 1 << 0
    ARES_FD_EVENT_WRITE = 1 << 1
    ARES_PROCESS_FLAG_NONE = 0
    ARES_PROCESS_FLAG_SKIP_NON_FD = 1 << 0

    ARES_FLAG_QR = 1 << 0
    ARES_FLAG_RD = 1 << 3
    ARES_FLAG_AD = 1 << 5
    ARES_FLAG_CD = 1 << 6

    ARES_SECTION_ADDITIONAL = 3
    ARES_REC_TYPE_OPT = 41
    ARES_RR_OPT_UDP_SIZE = 4101
    ARES_RR_OPT_VERSION = 4103
    ARES_RR_OPT_FLAGS = 4104
    ARES_CLASS_IN = 1

cdef extern from *:
    """
    typedef struct gdns_ares_channel ares_channel_t;
    typedef struct gdns_ares_dns_record ares_dns_record_t;
    typedef struct gdns_ares_dns_rr ares_dns_rr_t;
    """
    ctypedef struct ares_channel_t
    ctypedef struct ares_dns_record_t
    ctypedef struct ares_dns_rr_t

cdef struct ares_fd_events_t:
    int fd
    unsigned int events

cdef struct ares_server_failover_options:
    unsigned short retry_chance
    size_t retry_delay

cdef struct ares_options:
    int flags
    int timeout
    int tries
    int ndots
    unsigned short udp_port
    unsigned short tcp_port
    int socket_send_buffer_size
    int socket_receive_buffer_size
    void* servers
    int nservers
    char** domains
    int ndomains
    char* lookups
    void* sock_state_cb
    void* sock_state_cb_data
    void* sortlist
    int nsort
    int ednspsz
    char* resolvconf_path
    char* hosts_path
    int udp_max_queries
    int maxtimeout
    unsigned int qcache_max_ttl
    int evsys
    ares_server_failover_options server_failover_opts

cdef struct ares_socket_functions_ex:
    unsigned int version
    unsigned int flags
    int (*asocket)(int domain, int kind, int protocol, void* user_data) noexcept
    int (*aclose)(int handle, void* user_data) noexcept
    int (*asetsockopt)(int handle, int option, const void* value, socklen_t size, void* user_data) noexcept
    int (*aconnect)(int handle, const sockaddr* address, socklen_t length, unsigned int flags, void* user_data) noexcept
    ssize_t (*arecvfrom)(int handle, void* buffer, size_t length, int flags, sockaddr* address, socklen_t* address_length, void* user_data) noexcept
    ssize_t (*asendto)(int handle, const void* buffer, size_t length, int flags, const sockaddr* address, socklen_t address_length, void* user_data) noexcept
    int (*agetsockname)(int handle, sockaddr* address, socklen_t* length, void* user_data) noexcept
    int (*abind)(int handle, unsigned int flags, const sockaddr* address, socklen_t length, void* user_data) noexcept
    unsigned int (*aif_nametoindex)(const char* name, void* user_data) noexcept
    const char* (*aif_indextoname)(unsigned int index, char* buffer, size_t length, void* user_data) noexcept

ctypedef void (*ares_callback_dnsrec)(void* arg, int status, size_t timeouts, const ares_dns_record_t* record) noexcept

cdef struct Functions:
    int (*library_init)(int flags) noexcept
    const char* (*version)(int* number) noexcept
    const char* (*strerror)(int status) noexcept
    int (*init_options)(ares_channel_t** channel, const ares_options* options, int mask) noexcept
    int (*save_options)(const ares_channel_t* channel, ares_options* options, int* mask) noexcept
    void (*destroy_options)(ares_options* options) noexcept
    void (*destroy)(ares_channel_t* channel) noexcept
    int (*set_servers_ports_csv)(ares_channel_t* channel, const char* servers) noexcept
    int (*set_socket_functions_ex)(ares_channel_t* channel, const ares_socket_functions_ex* functions, void* user_data) noexcept
    int (*process_fds)(ares_channel_t* channel, const ares_fd_events_t* events, size_t count, unsigned int flags) noexcept
    int (*send_dnsrec)(ares_channel_t* channel, const ares_dns_record_t* record, ares_callback_dnsrec callback, void* arg, unsigned short* id) noexcept
    int (*dns_record_create)(ares_dns_record_t** record, unsigned short id, unsigned short flags, int opcode, int rcode) noexcept
    void (*dns_record_destroy)(ares_dns_record_t* record) noexcept
    int (*dns_record_query_add)(ares_dns_record_t* record, const char* name, int rdtype, int rdclass) noexcept
    int (*dns_record_rr_add)(ares_dns_rr_t** rr, ares_dns_record_t* record, int section, const char* name, int rdtype, int rdclass, unsigned int ttl) noexcept
    int (*dns_rr_set_u16)(ares_dns_rr_t* rr, int key, unsigned short value) noexcept
    int (*dns_rr_set_u8)(ares_dns_rr_t* rr, int key, unsigned char value) noexcept
    size_t (*queue_active_queries)(const ares_channel_t* channel) noexcept

# The functions of the library in use, filled when gdns._libcares is imported.
cdef Functions ares
