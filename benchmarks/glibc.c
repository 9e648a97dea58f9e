/* The system's own resolver, from threads: usage: glibc A|getaddrinfo ADDRESS:PORT NAMES IN_FLIGHT [DISTINCT]
 *
 * IN_FLIGHT threads call getaddrinfo, for IPv4 alone or for both families; 1 is a program that waits for each answer.
 * Whom glibc asks is what /etc/resolv.conf says, so ADDRESS:PORT is not looked at. With DISTINCT, the names
 * "cachedN.bench.example" are asked for, which the driver's hosts file has: glibc has no cache to compare with.
 * Prints bench.h's report.
 */

#define _GNU_SOURCE
#include "bench.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

enum { STACK_SIZE = 256 << 10, MAX_THREADS = 4096 };

static atomic_uint asked, answered, wrong;
static unsigned names, distinct;
static struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

static bool is_expected(const struct addrinfo *row, uint32_t hash)
{
    uint8_t expected[16];
    size_t size = write_address(expected, row->ai_family == AF_INET ? TYPE_A : TYPE_AAAA, hash);
    const void *address = row->ai_family == AF_INET
                              ? (const void *)&((const struct sockaddr_in *)(const void *)row->ai_addr)->sin_addr
                              : (const void *)&((const struct sockaddr_in6 *)(const void *)row->ai_addr)->sin6_addr;
    return memcmp(expected, address, size) == 0;
}

static bool are_expected(const struct addrinfo *rows, const char *name)
{
    unsigned count = 0;
    bool right = true;
    for (const struct addrinfo *row = rows; row; row = row->ai_next, count++)
        right &= is_expected(row, hash_name(name));
    return right && count == (hints.ai_family == AF_INET ? 1 : 2);
}

static void *work(void *unused)
{
    (void)unused;
    for (unsigned number; (number = atomic_fetch_add(&asked, 1)) < names;) {
        char name[NAME_SIZE];
        struct addrinfo *rows;
        if (distinct < names)
            snprintf(name, sizeof name, "cached%u.bench.example", number % distinct);
        else
            write_name(name, number);
        if (getaddrinfo(name, "80", &hints, &rows) != 0)
            continue;
        atomic_fetch_add(&answered, 1);
        if (!are_expected(rows, name))
            atomic_fetch_add(&wrong, 1);
        freeaddrinfo(rows);
    }
    return NULL;
}

static void run(unsigned threads)
{
    static pthread_t started[MAX_THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&started[i], &attributes, work, NULL) != 0)
            die("pthread_create");
    for (unsigned i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: %s A|getaddrinfo ADDRESS:PORT NAMES IN_FLIGHT [DISTINCT]\n", argv[0]);
        return EXIT_FAILURE;
    }
    hints.ai_family = is_first(argv[1], "A", "getaddrinfo") ? AF_INET : AF_UNSPEC;
    unsigned all = number_argument(argv[3], 1, 100000000);
    unsigned threads = number_argument(argv[4], 1, MAX_THREADS);
    distinct = argc == 6 ? number_argument(argv[5], 1, all) : all;
    struct addrinfo *rows;
    if (getaddrinfo("warm-up.bench.example", "80", &hints, &rows) == 0) /* loads what nsswitch.conf names */
        freeaddrinfo(rows);
    names = all;

    struct moment start = now();
    if (threads == 1)
        work(NULL);
    else
        run(threads);
    struct moment end = now();

    report("glibc", all, answered, wrong, start, end);
    return EXIT_SUCCESS;
}
