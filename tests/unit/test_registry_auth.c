/* SPDX-License-Identifier: Apache-2.0
 *
 * The cluster's secret: what is signed is taken, once, and everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/error.h>

#include "registry/auth.h"

static const struct registry_secret secret = {.bytes = "sixteen bytes and a few more", .len = 28};
static const struct registry_secret other = {.bytes = "sixteen bytes and a few mora", .len = 28};

static struct registry_auth request(void)
{
    return (struct registry_auth){
        .cluster = "c1", .epoch = "e1", .method = "PUT", .target = "/v1/registry/nodes/n.0000000000005",
        .node = "n.0000000000005", .time_ms = 100000, .nonce = "0123456789abcdef0123456789abcdef", .body = {"{}", 2},
    };
}

static int verify_with(const struct registry_secret *with, struct registry_nonces *nonces, const char *header,
                       uint64_t now_ms, struct registry_auth auth)
{
    char node[32];
    return registry_auth_verify(with, nonces, troupe_view_of(header), now_ms, &auth, node, sizeof node);
}

/* RFC 4231, cases 1, 2 and 6. */
static void the_mac_is_that_of_the_rfc_test(void **state)
{
    struct registry_secret key = {.len = 20};
    unsigned char mac[32];
    static const unsigned char first[32] = {
        0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
        0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7};
    static const unsigned char long_key[32] = {
        0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5, 0xb7, 0x7f,
        0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28, 0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54};
    (void)state;
    memset(key.bytes, 0x0b, 20);
    registry_hmac(&key, (const troupe_view[]){{"Hi ", 3}, {"", 0}, {"There", 5}, {NULL, 0}}, mac);
    assert_memory_equal(mac, first, 32);
    key.len = 131;
    memset(key.bytes, 0xaa, 131);
    registry_hmac(&key, (const troupe_view[]){{"Test Using Larger Than Block-Size Key - Hash Key First", 54}, {NULL, 0}},
                  mac);
    assert_memory_equal(mac, long_key, 32);
}

static void what_is_signed_is_taken_once_test(void **state)
{
    struct registry_auth auth = request();
    struct registry_nonces *nonces;
    char header[AUTH_HEADER_BYTES], node[32];
    (void)state;
    assert_int_equal(registry_nonces_new(&nonces), 0);
    registry_auth_sign(&secret, &auth, header);
    struct registry_auth read = request();
    read.node = NULL;
    read.time_ms = 0;
    read.nonce[0] = '\0';
    assert_int_equal(registry_auth_verify(&secret, nonces, troupe_view_of(header), 100000, &read, node, sizeof node), 0);
    assert_string_equal(node, "n.0000000000005");
    assert_string_equal(read.nonce, auth.nonce);
    assert_int_equal(read.time_ms, 100000);
    assert_int_equal(verify_with(&secret, nonces, header, 100000, request()), TROUPE_E_REPLAYED);
    registry_nonces_free(nonces);
    registry_nonces_free(NULL);
}

/* A replayed request is refused for as long as its time is good, wherever in the memory's life it came. */
static void a_recorded_request_is_refused_at_any_time_test(void **state)
{
    (void)state;
    for (uint64_t begin_ms = 100000; begin_ms < 100000 + 4 * AUTH_WINDOW_MS; begin_ms += AUTH_WINDOW_MS / 4) {
        struct registry_nonces *nonces;
        struct registry_auth auth = request();
        char header[AUTH_HEADER_BYTES], before[AUTH_HEADER_BYTES];
        assert_int_equal(registry_nonces_new(&nonces), 0);
        registry_auth_sign(&secret, &auth, before);
        assert_int_equal(verify_with(&secret, nonces, before, 100000, request()), 0);
        auth.time_ms = begin_ms + AUTH_WINDOW_MS; /* by a clock that is ahead as far as it may be */
        auth.nonce[0] = 'f';
        registry_auth_sign(&secret, &auth, header);
        assert_int_equal(verify_with(&secret, nonces, header, begin_ms, request()), 0);
        for (uint64_t later_ms = begin_ms; later_ms < begin_ms + 3 * AUTH_WINDOW_MS; later_ms += AUTH_WINDOW_MS / 8)
            assert_int_equal(verify_with(&secret, nonces, header, later_ms, request()), TROUPE_E_REPLAYED);
        registry_nonces_free(nonces);
    }
}

static void a_request_of_another_time_is_refused_test(void **state)
{
    struct registry_nonces *nonces;
    struct registry_auth auth = request();
    char header[AUTH_HEADER_BYTES];
    (void)state;
    assert_int_equal(registry_nonces_new(&nonces), 0);
    registry_auth_sign(&secret, &auth, header);
    assert_int_equal(verify_with(&secret, nonces, header, 100000 + AUTH_WINDOW_MS + 1, request()), TROUPE_E_REPLAYED);
    assert_int_equal(verify_with(&secret, nonces, header, 100000 - AUTH_WINDOW_MS - 1, request()), TROUPE_E_REPLAYED);
    assert_int_equal(verify_with(&secret, nonces, header, 100000 + AUTH_WINDOW_MS, request()), 0);
    registry_nonces_free(nonces);
}

static void whatever_the_mac_covers_cannot_be_changed_test(void **state)
{
    struct registry_nonces *nonces;
    struct registry_auth auth = request();
    char header[AUTH_HEADER_BYTES];
    (void)state;
    assert_int_equal(registry_nonces_new(&nonces), 0);
    registry_auth_sign(&secret, &auth, header);
    struct registry_auth changed[6];
    for (int i = 0; i < 6; i++)
        changed[i] = request();
    changed[0].cluster = "c2";
    changed[1].epoch = "e0"; /* from before a restart */
    changed[2].method = "DELETE";
    changed[3].target = "/v1/registry/nodes/n.0000000000006";
    changed[4].body = troupe_view_of("{ }");
    changed[5].body = (troupe_view){NULL, 0};
    for (int i = 0; i < 6; i++)
        assert_int_equal(verify_with(&secret, nonces, header, 100000, changed[i]), TROUPE_E_UNAUTHORIZED);
    assert_int_equal(verify_with(&other, nonces, header, 100000, request()), TROUPE_E_UNAUTHORIZED);
    assert_int_equal(verify_with(&(struct registry_secret){.len = 0}, nonces, header, 100000, request()),
                     TROUPE_E_UNAUTHORIZED);
    for (size_t i = 0; i < strlen(header); i++) { /* node, time, nonce, mac, and all between them */
        char forged[AUTH_HEADER_BYTES];
        memcpy(forged, header, sizeof forged);
        forged[i] = forged[i] == '1' ? '2' : '1';
        assert_int_equal(verify_with(&secret, nonces, forged, 100000, request()), TROUPE_E_UNAUTHORIZED);
    }
    assert_int_equal(verify_with(&secret, nonces, header, 100000, request()), 0);
    registry_nonces_free(nonces);
}

static void a_truncated_header_is_refused_test(void **state)
{
    struct registry_nonces *nonces;
    struct registry_auth auth = request();
    char header[AUTH_HEADER_BYTES], node[32], tiny[8];
    (void)state;
    assert_int_equal(registry_nonces_new(&nonces), 0);
    registry_auth_sign(&secret, &auth, header);
    for (size_t len = 0; len < strlen(header); len++) {
        struct registry_auth read = request();
        assert_int_equal(registry_auth_verify(&secret, nonces, (troupe_view){header, len}, 100000, &read, node,
                                              sizeof node), TROUPE_E_UNAUTHORIZED);
    }
    auth = request();
    assert_int_equal(registry_auth_verify(&secret, nonces, troupe_view_of(header), 100000, &auth, tiny, sizeof tiny),
                     TROUPE_E_UNAUTHORIZED);
    registry_nonces_free(nonces);
}

static void the_nonces_of_a_window_are_bounded_test(void **state)
{
    struct registry_nonces *nonces;
    char header[AUTH_HEADER_BYTES];
    (void)state;
    assert_int_equal(registry_nonces_new(&nonces), 0);
    for (unsigned i = 0; i <= AUTH_NONCES_MAX; i++) {
        struct registry_auth auth = request();
        snprintf(auth.nonce, sizeof auth.nonce, "%032x", i + 1);
        registry_auth_sign(&secret, &auth, header);
        int error = verify_with(&secret, nonces, header, 100000, request());
        assert_int_equal(error, i < AUTH_NONCES_MAX ? 0 : TROUPE_E_LIMIT);
    }
    struct registry_auth later = request();
    later.time_ms += 2 * AUTH_WINDOW_MS;
    registry_auth_sign(&secret, &later, header);
    assert_int_equal(verify_with(&secret, nonces, header, later.time_ms, request()), 0);
    registry_nonces_free(nonces);
}

static void an_answer_is_good_for_its_question_only_test(void **state)
{
    const char *nonce = "0123456789abcdef0123456789abcdef";
    const troupe_view body = troupe_view_of("{}");
    char proof[AUTH_MAC_TEXT];
    (void)state;
    registry_auth_prove(&secret, nonce, 200, body, proof);
    assert_true(registry_auth_proof_is_good(&secret, nonce, 200, body, troupe_view_of(proof)));
    assert_false(registry_auth_proof_is_good(&secret, "1123456789abcdef0123456789abcdef", 200, body,
                                             troupe_view_of(proof)));
    assert_false(registry_auth_proof_is_good(&secret, nonce, 204, body, troupe_view_of(proof)));
    assert_false(registry_auth_proof_is_good(&secret, nonce, 200, troupe_view_of("{} "), troupe_view_of(proof)));
    assert_false(registry_auth_proof_is_good(&other, nonce, 200, body, troupe_view_of(proof)));
    assert_false(registry_auth_proof_is_good(&secret, nonce, 200, body, (troupe_view){proof, 63}));
    assert_false(registry_auth_proof_is_good(&secret, nonce, 200, body, (troupe_view){NULL, 0}));
    assert_false(registry_auth_proof_is_good(&(struct registry_secret){.len = 0}, nonce, 200, body,
                                             troupe_view_of(proof)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mac_is_that_of_the_rfc_test),
        cmocka_unit_test(what_is_signed_is_taken_once_test),
        cmocka_unit_test(a_recorded_request_is_refused_at_any_time_test),
        cmocka_unit_test(a_request_of_another_time_is_refused_test),
        cmocka_unit_test(whatever_the_mac_covers_cannot_be_changed_test),
        cmocka_unit_test(a_truncated_header_is_refused_test),
        cmocka_unit_test(the_nonces_of_a_window_are_bounded_test),
        cmocka_unit_test(an_answer_is_good_for_its_question_only_test),
    };
    return cmocka_run_group_tests_name("registry_auth", tests, NULL, NULL);
}
