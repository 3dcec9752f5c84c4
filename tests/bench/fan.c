/* fan: a load generator that costs far less than what it measures.
 *
 * One epoll loop opens many WebSockets, has some of them publish, and counts what arrives. It builds no objects: a
 * delivery is an occurrence of @@<19 digits>@@ in what a socket receives, the nanoseconds at which its publish was
 * sent. The loop is closed: at most --window publishes are outstanding. Frames are given as files, so any encoding does:
 * a sequence of payloads, each behind its length as four bytes, little-endian. In a payload that is published,
 * @@0000000000000000000@@ becomes the time and ######## a number, both of fixed width.
 *
 *   fan --port P --conns N --opens FILE --publish FILE --expect E --rounds R --window W
 *       [--path /ws] [--protocol NAME] [--binary] [--by-ack] [--settle MS] [--at-once K] [--missed M] [--for S]
 *
 * --opens      the first frame of each connection, used in turn
 * --publish    one payload a publisher: as many connections as it holds publish in turn
 * --expect     deliveries that one publish causes
 * --by-ack     a publish is over when a frame with "result" in it has come for it, not when all deliveries have
 * --at-once    handshakes under way at a time (64)
 * --missed     deliveries that each connection gets for having been away: "seconds" is until the last of them
 * --for        publish for so many seconds instead of so many rounds
 *
 * Answers one line of JSON; "uneven" counts connections that got another number of deliveries than --each says.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTING, SHAKING, OPENING, OPEN, CLOSED };
enum { MARK = 23, DIGITS = 19, BUFFER = 1 << 20, BUCKETS = 64 * 64 };

typedef struct { int fd, state; uint64_t got; char tail[64]; int tail_length; } Conn;
typedef struct { unsigned char *bytes; size_t length; } Payload;
typedef struct { Payload *items; int count; } Payloads;

static Conn *conns;
static int conn_count, opened, under_way, next_conn, epoll, binary, port, at_once = 64;
static uint64_t deliveries, acks, errors, closed, bytes, histogram[BUCKETS];
static const char *path = "/ws", *protocol = "";
static Payloads opens;
static char buffer[BUFFER + 64];

static void die(const char *what) { perror(what); exit(2); }

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static Payloads load(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file) die(name);
    Payloads all = {NULL, 0};
    uint32_t length;
    while (fread(&length, 4, 1, file) == 1) {
        all.items = realloc(all.items, (all.count + 1) * sizeof(Payload));
        Payload *one = &all.items[all.count++];
        one->bytes = malloc(length);
        one->length = length;
        if (fread(one->bytes, 1, length, file) != length) die(name);
    }
    fclose(file);
    return all;
}

/* Log-linear: 64 steps to each doubling of the microseconds, so a percentile is off by 1.6 % at most. */
static int bucket_of(uint64_t us) {
    if (us < 64) return us;
    int high = 63 - __builtin_clzll(us);
    int bucket = (high - 5) * 64 + (int)((us >> (high - 6)) - 64);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static uint64_t value_of(int bucket) {
    if (bucket < 64) return bucket;
    int high = bucket / 64 + 5;
    return (uint64_t)(bucket % 64 + 64) << (high - 6);
}

static double percentile(double part) {
    uint64_t due = deliveries * part, seen = 0;
    for (int b = 0; b < BUCKETS; b++)
        if ((seen += histogram[b]) > due) return value_of(b) / 1000.0;
    return 0;
}

static void send_all(int fd, const unsigned char *at, size_t left) {
    while (left) {
        ssize_t sent = send(fd, at, left, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) { usleep(50); continue; }
        if (sent < 0) return; /* its end is read, and counted, in the loop */
        at += sent;
        left -= sent;
    }
}

static void send_frame(int fd, const unsigned char *payload, size_t length) {
    unsigned char frame[14 + length];
    int head = 2;
    frame[0] = 0x80 | (binary ? 2 : 1);
    if (length < 126) frame[1] = 0x80 | length;
    else { frame[1] = 0x80 | 126; frame[2] = length >> 8; frame[3] = length; head = 4; }
    memset(frame + head, 0, 4); /* a mask of zeros is a mask */
    memcpy(frame + head + 4, payload, length);
    send_all(fd, frame, head + 4 + length);
}

static void begin(Conn *conn) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (conn->fd < 0) die("socket");
    int one = 1;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(conn->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = conn};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event)) die("epoll_ctl");
    under_way++;
}

static void shake(Conn *conn) {
    char request[1024];
    int length = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
        path, port, *protocol ? "Sec-WebSocket-Protocol: " : "", protocol, *protocol ? "\r\n" : "");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(epoll, EPOLL_CTL_MOD, conn->fd, &event);
    send_all(conn->fd, (unsigned char *)request, length);
    conn->state = SHAKING;
}

static void end(Conn *conn) {
    if (conn->state != OPEN) under_way--;
    conn->state = CLOSED;
    close(conn->fd);
    closed++;
}

static void is_open(Conn *conn) {
    conn->state = OPEN;
    opened++;
    under_way--;
}

/* What begins before `until` is counted; what begins behind it may be cut off, and is looked at again with the rest. */
static uint64_t count(const char *at, const char *until, const char *end, const char *what) {
    uint64_t found = 0;
    size_t length = strlen(what);
    while ((at = memmem(at, end - at, what, length)) && at < until) { found++; at += length; }
    return found;
}

static void take(Conn *conn, const char *at, size_t length) {
    const char *end = at + length, *until = end - (length < MARK ? length : MARK - 1);
    uint64_t time = now();
    for (const char *mark = at; (mark = memmem(mark, end - mark, "@@", 2)) && mark < until; mark++) {
        uint64_t sent = 0;
        int digit = 2;
        while (digit < 2 + DIGITS && mark[digit] >= '0' && mark[digit] <= '9') sent = sent * 10 + (mark[digit++] - '0');
        if (digit < 2 + DIGITS) continue;
        histogram[bucket_of((time - sent) / 1000)]++;
        deliveries++;
        conn->got++;
    }
    acks += count(at, until, end, "result");
    errors += count(at, until, end, "error");
    conn->tail_length = end - until;
    memcpy(conn->tail, until, conn->tail_length);
}

static void receive(Conn *conn) {
    for (;;) {
        char *at = buffer + 64;
        ssize_t got = recv(conn->fd, at, BUFFER, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) { end(conn); return; }
        bytes += got;
        if (conn->state == SHAKING) { /* an answer of 101 comes whole, and nothing behind it */
            if (memcmp(at, "HTTP/1.1 101", 12)) { fprintf(stderr, "refused: %.*s\n", (int)got, at); exit(2); }
            if (!opens.count) { is_open(conn); return; }
            conn->state = OPENING;
            Payload *open = &opens.items[(conn - conns) % opens.count];
            send_frame(conn->fd, open->bytes, open->length);
            return;
        }
        if (conn->state == OPENING) {
            if (memmem(at, got, "error", 5)) { fprintf(stderr, "refused: %.*s\n", (int)got, at); exit(2); }
            is_open(conn); /* what it missed may come right behind */
        }
        at -= conn->tail_length;
        memcpy(at, conn->tail, conn->tail_length);
        take(conn, at, got + conn->tail_length);
        if (got < BUFFER) return;
    }
}

/* Show life on every connection now and then, as a client that answers pings does. */
static void beat(void) {
    static uint64_t next;
    static const unsigned char pong[6] = {0x8a, 0x80};
    if (!*protocol || now() < next) return; /* the bare servers take any frame for a publish */
    next = now() + 15000000000ull;
    for (int i = 0; i < conn_count; i++)
        if (conns[i].state == OPEN) send_all(conns[i].fd, pong, sizeof pong);
}

static void turn(int wait_ms) {
    struct epoll_event events[512];
    beat();
    int ready = epoll_wait(epoll, events, 512, wait_ms);
    for (int i = 0; i < ready; i++) {
        Conn *conn = events[i].data.ptr;
        if (conn->state == CONNECTING) shake(conn);
        else if (conn->state != CLOSED) receive(conn);
    }
}

static void publish(Payload *payload, Conn *conn, uint64_t number) {
    char text[32];
    char *place = memmem(payload->bytes, payload->length, "@@", 2);
    snprintf(text, sizeof text, "%019llu", (unsigned long long)now());
    if (place) memcpy(place + 2, text, DIGITS);
    for (unsigned char *at = payload->bytes; (at = memmem(at, payload->bytes + payload->length - at, "~#", 2)); at += 10) {
        snprintf(text, sizeof text, "%08llu", (unsigned long long)number);
        memcpy(at + 2, text, 8);
    }
    send_frame(conn->fd, payload->bytes, payload->length);
}

int main(int argc, char **argv) {
    static struct option options[] = {
        {"port", 1, 0, 'p'}, {"conns", 1, 0, 'c'}, {"opens", 1, 0, 'o'}, {"publish", 1, 0, 'u'}, {"expect", 1, 0, 'e'},
        {"rounds", 1, 0, 'r'}, {"window", 1, 0, 'w'}, {"path", 1, 0, 'a'}, {"protocol", 1, 0, 't'}, {"binary", 0, 0, 'b'},
        {"by-ack", 0, 0, 'k'}, {"settle", 1, 0, 's'}, {"at-once", 1, 0, 'n'}, {"each", 1, 0, 'x'}, {"missed", 1, 0, 'm'}, {"for", 1, 0, 'f'}, {0}};
    uint64_t expect = 1, rounds = 0, window = 1, each = 0, published = 0, missed = 0, lasts = 0;
    int by_ack = 0, settle = 500;
    Payloads publishes = {NULL, 0};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'c': conn_count = atoi(optarg); break;
        case 'o': opens = load(optarg); break;
        case 'u': publishes = load(optarg); break;
        case 'e': expect = atoll(optarg); break;
        case 'r': rounds = atoll(optarg); break;
        case 'w': window = atoll(optarg); break;
        case 'a': path = optarg; break;
        case 't': protocol = optarg; break;
        case 'b': binary = 1; break;
        case 'k': by_ack = 1; break;
        case 's': settle = atoi(optarg); break;
        case 'n': at_once = atoi(optarg); break;
        case 'x': each = atoll(optarg); break;
        case 'm': missed = atoll(optarg); break;
        case 'f': lasts = atoll(optarg) * 1000000000ull, rounds = UINT64_MAX; break;
        default: return 2;
    }
    struct rlimit files = {conn_count + 64, conn_count + 64};
    struct rlimit have;
    getrlimit(RLIMIT_NOFILE, &have);
    if (have.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files)) die("too few open files allowed");
    if ((epoll = epoll_create1(0)) < 0) die("epoll_create1");
    conns = calloc(conn_count, sizeof(Conn));

    uint64_t began = now();
    while (opened + (int)closed < conn_count) {
        while (next_conn < conn_count && under_way < at_once) begin(&conns[next_conn++]);
        turn(1000);
    }
    double opening = (now() - began) / 1e9;
    uint64_t first = began, silent = now(), seen = deliveries;
    while (deliveries < missed * conn_count && now() - silent < 10000000000ull) {
        turn(100);
        if (deliveries != seen) { seen = deliveries; silent = now(); }
    }
    if (!missed) {
        for (uint64_t until = now() + settle * 1000000ull; now() < until;) turn(10);
        acks = errors = deliveries = bytes = seen = 0;
        for (int i = 0; i < conn_count; i++) conns[i].got = 0;
        first = silent = now();
    }
    while (rounds && (published < rounds || (by_ack ? acks + errors < rounds : 0) || deliveries < expect * published)) {
        uint64_t over = by_ack ? acks + errors : deliveries / expect;
        while (published < rounds && published - over < window) {
            int who = published % publishes.count;
            publish(&publishes.items[who], &conns[who], published);
            published++;
        }
        if (lasts && now() - first > lasts) { lasts = 0; rounds = each = published; }
        turn(100);
        if (deliveries + acks != seen) { seen = deliveries + acks; silent = now(); }
        if (now() - silent > 10000000000ull || closed) break; /* nothing comes any more: say so */
    }
    double took = (now() - first) / 1e9;
    for (int i = 0; i < 20; i++) turn(10); /* what is one too many comes behind */
    uint64_t uneven = 0;
    for (int i = 0; each && i < conn_count; i++) uneven += conns[i].got != each;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"opened\":%d,\"opening_s\":%.4f,\"published\":%llu,\"deliveries\":%llu,\"expected\":%llu,\"acks\":%llu,"
           "\"errors\":%llu,\"closed\":%llu,\"uneven\":%llu,\"seconds\":%.4f,\"bytes\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"max_ms\":%.3f,\"cpu_s\":%.2f}\n",
           opened, opening, (unsigned long long)published, (unsigned long long)deliveries,
           (unsigned long long)(missed ? missed * conn_count : expect * published), (unsigned long long)acks, (unsigned long long)errors,
           (unsigned long long)closed, (unsigned long long)uneven, took, (unsigned long long)bytes, percentile(0.5),
           percentile(0.99), percentile(0.999999), cpu);
    return 0;
}
