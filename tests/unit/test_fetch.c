/* SPDX-License-Identifier: Apache-2.0
 *
 * What fetch.c says of requests to the world outside that come to nothing, without a server. Those that come to
 * something are in tests/node/webhook.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/fetch.h"

static struct world {
    struct ev_loop *loop;
    struct fetch *fetch;
    unsigned dones, looked_at;
    int error;
    char trouble[256];
    bool is_guarded;         /* what the guard says */
} world;

static bool guard(const struct sockaddr *address)
{
    world.looked_at++;
    assert_int_equal(address->sa_family, AF_INET);
    return world.is_guarded;
}

static void on_done(void *user, uint64_t id, const struct fetch_answer *answer)
{
    (void)user, (void)id;
    world.dones++;
    world.error = answer->error;
    snprintf(world.trouble, sizeof world.trouble, "%s", answer->trouble != NULL ? answer->trouble : "");
    ev_break(world.loop, EVBREAK_ALL);
}

static int setup(void **state)
{
    (void)state;
    world = (struct world){.loop = ev_loop_new(EVFLAG_AUTO)};
    assert_int_equal(fetch_new(world.loop, &world.fetch), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fetch_free(world.fetch);
    ev_loop_destroy(world.loop);
    return 0;
}

static void ask(const char *url, const struct fetch_outside *outside, uint32_t timeout_ms)
{
    const struct fetch_request request = {.method = "GET", .url = url, .timeout_ms = timeout_ms, .outside = outside,
                                          .done = on_done};
    assert_int_not_equal(fetch_start(world.fetch, &request), 0);
    assert_int_equal(world.dones, 0); /* never from inside */
    ev_run(world.loop, 0);
    assert_int_equal(world.dones, 1);
}

static const struct fetch_outside guarded = {.content_type = "text/plain", .guards = guard};
static const struct fetch_outside unguarded = {.content_type = "text/plain"};

/* A port of 127.0.0.1 that nobody listens at, or that takes connections and says nothing. Returns the socket. */
static int open_port(bool listens, char url[static 64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    if (listens)
        assert_int_equal(listen(fd, 8), 0);
    snprintf(url, 64, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    return fd;
}

static void test_an_address_that_is_guarded_is_not_connected_to(void **state)
{
    char url[64];
    int fd = open_port(true, url);
    (void)state;
    world.is_guarded = true;
    ask(url, &guarded, 5000);
    assert_int_equal(world.looked_at, 1);
    assert_int_equal(world.error, TROUPE_E_FORBIDDEN);
    assert_non_null(strstr(world.trouble, "link-local"));
    assert_int_equal(accept(fd, NULL, NULL), -1); /* nobody came */
    close(fd);
}

static void test_nobody_there_is_unreachable(void **state)
{
    char url[64];
    int fd = open_port(false, url);
    (void)state;
    ask(url, &guarded, 5000);
    assert_int_equal(world.looked_at, 1);
    assert_int_equal(world.error, TROUPE_E_UNREACHABLE);
    close(fd);
}

static void test_silence_is_a_timeout(void **state)
{
    char url[64];
    int fd = open_port(true, url);
    (void)state;
    ask(url, &unguarded, 50);
    assert_int_equal(world.looked_at, 0);
    assert_int_equal(world.error, TROUPE_E_TIMEOUT);
    close(fd);
}

static void test_only_requests_to_the_world_outside_may_use_https_and_none_anything_else(void **state)
{
    (void)state;
    ask("https://127.0.0.1:1/", NULL, 5000);
    assert_int_equal(world.error, TROUPE_E_UNREACHABLE);
    assert_non_null(strstr(world.trouble, "rotocol"));
    world.dones = 0;
    ask("file:///etc/passwd", &unguarded, 5000);
    assert_int_equal(world.error, TROUPE_E_UNREACHABLE);
    assert_non_null(strstr(world.trouble, "rotocol"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_address_that_is_guarded_is_not_connected_to),
        TEST(test_nobody_there_is_unreachable),
        TEST(test_silence_is_a_timeout),
        TEST(test_only_requests_to_the_world_outside_may_use_https_and_none_anything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
