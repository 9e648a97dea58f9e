/* What the responder and the C clients agree on: names, addresses, the report. */

#ifndef GDNS_BENCH_H
#define GDNS_BENCH_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, CLASS_IN = 1 };
enum { NAME_SIZE = 64 };

/* The kernel charges a small datagram's whole buffer to the socket, at worst this many octets. */
enum { DATAGRAM_CHARGE = 2304 };

static inline void write_name(char name[NAME_SIZE], unsigned number)
{
    snprintf(name, NAME_SIZE, "n%u.bench.example", number);
}

/* FNV-1a over the name's presentation form without the final dot; clients/workers.py computes the same. */
#define HASH_SEED 0x811c9dc5u

static inline uint32_t hash_octet(uint32_t hash, uint8_t octet)
{
    return (hash ^ octet) * 0x01000193u;
}

static inline uint32_t hash_name(const char *name)
{
    uint32_t hash = HASH_SEED;
    for (; *name; name++)
        hash = hash_octet(hash, (uint8_t)*name);
    return hash;
}

/* 192.0.2.0/24 (RFC 5737) for A, 2001:db8::/32 (RFC 3849) for AAAA; returns the address' length. */
static inline size_t write_address(uint8_t *address, uint16_t rdtype, uint32_t hash)
{
    if (rdtype == TYPE_A) {
        memcpy(address, (uint8_t[]){192, 0, 2, hash & 0xff}, 4);
        return 4;
    }
    uint32_t tail = htonl(hash);
    memcpy(address, (uint8_t[12]){0x20, 0x01, 0x0d, 0xb8}, 12);
    memcpy(address + 12, &tail, 4);
    return 16;
}

/* Give the socket the largest receive buffer it may have; returns how many datagrams it surely holds. */
static inline int widen(int fd)
{
    int octets = 64 << 20;
    socklen_t size = sizeof octets;
    /* FORCE passes net.core.rmem_max, but only with CAP_NET_ADMIN. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, size) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, size);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, &size) != 0)
        return 0;
    return octets / DATAGRAM_CHARGE;
}

static inline void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* An unsigned decimal argument in [least, most]; ends the program otherwise. */
static inline unsigned number_argument(const char *text, unsigned least, unsigned most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "%s: not a number from %u to %u\n", text, least, most);
        exit(EXIT_FAILURE);
    }
    return (unsigned)value;
}

/* The server, as ADDRESS:PORT; ends the program if it is not one. */
static inline struct sockaddr_in server_argument(const char *text)
{
    struct sockaddr_in server = {.sin_family = AF_INET};
    char address[INET_ADDRSTRLEN] = "";
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof address) {
        fprintf(stderr, "%s: not an IPv4 address and a port\n", text);
        exit(EXIT_FAILURE);
    }
    memcpy(address, text, (size_t)(colon - text));
    if (inet_pton(AF_INET, address, &server.sin_addr) != 1) {
        fprintf(stderr, "%s: not an IPv4 address\n", address);
        exit(EXIT_FAILURE);
    }
    server.sin_port = htons((uint16_t)number_argument(colon + 1, 0, 65535));
    return server;
}

/* Which of two words this is; ends the program if neither. */
static inline bool is_first(const char *word, const char *first, const char *second)
{
    if (strcmp(word, first) != 0 && strcmp(word, second) != 0) {
        fprintf(stderr, "%s: neither %s nor %s\n", word, first, second);
        exit(EXIT_FAILURE);
    }
    return strcmp(word, first) == 0;
}

struct moment {
    double cpu;  /* seconds, user and system */
    double wall; /* seconds */
};

static inline struct moment now(void)
{
    struct rusage usage;
    struct timespec clock;
    getrusage(RUSAGE_SELF, &usage);
    clock_gettime(CLOCK_MONOTONIC, &clock);
    return (struct moment){
        .cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
        .wall = (double)clock.tv_sec + (double)clock.tv_nsec / 1e9,
    };
}

/* The one line that the driver reads. */
static inline void report(const char *client, unsigned lookups, unsigned answered, unsigned wrong,
                          struct moment start, struct moment end)
{
    printf("{\"client\": \"%s\", \"lookups\": %u, \"answered\": %u, \"wrong\": %u, "
           "\"cpu_us_per_lookup\": %.3f, \"wall\": %.3f}\n",
           client, lookups, answered, wrong, (end.cpu - start.cpu) * 1e6 / lookups, end.wall - start.wall);
}

#endif
