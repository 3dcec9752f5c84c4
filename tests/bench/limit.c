/* limit: the least that a server with one thread can do for a fan-out: one send() of a finished frame to each socket.
 *
 * It checks nothing, stores nothing, and takes a frame of up to 125 bytes or 64 KiB from anybody. What holds
 * @@<19 digits>@@ is answered to everybody as a text frame of --size bytes that holds it as well.
 *
 *   limit PORT SIZE
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MARK = 23, SOCKETS = 65536 };
static int open_ones[SOCKETS], count;
static char shaken[SOCKETS], in[1 << 16], out[1 << 16];

static void answer(int fd) {
    static const char accepted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    send(fd, accepted, sizeof accepted - 1, MSG_NOSIGNAL);
    shaken[fd] = 1;
    open_ones[count++] = fd;
}

static void drop(int fd) {
    for (int i = 0; i < count; i++) if (open_ones[i] == fd) open_ones[i] = open_ones[--count];
    shaken[fd] = 0;
    close(fd);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    struct rlimit files = {SOCKETS, SOCKETS};
    setrlimit(RLIMIT_NOFILE, &files);
    size_t size = atoi(argv[2]), body = size - 4;
    memset(out, 'x', size);
    out[0] = (char)0x81;
    if (size <= 127) { body = size - 2; out[1] = body; }
    else { out[1] = 126; out[2] = body >> 8; out[3] = body; }
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, epoll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) { perror("listen"); return 1; }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 512, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            ssize_t got = recv(fd, in, sizeof in, 0);
            if (got <= 0) { drop(fd); continue; }
            if (!shaken[fd]) { answer(fd); continue; }
            char *mark = in; /* the generator's masks are zero */
            while ((mark = memmem(mark, in + got - mark, "@@", 2)) && mark + MARK <= in + got) {
                memcpy(out + size - MARK, mark, MARK);
                mark += MARK;
                for (int k = 0; k < count; k++) send(open_ones[k], out, size, MSG_NOSIGNAL);
            }
        }
    }
}
