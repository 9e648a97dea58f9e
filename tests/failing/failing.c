/* Loaded with LD_PRELOAD, lets system calls of gdns' socket module fail on command, and allocations of anybody.

   failing_call("send", 2, 1, EAGAIN)   the second send(2) from now on fails once
   failing_call("send", 1, -1, ENOBUFS) every one fails
   failing_memory(7, 1)                 the seventh allocation of the calling thread fails
   failing_hits()                       how often anything failed since it was last asked

   With CALLS_ALONE allocations are left to whoever has taken them over already. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct rule {
    const char* name;
    int first, count, error;
};

static struct rule rules[] = {
    {"socket", 0, 0, 0},     {"connect", 0, 0, 0},       {"send", 0, 0, 0},    {"recv", 0, 0, 0},
    {"recvmmsg", 0, 0, 0},   {"epoll_ctl", 0, 0, 0},     {"epoll_wait", 0, 0, 0}, {"epoll_create1", 0, 0, 0},
    {"eventfd", 0, 0, 0},    {"getsockname", 0, 0, 0},   {"setsockopt", 0, 0, 0}, {"sendmmsg", 0, 0, 0},
    {"getrandom", 0, 0, 0},  {"getsockopt", 0, 0, 0},
};
static int hits;
static __thread long memory_first, memory_count;

int failing_hits(void) {
    int before = hits;
    hits = 0;
    return before;
}

int failing_call(const char* name, int first, int count, int error) {
    for (size_t index = 0; index < sizeof rules / sizeof *rules; index++)
        if (!strcmp(rules[index].name, name)) {
            rules[index].first = first;
            rules[index].count = count;
            rules[index].error = error;
            return 1;
        }
    return 0;
}

void failing_memory(long first, long count) {
    memory_first = first;
    memory_count = count;
}

/* Others make the same calls: the interpreter, the event loop. (A tail call of _sockets returns to _links.) */
static int is_ours(const void* caller) {
    Dl_info info;
    return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "/gdns/_");
}

static int fails(const char* name, const void* caller) {
    struct rule* rule = rules;
    while (strcmp(rule->name, name))
        rule++;
    if (!rule->count || !is_ours(caller) || --rule->first > 0)
        return 0;
    if (rule->count > 0)
        rule->count--;
    hits++;
    errno = rule->error;
    return 1;
}

#define WRAP(type, name, parameters, arguments)                                  \
    type name parameters {                                                       \
        static type (*next) parameters;                                          \
        if (fails(#name, __builtin_return_address(0)))                           \
            return -1;                                                           \
        if (!next)                                                               \
            *(void**)&next = dlsym(RTLD_NEXT, #name);                            \
        return next arguments;                                                   \
    }

WRAP(int, socket, (int domain, int kind, int protocol), (domain, kind, protocol))
WRAP(int, connect, (int fd, const struct sockaddr* address, socklen_t length), (fd, address, length))
WRAP(ssize_t, send, (int fd, const void* data, size_t length, int flags), (fd, data, length, flags))
WRAP(ssize_t, recv, (int fd, void* data, size_t length, int flags), (fd, data, length, flags))
WRAP(int, recvmmsg, (int fd, struct mmsghdr* messages, unsigned int count, int flags, struct timespec* timeout),
     (fd, messages, count, flags, timeout))
WRAP(int, sendmmsg, (int fd, struct mmsghdr* messages, unsigned int count, int flags), (fd, messages, count, flags))
WRAP(int, epoll_create1, (int flags), (flags))
WRAP(int, epoll_ctl, (int set, int operation, int fd, struct epoll_event* event), (set, operation, fd, event))
WRAP(int, epoll_wait, (int set, struct epoll_event* events, int most, int timeout), (set, events, most, timeout))
WRAP(int, eventfd, (unsigned int start, int flags), (start, flags))
WRAP(int, getsockname, (int fd, struct sockaddr* address, socklen_t* length), (fd, address, length))
WRAP(ssize_t, getrandom, (void* data, size_t length, unsigned int flags), (data, length, flags))
WRAP(int, setsockopt, (int fd, int level, int option, const void* value, socklen_t length),
     (fd, level, option, value, length))
WRAP(int, getsockopt, (int fd, int level, int option, void* value, socklen_t* length),
     (fd, level, option, value, length))

#ifndef CALLS_ALONE

/* glibc's own names for its functions: looking them up would allocate. */
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);

static int is_out_of_memory(void) {
    if (!memory_count || --memory_first > 0)
        return 0;
    if (memory_count > 0)
        memory_count--;
    hits++;
    errno = ENOMEM;
    return 1;
}

void* malloc(size_t size) { return is_out_of_memory() ? NULL : __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return is_out_of_memory() ? NULL : __libc_calloc(count, size); }
void* realloc(void* block, size_t size) { return is_out_of_memory() ? NULL : __libc_realloc(block, size); }

#endif
