/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams over libcurl and a real socket: what only time shows. A child process is the other side; it takes one
 * connection, says its words, and then keeps the connection open in silence until it is ended. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <troupe/client.h>

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

struct peer {
    pid_t pid;
    char url[64];
};

static void serve(int listener, const char *words)
{
    char head[4096];
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);
    alarm(20); /* whatever happens, it ends */
    while (len < sizeof head - 1) {
        ssize_t got = read(fd, head + len, sizeof head - 1 - len);
        if (got <= 0) {
            _exit(1);
        }
        len += (size_t)got;
        head[len] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL) {
            break;
        }
    }
    if (write(fd, words, strlen(words)) != (ssize_t)strlen(words)) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

static void start(struct peer *peer, const char *words)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0) {
        serve(listener, words);
    }
    close(listener);
}

static void stop(struct peer *peer)
{
    int status = 0;
    assert_int_equal(kill(peer->pid, SIGKILL), 0);
    assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it did not end by itself */
}

struct seen {
    int events, opened;
    int lost_with; /* the error of a loss */
};

/* Enough at the first loss. */
static bool on_event(void *user, const troupe_client_event *event)
{
    struct seen *seen = user;
    seen->events += event->kind == TROUPE_CLIENT_EVENT;
    seen->opened += event->kind == TROUPE_CLIENT_EVENT_OPEN;
    if (event->kind == TROUPE_CLIENT_EVENT_RETRY) {
        seen->lost_with = event->problem->error;
        return false;
    }
    return true;
}

static int follow(const char *words, uint32_t timeout_ms, uint32_t silence_ms, struct seen *seen,
                  troupe_client_problem *problem)
{
    struct peer peer;
    troupe_client *client = NULL;
    start(&peer, words);
    troupe_client_options options = {.url = peer.url, .timeout_ms = timeout_ms};
    troupe_client_stream_options stream = {.on_event = on_event, .user = seen, .silence_ms = silence_ms};
    assert_int_equal(troupe_client_new(&options, &client, NULL), 0);
    int rc = troupe_client_stream(client, &stream, problem);
    troupe_client_free(client);
    stop(&peer);
    return rc;
}

/* A network that swallows packets sends no end of the connection: only the missing pings tell. */
static void test_a_silent_stream_is_lost(void **state)
{
    struct seen seen = {0};
    (void)state;
    assert_int_equal(follow(STREAM_HEAD ": ping\n\ndata: a\n\n", 20000, 60, &seen, NULL), 0);
    assert_int_equal(seen.opened, 1);
    assert_int_equal(seen.events, 1);
    assert_int_equal(seen.lost_with, TROUPE_E_TIMEOUT);
}

/* The limit of an answer is for its head: a stream is longer than that. */
static void test_a_stream_outlasts_the_timeout(void **state)
{
    struct seen seen = {0};
    (void)state;
    assert_int_equal(follow(STREAM_HEAD "data: a\n\n", 1000, 2000, &seen, NULL), 0);
    assert_int_equal(seen.events, 1);
    assert_int_equal(seen.lost_with, TROUPE_E_TIMEOUT);
}

static void test_a_head_that_does_not_end_is_a_timeout(void **state)
{
    static const char *const words[] = {"", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
                                        "HTTP/1.1 100 Continue\r\n\r\n",
                                        "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhal"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct seen seen = {0};
        troupe_client_problem problem;
        assert_int_equal(follow(words[i], 60, 20000, &seen, &problem), TROUPE_E_TIMEOUT);
        assert_int_equal(problem.http_status, 0);
        assert_string_equal(problem.detail, "no answer within 60 ms");
        assert_int_equal(seen.opened, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_stream_is_lost),
        cmocka_unit_test(test_a_stream_outlasts_the_timeout),
        cmocka_unit_test(test_a_head_that_does_not_end_is_a_timeout),
    };
    return cmocka_run_group_tests_name("client follow", tests, NULL, NULL);
}
