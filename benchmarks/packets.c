/* Bare DNS packets, the limit for any client: usage: packets A|getaddrinfo ADDRESS:PORT NAMES IN_FLIGHT
 *
 * Asks the server for every name's A record (or A and AAAA) over one UDP socket, in batches, with IN_FLIGHT
 * names outstanding. No retries, no timers, no queue: a reply that is lost stays lost. Prints bench.h's report.
 */

#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>

enum { BATCH = 256, MESSAGE_SIZE = 512, HEADER_SIZE = 12, RECORD_HEADER_SIZE = 12, MAX_IN_FLIGHT = 65536 };

/* A lookup of a name is one or two queries; each query holds one id while it is outstanding. */
struct run {
    int fd;
    unsigned names;
    unsigned types; /* 1: A; 2: A and AAAA */
    unsigned asked; /* queries sent so far; query q is about name q / types */
    unsigned outstanding;
    unsigned free_count;
    uint16_t free_ids[MAX_IN_FLIGHT];
    unsigned query_of[MAX_IN_FLIGHT];
    bool is_outstanding[MAX_IN_FLIGHT];
    uint8_t *replies; /* by name: how many of its queries are answered */
    uint8_t *is_wrong; /* by name */
};

struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec octets[BATCH];
    uint8_t messages[BATCH][MESSAGE_SIZE];
};

static uint16_t query_type(const struct run *run, unsigned query)
{
    return query % run->types == 0 ? TYPE_A : TYPE_AAAA;
}

static size_t write_query(uint8_t *message, uint16_t id, const char *name, uint16_t rdtype)
{
    /* RD, one question */
    memcpy(message, (uint8_t[HEADER_SIZE]){(uint8_t)(id >> 8), (uint8_t)id, 0x01, 0, 0, 1}, HEADER_SIZE);
    uint8_t *length = message + HEADER_SIZE;
    uint8_t *at = length + 1;
    for (; *name; name++) {
        if (*name == '.') {
            *length = (uint8_t)(at - length - 1);
            length = at++;
        } else {
            *at++ = (uint8_t)*name;
        }
    }
    *length = (uint8_t)(at - length - 1);
    memcpy(at, (uint8_t[]){0, 0, (uint8_t)rdtype, 0, CLASS_IN}, 5);
    return (size_t)(at + 5 - message);
}

static void write_next(struct run *run, struct iovec *octets)
{
    char name[NAME_SIZE];
    unsigned query = run->asked++;
    uint16_t id = run->free_ids[--run->free_count];
    run->query_of[id] = query;
    run->is_outstanding[id] = true;
    run->outstanding++;
    write_name(name, query / run->types);
    octets->iov_len = write_query(octets->iov_base, id, name, query_type(run, query));
}

/* Send what fits into one batch; the caller comes back until the window is full. */
static void send_batch(struct run *run, struct batch *batch)
{
    unsigned count = 0;
    while (count < BATCH && run->free_count > 0 && run->asked < run->names * run->types)
        write_next(run, &batch->octets[count++]);
    for (unsigned sent = 0; sent < count;) {
        int accepted = sendmmsg(run->fd, batch->headers + sent, count - sent, 0);
        if (accepted < 0)
            die("sendmmsg");
        sent += (unsigned)accepted;
    }
}

/* The responder appends one record to the question, so the address is the message's last octets. */
static bool is_right(const uint8_t *message, size_t length, unsigned number, uint16_t rdtype)
{
    char name[NAME_SIZE];
    uint8_t query[MESSAGE_SIZE], address[16];
    write_name(name, number);
    size_t question_end = write_query(query, 0, name, rdtype);
    size_t address_size = write_address(address, rdtype, hash_name(name));
    return length == question_end + RECORD_HEADER_SIZE + address_size &&
           memcmp(message + HEADER_SIZE, query + HEADER_SIZE, question_end - HEADER_SIZE) == 0 &&
           memcmp(message + length - address_size, address, address_size) == 0;
}

static void read_reply(struct run *run, const uint8_t *message, size_t length)
{
    if (length < HEADER_SIZE)
        return;
    uint16_t id = (uint16_t)(message[0] << 8 | message[1]);
    if (!run->is_outstanding[id])
        return;
    unsigned query = run->query_of[id];
    unsigned number = query / run->types;
    run->is_outstanding[id] = false;
    run->outstanding--;
    run->free_ids[run->free_count++] = id;
    run->replies[number]++;
    run->is_wrong[number] |= !is_right(message, length, number, query_type(run, query));
}

/* False if nothing came within the socket's timeout: what is outstanding is lost. */
static bool receive_batch(struct run *run, struct batch *batch)
{
    int received = recvmmsg(run->fd, batch->headers, BATCH, MSG_WAITFORONE, NULL);
    if (received < 0 && errno != EAGAIN)
        die("recvmmsg");
    for (int i = 0; i < received; i++)
        read_reply(run, batch->messages[i], batch->headers[i].msg_len);
    return received > 0;
}

static void prepare(struct batch *batch)
{
    for (int i = 0; i < BATCH; i++) {
        batch->octets[i] = (struct iovec){batch->messages[i], MESSAGE_SIZE};
        batch->headers[i].msg_hdr = (struct msghdr){.msg_iov = &batch->octets[i], .msg_iovlen = 1};
    }
}

static void ask_all(struct run *run)
{
    static struct batch outgoing, incoming; /* two: sending leaves its lengths behind */
    prepare(&outgoing);
    prepare(&incoming);
    unsigned queries = run->names * run->types;
    do {
        while (run->free_count > 0 && run->asked < queries)
            send_batch(run, &outgoing);
    } while (receive_batch(run, &incoming) && (run->outstanding > 0 || run->asked < queries));
}

static int connect_to(struct sockaddr_in server)
{
    struct timeval patience = {.tv_sec = 2};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) != 0)
        die("connect");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        die("SO_RCVTIMEO");
    widen(fd);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s A|getaddrinfo ADDRESS:PORT NAMES IN_FLIGHT\n", argv[0]);
        return EXIT_FAILURE;
    }
    static struct run run;
    run.types = is_first(argv[1], "A", "getaddrinfo") ? 1 : 2;
    run.names = number_argument(argv[3], 1, 100000000);
    run.free_count = run.types * number_argument(argv[4], 1, MAX_IN_FLIGHT / run.types);
    for (unsigned id = 0; id < run.free_count; id++)
        run.free_ids[id] = (uint16_t)id;
    run.replies = calloc(run.names, 1);
    run.is_wrong = calloc(run.names, 1);
    if (!run.replies || !run.is_wrong)
        die("calloc");
    run.fd = connect_to(server_argument(argv[2]));

    struct moment start = now();
    ask_all(&run);
    struct moment end = now();

    unsigned answered = 0, wrong = 0;
    for (unsigned number = 0; number < run.names; number++) {
        answered += run.replies[number] == run.types;
        wrong += run.replies[number] == run.types && run.is_wrong[number];
    }
    report("packets", run.names, answered, wrong, start, end);
    return EXIT_SUCCESS;
}
