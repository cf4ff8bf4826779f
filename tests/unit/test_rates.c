/* SPDX-License-Identifier: Apache-2.0
 *
 * Rates, and the figures of addresses, on virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "access/addresses.h"
#include "access/rates.h"

static void a_rate_lets_a_second_s_worth_through_at_once_and_then_its_pace_test(void **state)
{
    static const uint32_t rates[] = {1, 3, 10, 999, 1000, 50000};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct rate rate = {0};
        uint64_t now_ms = 123456789;
        for (uint32_t n = 0; n < rates[i]; n++)
            assert_int_equal(rate_take(&rate, rates[i], now_ms), 0);
        uint32_t wait_ms = rate_take(&rate, rates[i], now_ms);
        assert_in_range(wait_ms, 1, 1000 / rates[i] + 1);
        assert_int_equal(rate_take(&rate, rates[i], now_ms), wait_ms); /* a refusal takes nothing */
        assert_int_equal(rate_take(&rate, rates[i], now_ms + wait_ms), 0);
        /* Over ten seconds of constant asking: the burst and ten seconds' worth. */
        rate = (struct rate){0};
        uint64_t taken = 0;
        for (uint64_t ms = 0; ms < 10000; ms++) {
            for (unsigned n = 0; n < 60 && rate_take(&rate, rates[i], now_ms + ms) == 0; n++)
                taken++;
        }
        uint64_t limit = rates[i] * 11u;
        assert_in_range(taken, limit - limit / 10 - 1, limit);
        assert_false(rate_is_idle(&rate, now_ms + 9999));
        assert_true(rate_is_idle(&rate, now_ms + 12000));
    }
}

static void no_rate_is_no_limit_test(void **state)
{
    struct rate rate = {0};
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(rate_take(&rate, 0, 5), 0);
    assert_true(rate_is_idle(&rate, 5));
}

static struct sockaddr_storage peer_of(const char *text)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&peer;
    bool is_v6 = strchr(text, ':') != NULL;
    peer.ss_family = is_v6 ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(peer.ss_family, text, is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr), 1);
    return peer;
}

static bool enter(struct addresses *addresses, int fd, const char *text, uint64_t now_ms)
{
    struct sockaddr_storage peer = peer_of(text);
    return addresses_enter(addresses, fd, (struct sockaddr *)&peer, now_ms);
}

static void connections_of_an_address_are_capped_test(void **state)
{
    struct addresses *addresses = NULL;
    (void)state;
    assert_int_equal(addresses_new(0, 2, &addresses), 0);
    assert_true(enter(addresses, 10, "192.0.2.1", 0));
    assert_true(enter(addresses, 11, "192.0.2.1", 0));
    assert_false(enter(addresses, 12, "192.0.2.1", 0));
    assert_true(enter(addresses, 12, "192.0.2.2", 0));
    assert_false(enter(addresses, 13, "::ffff:192.0.2.1", 0)); /* the same one */
    addresses_leave(addresses, 13); /* never entered: changes nothing */
    assert_false(enter(addresses, 13, "192.0.2.1", 0));
    addresses_move(addresses, 10, 5000); /* another descriptor stands for it */
    addresses_leave(addresses, 10);
    assert_false(enter(addresses, 10, "192.0.2.1", 0));
    addresses_leave(addresses, 5000);
    assert_true(enter(addresses, 10, "192.0.2.1", 0));
    assert_int_equal(addresses_count(addresses), 2);
    addresses_leave(addresses, 10);
    addresses_leave(addresses, 11);
    addresses_leave(addresses, 12);
    assert_int_equal(addresses_count(addresses), 0);
    addresses_free(addresses);
}

/* Symptom: a connection that the HTTP library closed by itself counted for ever once its descriptor was another's. */
static void a_descriptor_that_was_closed_without_a_word_counts_no_more_test(void **state)
{
    struct addresses *addresses = NULL;
    (void)state;
    assert_int_equal(addresses_new(0, 2, &addresses), 0);
    assert_true(enter(addresses, 10, "192.0.2.1", 0));
    assert_true(enter(addresses, 11, "192.0.2.1", 0));
    addresses_move(addresses, 11, 10);
    assert_true(enter(addresses, 12, "192.0.2.1", 0));
    assert_false(enter(addresses, 13, "192.0.2.1", 0));
    addresses_leave(addresses, 10);
    addresses_leave(addresses, 12);
    assert_int_equal(addresses_count(addresses), 0);
    addresses_free(addresses);
}

static void a_network_of_ipv6_is_one_address_test(void **state)
{
    struct addresses *addresses = NULL;
    (void)state;
    assert_int_equal(addresses_new(0, 1, &addresses), 0);
    assert_true(enter(addresses, 10, "2001:db8::1", 0));
    assert_false(enter(addresses, 11, "2001:db8::ffff:1", 0));
    assert_true(enter(addresses, 11, "2001:db8:0:1::1", 0));
    addresses_free(addresses);
}

static void loopback_and_sockets_without_address_are_exempt_test(void **state)
{
    static const char *const exempt[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    const struct sockaddr local = {.sa_family = AF_UNIX};
    struct addresses *addresses = NULL;
    (void)state;
    assert_int_equal(addresses_new(1, 1, &addresses), 0);
    for (int i = 0; i < 40; i++) {
        assert_true(enter(addresses, i, exempt[i % 4], 0));
        assert_int_equal(addresses_take_rate(addresses, i, 0), 0);
        assert_int_equal(addresses_take_rate(addresses, i, 0), 0);
    }
    assert_true(addresses_enter(addresses, 50, &local, 0));
    assert_int_equal(addresses_count(addresses), 0);
    addresses_free(addresses);
}

static void a_new_connection_does_not_come_with_a_new_rate_test(void **state)
{
    struct addresses *addresses = NULL;
    (void)state;
    assert_int_equal(addresses_new(2, 0, &addresses), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(enter(addresses, 10 + i, "192.0.2.1", 1000));
        assert_int_equal(addresses_take_rate(addresses, 10 + i, 1000), 0);
    }
    addresses_leave(addresses, 10);
    addresses_leave(addresses, 11);
    assert_true(enter(addresses, 12, "192.0.2.1", 1000));
    assert_int_equal(addresses_take_rate(addresses, 12, 1000), 500);
    assert_true(enter(addresses, 13, "192.0.2.7", 1000));
    assert_int_equal(addresses_take_rate(addresses, 13, 1000), 0); /* another address has its own */
    assert_int_equal(addresses_take_rate(addresses, 12, 1500), 0);
    addresses_free(addresses);
}

static void a_descriptor_that_was_closed_in_silence_is_put_right_test(void **state)
{
    struct addresses *addresses = NULL;
    (void)state;
    assert_int_equal(addresses_new(0, 1, &addresses), 0);
    assert_true(enter(addresses, 10, "192.0.2.1", 0));
    assert_true(enter(addresses, 10, "192.0.2.2", 0)); /* the kernel gave the number again */
    assert_true(enter(addresses, 11, "192.0.2.1", 0));
    assert_true(enter(addresses, 10, "127.0.0.1", 0));
    assert_int_equal(addresses_count(addresses), 1);
    addresses_free(addresses);
}

/* Many addresses, each once: the table stays within its limit and forgets those that are idle. */
static void a_flood_of_addresses_is_forgotten_test(void **state)
{
    enum { FLOOD = ADDRESSES_PARTS * ADDRESSES_PER_PART_MAX + 50000 };
    struct addresses *addresses = NULL;
    unsigned refused = 0;
    (void)state;
    assert_int_equal(addresses_new(1, 0, &addresses), 0);
    for (uint32_t i = 0; i < FLOOD; i++) {
        struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000u + i)};
        if (!addresses_enter(addresses, 7, (struct sockaddr *)&peer, 1000)) {
            refused++;
            continue;
        }
        assert_int_equal(addresses_take_rate(addresses, 7, 1000), 0);
        addresses_leave(addresses, 7);
    }
    assert_in_range(addresses_count(addresses), 1, ADDRESSES_PARTS * ADDRESSES_PER_PART_MAX);
    assert_in_range(refused, 1, FLOOD); /* all of them remember something: there is no room for more */
    assert_true(enter(addresses, 8, "192.0.2.1", 5000)); /* a few seconds later there is */
    addresses_free(addresses);
}

static void descriptors_beyond_the_table_are_refused_test(void **state)
{
    struct addresses *addresses = NULL;
    (void)state;
    assert_int_equal(addresses_new(1, 1, &addresses), 0);
    assert_false(enter(addresses, 1 << 30, "192.0.2.1", 0));
    assert_false(enter(addresses, -1, "192.0.2.1", 0));
    assert_int_equal(addresses_take_rate(addresses, 1 << 30, 0), 0);
    addresses_free(addresses);
    addresses_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_lets_a_second_s_worth_through_at_once_and_then_its_pace_test),
        cmocka_unit_test(no_rate_is_no_limit_test), cmocka_unit_test(connections_of_an_address_are_capped_test),
        cmocka_unit_test(a_descriptor_that_was_closed_without_a_word_counts_no_more_test),
        cmocka_unit_test(a_network_of_ipv6_is_one_address_test),
        cmocka_unit_test(loopback_and_sockets_without_address_are_exempt_test),
        cmocka_unit_test(a_new_connection_does_not_come_with_a_new_rate_test),
        cmocka_unit_test(a_descriptor_that_was_closed_in_silence_is_put_right_test),
        cmocka_unit_test(a_flood_of_addresses_is_forgotten_test),
        cmocka_unit_test(descriptors_beyond_the_table_are_refused_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
