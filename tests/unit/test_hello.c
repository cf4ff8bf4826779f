/* SPDX-License-Identifier: Apache-2.0
 *
 * The first frame of a peer port and its answer. The symptom (traps 12 and 24): an address that belongs to another node
 * by now was taken for the node that had it before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "peer/hello.h"

static const char cluster[] = "c.4tq8v1m02x7kc";
static const uint64_t node = 0x0123456789abcdefull;
static const unsigned char nonce[HELLO_NONCE_BYTES] = "one nonce, 16 b";
static const unsigned char other_nonce[HELLO_NONCE_BYTES] = "another nonce..";

static struct registry_secret secret_of(const char *text)
{
    struct registry_secret secret = {.len = strlen(text)};
    memcpy(secret.bytes, text, secret.len);
    return secret;
}

static void a_hello_is_answered_and_the_answer_is_believed_test(void **state)
{
    const struct registry_secret secret = secret_of("sixteen bytes or more");
    unsigned char hello[HELLO_BYTES], here[HELLO_BYTES];
    (void)state;
    for (int known = 0; known < 2; known++) {
        hello_ask(&secret, cluster, known ? node : 0, nonce, hello);
        assert_memory_equal(hello, "TRP1", 4);
        assert_int_equal(hello_answer(&secret, cluster, node, hello, other_nonce, here), 0);
        assert_int_equal(here[4], REGISTRY_PROTOCOL);
        assert_memory_equal(here + 8, other_nonce, sizeof other_nonce);
        assert_int_equal(hello_judge(&secret, hello, here), 0);
    }
}

static void every_flipped_bit_is_noticed_test(void **state)
{
    const struct registry_secret secret = secret_of("sixteen bytes or more");
    unsigned char hello[HELLO_BYTES], here[HELLO_BYTES], answer[HELLO_BYTES];
    (void)state;
    hello_ask(&secret, cluster, node, nonce, hello);
    assert_int_equal(hello_answer(&secret, cluster, node, hello, other_nonce, here), 0);
    for (unsigned bit = 0; bit < HELLO_BYTES * 8; bit++) {
        hello[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_not_equal(hello_answer(&secret, cluster, node, hello, other_nonce, answer), 0);
        if (bit / 8 < 48) /* the answer is to what the hello says, not to its proof */
            assert_int_not_equal(hello_judge(&secret, hello, here), 0);
        hello[bit / 8] ^= (unsigned char)(1u << bit % 8);
        here[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_not_equal(hello_judge(&secret, hello, here), 0);
        here[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(hello_judge(&secret, hello, here), 0);
}

static void a_reused_address_is_not_taken_for_the_old_node_test(void **state)
{
    const struct registry_secret secret = secret_of("sixteen bytes or more"), other = secret_of("sixteen other bytes");
    const struct registry_secret none = {.len = 0};
    unsigned char hello[HELLO_BYTES], here[HELLO_BYTES], wrong[HELLO_BYTES];
    (void)state;
    hello_ask(&secret, cluster, node, nonce, hello);
    assert_int_equal(hello_answer(&secret, cluster, node + 1, hello, nonce, here), TROUPE_E_WRONG_CLUSTER);
    assert_int_equal(hello_answer(&secret, "c.0000000000000", node, hello, nonce, here), TROUPE_E_WRONG_CLUSTER);
    assert_int_equal(hello_answer(&other, cluster, node, hello, nonce, here), TROUPE_E_UNAUTHORIZED);
    assert_int_equal(hello_answer(&none, cluster, node, hello, nonce, here), TROUPE_E_UNAUTHORIZED);
    assert_int_equal(hello_judge(&secret, hello, hello), TROUPE_E_MALFORMED);
    /* Who asks for anybody gets another node's answer, which cannot be passed on to who asks for one. */
    hello_ask(&secret, cluster, 0, nonce, wrong);
    assert_int_equal(hello_answer(&secret, cluster, node + 1, wrong, nonce, here), 0);
    assert_int_equal(hello_judge(&secret, hello, here), TROUPE_E_WRONG_CLUSTER);
    /* An answer from before is not that to this hello. */
    assert_int_equal(hello_answer(&secret, cluster, node, hello, nonce, here), 0);
    hello_ask(&secret, cluster, node, other_nonce, wrong);
    assert_int_equal(hello_judge(&secret, wrong, here), TROUPE_E_UNAUTHORIZED);
    assert_int_equal(hello_judge(&none, hello, here), TROUPE_E_UNAUTHORIZED);
}

static void versions_without_one_in_common_are_told_apart_test(void **state)
{
    const struct registry_secret secret = secret_of("sixteen bytes or more");
    unsigned char hello[HELLO_BYTES], here[HELLO_BYTES];
    (void)state;
    /* A node of the future writes its own versions, and signs them. */
    hello_ask(&secret, cluster, node, nonce, hello);
    hello[4] = REGISTRY_PROTOCOL + 1;
    hello[5] = REGISTRY_PROTOCOL + 3;
    const troupe_view parts[] = {troupe_view_of("troupe-hello"), {(const char *)hello, 48}, {NULL, 0}};
    registry_hmac(&secret, parts, hello + 48);
    assert_int_equal(hello_answer(&secret, cluster, node, hello, nonce, here), 0);
    assert_int_equal(here[4], 0);
    assert_int_equal(hello_judge(&secret, hello, here), TROUPE_E_PROTOCOL);
    hello[4] = 2;
    hello[5] = 1;
    registry_hmac(&secret, parts, hello + 48);
    assert_int_equal(hello_answer(&secret, cluster, node, hello, nonce, here), TROUPE_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_answered_and_the_answer_is_believed_test),
        cmocka_unit_test(every_flipped_bit_is_noticed_test),
        cmocka_unit_test(a_reused_address_is_not_taken_for_the_old_node_test),
        cmocka_unit_test(versions_without_one_in_common_are_told_apart_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
