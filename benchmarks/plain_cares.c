/* The peer, a plain C program on c-ares: usage:
 *
 *     plain_cares LIBRARY tuned|stock|ports A|getaddrinfo ADDRESS:PORT NAMES IN_FLIGHT [DISTINCT]
 *
 * LIBRARY is the very file that gdns uses: the extension in pycares' wheel, or a libcares.so.2. Its functions are
 * driven as c-ares' manual advises: sockets reported by callback into one epoll set, ares_process_fds with what is
 * ready, ares_timeout as the wait. IN_FLIGHT names are outstanding. Prints bench.h's report.
 *
 * "tuned" spares c-ares all work that these lookups do not need: its query cache, EDNS, the hosts file. "stock"
 * leaves that as it comes. Both get sockets that lose nothing. "ports" is "tuned" with a source port for each query.
 * With DISTINCT, only so many different names are asked for, over and over: with "stock", that is its query cache.
 */

#define _GNU_SOURCE
#include "bench.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The wheel's extension refers to this one object of Python's when it is loaded; nothing here ever uses it. */
char _Py_NoneStruct[64];

/* c-ares 1.34's interface, as far as it is used here; the wheel brings no headers. */

enum {
    ARES_SUCCESS = 0,
    ARES_LIB_INIT_ALL = 1,
    ARES_FLAG_STAYOPEN = 1 << 4,
    ARES_OPT_FLAGS = 1 << 0,
    ARES_OPT_TRIES = 1 << 2,
    ARES_OPT_LOOKUPS = 1 << 8,
    ARES_OPT_SOCK_STATE_CB = 1 << 9,
    ARES_OPT_SOCK_RCVBUF = 1 << 12,
    ARES_OPT_TIMEOUTMS = 1 << 13,
    ARES_OPT_RESOLVCONF = 1 << 17,
    ARES_OPT_UDP_MAX_QUERIES = 1 << 19,
    ARES_OPT_QUERY_CACHE = 1 << 21,
    ARES_FD_EVENT_READ = 1 << 0,
    ARES_FD_EVENT_WRITE = 1 << 1,
    ARES_SECTION_ANSWER = 1,
    ARES_RR_A_ADDR = 101,
    ARES_AI_NUMERICSERV = 1 << 3,
};

struct channel;
struct dns_record;
struct dns_rr;

struct options {
    int flags, timeout, tries, ndots;
    unsigned short udp_port, tcp_port;
    int send_buffer, receive_buffer;
    struct in_addr *servers;
    int server_count;
    char **domains;
    int domain_count;
    char *lookups;
    void (*sock_state)(void *set, int fd, int readable, int writable);
    void *sock_state_arg;
    void *sortlist;
    int sortlist_count, edns_size;
    char *resolvconf_path, *hosts_path;
    int udp_max_queries, max_timeout;
    unsigned query_cache_max_ttl;
    int event_system;
    struct {
        unsigned short retry_chance;
        size_t retry_delay;
    } failover;
};

struct fd_events {
    int fd;
    unsigned events;
};

struct addrinfo_hints {
    int flags, family, socktype, protocol;
};

struct addrinfo_node {
    int ttl, flags, family, socktype, protocol;
    unsigned length;
    struct sockaddr *address;
    struct addrinfo_node *next;
};

struct addrinfo {
    void *cnames;
    struct addrinfo_node *nodes;
    char *name;
};

typedef void record_callback(void *arg, int status, size_t timeouts, const struct dns_record *record);
typedef void addrinfo_callback(void *arg, int status, int timeouts, struct addrinfo *result);

static struct {
    int (*library_init)(int flags);
    int (*init_options)(struct channel **channel, const struct options *options, int mask);
    int (*set_servers_ports_csv)(struct channel *channel, const char *servers);
    int (*query_dnsrec)(struct channel *channel, const char *name, int rdclass, int rdtype, record_callback *callback,
                        void *arg, unsigned short *id);
    void (*getaddrinfo)(struct channel *channel, const char *name, const char *service,
                        const struct addrinfo_hints *hints, addrinfo_callback *callback, void *arg);
    void (*freeaddrinfo)(struct addrinfo *result);
    struct timeval *(*timeout)(const struct channel *channel, struct timeval *most, struct timeval *value);
    int (*process_fds)(struct channel *channel, const struct fd_events *events, size_t count, unsigned flags);
    size_t (*record_rr_count)(const struct dns_record *record, int section);
    const struct dns_rr *(*record_rr)(const struct dns_record *record, int section, size_t index);
    int (*rr_type)(const struct dns_rr *rr);
    const struct in_addr *(*rr_address)(const struct dns_rr *rr, int key);
    void (*destroy)(struct channel *channel);
} ares;

static void *symbol(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (!address) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    return address;
}

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
#define LOAD(member, name) (ares.member = (__typeof__(ares.member))symbol(library, "ares_" name))
    LOAD(library_init, "library_init");
    LOAD(init_options, "init_options");
    LOAD(set_servers_ports_csv, "set_servers_ports_csv");
    LOAD(query_dnsrec, "query_dnsrec");
    LOAD(getaddrinfo, "getaddrinfo");
    LOAD(freeaddrinfo, "freeaddrinfo");
    LOAD(timeout, "timeout");
    LOAD(process_fds, "process_fds");
    LOAD(record_rr_count, "dns_record_rr_cnt");
    LOAD(record_rr, "dns_record_rr_get_const");
    LOAD(rr_type, "dns_rr_get_type");
    LOAD(rr_address, "dns_rr_get_addr");
    LOAD(destroy, "destroy");
#undef LOAD
}

static struct {
    unsigned asked, ended, answered, wrong;
} tally;
static unsigned distinct;

/* What a callback needs to check its answer: the number of the name, in the pointer itself. */
static uint32_t expected_hash(void *arg)
{
    char name[NAME_SIZE];
    write_name(name, (unsigned)(uintptr_t)arg);
    return hash_name(name);
}

static bool is_expected(uint16_t rdtype, const void *address, uint32_t hash)
{
    uint8_t expected[16];
    size_t size = write_address(expected, rdtype, hash);
    return memcmp(expected, address, size) == 0;
}

static void on_record(void *arg, int status, size_t timeouts, const struct dns_record *record)
{
    (void)timeouts;
    tally.ended++;
    if (status != ARES_SUCCESS)
        return;
    tally.answered++;
    const struct dns_rr *rr = ares.record_rr(record, ARES_SECTION_ANSWER, 0);
    tally.wrong += ares.record_rr_count(record, ARES_SECTION_ANSWER) != 1 || ares.rr_type(rr) != TYPE_A ||
                   !is_expected(TYPE_A, ares.rr_address(rr, ARES_RR_A_ADDR), expected_hash(arg));
}

static bool is_expected_node(const struct addrinfo_node *node, uint32_t hash)
{
    if (node->family == AF_INET)
        return is_expected(TYPE_A, &((const struct sockaddr_in *)(const void *)node->address)->sin_addr, hash);
    return is_expected(TYPE_AAAA, &((const struct sockaddr_in6 *)(const void *)node->address)->sin6_addr, hash);
}

/* One A and one AAAA, in whichever order the sorting put them. */
static bool are_expected_nodes(const struct addrinfo_node *node, uint32_t hash)
{
    return node && node->next && !node->next->next && node->family != node->next->family &&
           is_expected_node(node, hash) && is_expected_node(node->next, hash);
}

static void on_addrinfo(void *arg, int status, int timeouts, struct addrinfo *result)
{
    (void)timeouts;
    tally.ended++;
    if (status != ARES_SUCCESS)
        return;
    tally.answered++;
    tally.wrong += !are_expected_nodes(result->nodes, expected_hash(arg));
    ares.freeaddrinfo(result);
}

static void ask_record(struct channel *channel, const char *name, void *arg)
{
    ares.query_dnsrec(channel, name, CLASS_IN, TYPE_A, on_record, arg, NULL);
}

static void ask_addrinfo(struct channel *channel, const char *name, void *arg)
{
    /* Without NUMERICSERV c-ares would read /etc/services for every name. */
    static const struct addrinfo_hints hints = {ARES_AI_NUMERICSERV, AF_UNSPEC, SOCK_STREAM, 0};
    ares.getaddrinfo(channel, name, "80", &hints, on_addrinfo, arg);
}

static void on_sock_state(void *set, int fd, int readable, int writable)
{
    int epoll_fd = *(int *)set;
    struct epoll_event event = {
        .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
        .data.fd = fd,
    };
    if (!event.events)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* How many replies a socket holds with the buffer that the kernel grants when asked for this many octets. */
static int replies_held(int octets)
{
    socklen_t size = sizeof octets;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, &size) != 0)
        die("SO_RCVBUF");
    close(fd);
    return octets / DATAGRAM_CHARGE;
}

enum {
    STOCK_OPTIONS = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF |
                    ARES_OPT_SOCK_RCVBUF | ARES_OPT_UDP_MAX_QUERIES,
    TUNED_OPTIONS = STOCK_OPTIONS | ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_QUERY_CACHE,
};

static struct channel *open_channel(int mask, int *epoll_fd, const char *server, int per_port)
{
    struct channel *channel;
    char nothing[] = "/dev/null", dns_only[] = "b";
    enum { RECEIVE_BUFFER = 4 << 20 };
    struct options options = {
        .flags = ARES_FLAG_STAYOPEN, /* and thereby no EDNS: the same questions as gdns and glibc ask */
        .timeout = 2000,             /* milliseconds, as c-ares' default */
        .tries = 3,                  /* as c-ares' default */
        .lookups = dns_only,         /* c-ares would stat the hosts file for every name */
        .sock_state = on_sock_state,
        .sock_state_arg = epoll_fd,
        .resolvconf_path = nothing,
        /* A thousand replies to one socket overflow Linux' default buffer of 208 KiB, and c-ares then waits two
         * seconds for what was thrown away. So: the largest buffer the kernel grants, and never more queries on
         * a socket than it surely holds. With a generous net.core.rmem_max one socket carries all in flight. */
        .receive_buffer = RECEIVE_BUFFER,
        .udp_max_queries = per_port ? per_port : replies_held(RECEIVE_BUFFER),
        .query_cache_max_ttl = 0, /* every name is asked once: the cache could only cost */
    };
    if (ares.library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares.init_options(&channel, &options, mask) != ARES_SUCCESS ||
        ares.set_servers_ports_csv(channel, server) != ARES_SUCCESS) {
        fprintf(stderr, "c-ares refuses its options\n");
        exit(EXIT_FAILURE);
    }
    return channel;
}

static void wait_and_process(struct channel *channel, int epoll_fd)
{
    enum { READY_MAX = 64 };
    struct epoll_event ready[READY_MAX];
    struct fd_events events[READY_MAX];
    struct timeval most = {.tv_sec = 1}, wait;
    ares.timeout(channel, &most, &wait);
    int count = epoll_wait(epoll_fd, ready, READY_MAX, (int)(wait.tv_sec * 1000 + (wait.tv_usec + 999) / 1000));
    for (int i = 0; i < count; i++) {
        unsigned read = ready[i].events & ~(unsigned)EPOLLOUT ? ARES_FD_EVENT_READ : 0; /* errors, too, are read */
        unsigned write = ready[i].events & EPOLLOUT ? ARES_FD_EVENT_WRITE : 0;
        events[i] = (struct fd_events){ready[i].data.fd, read | write};
    }
    ares.process_fds(channel, events, count > 0 ? (size_t)count : 0, 0);
}

static void ask_all(struct channel *channel, int epoll_fd, void (*ask)(struct channel *, const char *, void *),
                    unsigned names, unsigned in_flight)
{
    while (tally.ended < names) {
        /* From here rather than from the callbacks: one that fails at once would recurse. */
        while (tally.asked < names && tally.asked - tally.ended < in_flight) {
            char name[NAME_SIZE];
            unsigned number = tally.asked++ % distinct;
            write_name(name, number);
            ask(channel, name, (void *)(uintptr_t)number);
        }
        if (tally.ended < tally.asked) /* what its cache knows has ended already */
            wait_and_process(channel, epoll_fd);
    }
}

int main(int argc, char **argv)
{
    if (argc != 7 && argc != 8) {
        fprintf(stderr, "usage: %s LIBRARY tuned|stock|ports A|getaddrinfo ADDRESS:PORT NAMES IN_FLIGHT [DISTINCT]\n",
                argv[0]);
        return EXIT_FAILURE;
    }
    load(argv[1]);
    bool has_ports = strcmp(argv[2], "ports") == 0;
    int options = has_ports || is_first(argv[2], "tuned", "stock") ? TUNED_OPTIONS : STOCK_OPTIONS;
    bool asks_records = is_first(argv[3], "A", "getaddrinfo");
    void (*ask)(struct channel *, const char *, void *) = asks_records ? ask_record : ask_addrinfo;
    unsigned names = number_argument(argv[5], 1, 100000000);
    /* With 65,536 queries outstanding c-ares looks for a free id for ever, and then the driver ends this. */
    unsigned in_flight = number_argument(argv[6], 1, 100000);
    distinct = argc == 8 ? number_argument(argv[7], 1, names) : names;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1");
    server_argument(argv[4]);
    struct channel *channel = open_channel(options, &epoll_fd, argv[4], has_ports);
    if (distinct < names) {
        ask_all(channel, epoll_fd, ask, distinct, in_flight);
        memset(&tally, 0, sizeof tally);
    }

    struct moment start = now();
    ask_all(channel, epoll_fd, ask, names, in_flight);
    struct moment end = now();

    report("plain c-ares", names, tally.answered, tally.wrong, start, end);
    ares.destroy(channel);
    return EXIT_SUCCESS;
}
