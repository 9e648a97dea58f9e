/* A DNS responder meant to be faster than any client: usage: responder ADDRESS:PORT [held | GROUP]
 *
 * Listens there (port 0: any free one) and prints {"port": N, "window": datagrams its buffer holds}.
 * Every A and AAAA question gets the one address that bench.h derives from its name, TTL 300; every other
 * type gets NODATA. What is not a plain query is dropped. Ends on SIGTERM or when its stdin is closed.
 *
 * "held": keeps what it is asked to itself until it is asked for a TXT record; then it answers everything.
 * GROUP: answers whenever it has been asked so many questions, or none for a while: batches of one size.
 */

#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { BATCH = 256, MESSAGE_SIZE = 512, HEADER_SIZE = 12, RECORD_SIZE = 12 + 16, TYPE_TXT = 16 };
enum { HELD_MAX = 1 << 18, HELD_SIZE = 128, SILENCE_MS = 1000 };

struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec octets[BATCH];
    struct sockaddr_in clients[BATCH];
    uint8_t messages[BATCH][MESSAGE_SIZE];
};

/* Questions that are not answered yet. */
struct held {
    struct sockaddr_in client;
    size_t length;
    uint8_t message[HELD_SIZE];
};

static struct held *held;
static unsigned held_count;
static unsigned group;         /* answer when so many are held; 0: answer at once */
static bool waits_for_the_word; /* answer when asked for a TXT record */

/* The question of a message: where it ends, what it asks, the hash of its name. */
struct question {
    size_t end;
    uint16_t rdtype;
    uint16_t rdclass;
    uint32_t hash;
};

static uint16_t read_u16(const uint8_t *octets)
{
    return (uint16_t)(octets[0] << 8 | octets[1]);
}

static uint8_t *write_u16(uint8_t *octets, uint16_t value)
{
    octets[0] = (uint8_t)(value >> 8);
    octets[1] = (uint8_t)value;
    return octets + 2;
}

/* A question's name is never compressed: there is nothing before it to point to. */
static bool read_question(const uint8_t *message, size_t length, struct question *question)
{
    size_t at = HEADER_SIZE;
    uint32_t hash = HASH_SEED;
    while (at < length && message[at] != 0) {
        size_t label_end = at + 1 + message[at];
        if (message[at] > 63 || label_end >= length)
            return false;
        if (at > HEADER_SIZE)
            hash = hash_octet(hash, '.');
        for (at++; at < label_end; at++)
            hash = hash_octet(hash, message[at]);
    }
    if (at + 5 > length)
        return false;
    *question = (struct question){
        .end = at + 5,
        .rdtype = read_u16(message + at + 1),
        .rdclass = read_u16(message + at + 3),
        .hash = hash,
    };
    return true;
}

static bool is_query(const uint8_t *message, size_t length)
{
    bool qr_and_opcode_clear = length >= HEADER_SIZE && (message[2] & 0xf8) == 0;
    return qr_and_opcode_clear && read_u16(message + 4) == 1;
}

/* Turn the query into its reply, in place; returns the reply's length, or 0 to send none. */
static size_t answer(uint8_t *message, size_t length)
{
    struct question question;
    if (!is_query(message, length) || !read_question(message, length, &question))
        return 0;
    if (question.end + RECORD_SIZE > MESSAGE_SIZE)
        return 0;

    bool has_address = (question.rdtype == TYPE_A || question.rdtype == TYPE_AAAA) && question.rdclass == CLASS_IN;
    uint8_t *at = write_u16(message + 2, 0x8180); /* QR, RD, RA */
    at = write_u16(at, 1);
    at = write_u16(at, has_address);
    at = write_u16(at, 0);
    write_u16(at, 0); /* an OPT record is cut off: a server without EDNS (RFC 6891, section 7) */
    if (!has_address)
        return question.end;

    at = write_u16(message + question.end, 0xc000 | HEADER_SIZE); /* the question's name */
    at = write_u16(at, question.rdtype);
    at = write_u16(at, CLASS_IN);
    at = write_u16(at, 0);
    at = write_u16(at, 300);
    size_t address_size = write_address(at + 2, question.rdtype, question.hash);
    write_u16(at, (uint16_t)address_size);
    return (size_t)(at + 2 + address_size - message);
}

static void prepare(struct batch *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        batch->octets[i] = (struct iovec){batch->messages[i], MESSAGE_SIZE};
        batch->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->clients[i],
            .msg_namelen = sizeof batch->clients[i],
            .msg_iov = &batch->octets[i],
            .msg_iovlen = 1,
        };
    }
}

/* Moves the replies to the front of the batch, so that one sendmmsg takes them all. */
static unsigned answer_all(struct batch *batch, unsigned received)
{
    unsigned replies = 0;
    for (unsigned i = 0; i < received; i++) {
        size_t length = answer(batch->messages[i], batch->headers[i].msg_len);
        if (length == 0)
            continue;
        struct msghdr *reply = &batch->headers[replies++].msg_hdr;
        *reply = batch->headers[i].msg_hdr;
        reply->msg_iov->iov_len = length;
    }
    return replies;
}

static void send_all(int fd, struct mmsghdr *replies, unsigned count)
{
    for (unsigned sent = 0; sent < count;) {
        int accepted = sendmmsg(fd, replies + sent, count - sent, 0);
        /* A client that left makes its own reply fail, not those of the others. */
        sent += accepted > 0 ? (unsigned)accepted : 1;
    }
}

static void release(int fd, struct batch *batch)
{
    for (unsigned first = 0; first < held_count; first += BATCH) {
        unsigned count = held_count - first < BATCH ? held_count - first : BATCH;
        for (unsigned i = 0; i < count; i++) {
            const struct held *one = &held[first + i];
            memcpy(batch->messages[i], one->message, one->length);
            batch->clients[i] = one->client;
            batch->headers[i].msg_len = (unsigned)one->length;
        }
        send_all(fd, batch->headers, answer_all(batch, count));
        prepare(batch, count);
    }
    held_count = 0;
}

/* Put what was received aside; true if the word has come that everything is to be answered. */
static bool hold(const struct batch *batch, unsigned received)
{
    bool has_word = false;
    for (unsigned i = 0; i < received; i++) {
        struct question question;
        size_t length = batch->headers[i].msg_len;
        if (length > HELD_SIZE || held_count == HELD_MAX)
            continue;
        held[held_count] = (struct held){.client = batch->clients[i], .length = length};
        memcpy(held[held_count++].message, batch->messages[i], length);
        has_word |= read_question(batch->messages[i], length, &question) && question.rdtype == TYPE_TXT;
    }
    return has_word;
}

static void take(int fd, struct batch *batch, unsigned received)
{
    if (!group && !waits_for_the_word) {
        send_all(fd, batch->headers, answer_all(batch, received));
        prepare(batch, received);
        return;
    }
    bool has_word = hold(batch, received);
    prepare(batch, received);
    if (waits_for_the_word ? has_word : held_count >= group) {
        release(fd, batch);
        waits_for_the_word = false;
    }
}

static void serve(int fd)
{
    static struct batch batch;
    prepare(&batch, BATCH);
    struct pollfd sources[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    for (;;) {
        int ready = poll(sources, 2, group && held_count ? SILENCE_MS : -1);
        if (ready < 0)
            die("poll");
        if (ready == 0)
            release(fd, &batch);
        if (sources[1].revents) /* nobody writes to it: this is its end, so the driver is gone */
            return;
        int received = recvmmsg(fd, batch.headers, BATCH, MSG_DONTWAIT, NULL);
        if (received < 0 && errno != EAGAIN && errno != EINTR)
            die("recvmmsg");
        if (received > 0)
            take(fd, &batch, (unsigned)received);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: %s ADDRESS:PORT [held | GROUP]\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct sockaddr_in address = server_argument(argv[1]);
    waits_for_the_word = argc == 3 && strcmp(argv[2], "held") == 0;
    if (argc == 3) {
        group = waits_for_the_word ? 0 : number_argument(argv[2], 1, BATCH);
        held = calloc(HELD_MAX, sizeof *held);
        if (!held)
            die("calloc");
    }
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0)
        die("bind");
    int window = widen(fd);
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("getsockname");
    printf("{\"port\": %d, \"window\": %d}\n", ntohs(address.sin_port), window);
    fflush(stdout);
    serve(fd);
    return EXIT_SUCCESS;
}
