/* SPDX-License-Identifier: Apache-2.0
 *
 * The strict check of a request head: what it refuses and why, what it lets pass, and that it does not matter in which
 * pieces the bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/head_check.h"

#define HOST "Host: localhost\r\n"
#define GET "GET /a HTTP/1.1\r\n" HOST
#define POST "POST /a HTTP/1.1\r\n" HOST

struct row {
    const char *name;
    const char *head;
    size_t len;                  /* with NULs in it; 0: strlen */
    enum head_reason reason;
};

static const struct row refused[] = {
    {"two lengths", POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", 0, HEAD_LENGTH},
    {"two equal lengths", POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n", 0, HEAD_LENGTH},
    {"two lengths in one line", POST "Content-Length: 2, 2\r\n\r\n", 0, HEAD_LENGTH},
    {"negative length", POST "Content-Length: -1\r\n\r\n", 0, HEAD_LENGTH},
    {"length with plus", POST "Content-Length: +1\r\n\r\n", 0, HEAD_LENGTH},
    {"hexadecimal length", POST "Content-Length: 0x1\r\n\r\n", 0, HEAD_LENGTH},
    {"empty length", POST "Content-Length: \r\n\r\n", 0, HEAD_LENGTH},
    {"length past 64 bits", POST "Content-Length: 99999999999999999999\r\n\r\n", 0, HEAD_LENGTH},
    {"length with a space inside", POST "Content-Length: 1 2\r\n\r\n", 0, HEAD_LENGTH},
    {"length and chunked", POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 0, HEAD_LENGTH_AND_CODING},
    {"chunked and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n", 0, HEAD_LENGTH_AND_CODING},
    {"another coding", POST "Transfer-Encoding: gzip\r\n\r\n", 0, HEAD_CODING},
    {"chunked after another", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 0, HEAD_CODING},
    {"chunked misspelt", POST "Transfer-Encoding: xchunked\r\n\r\n", 0, HEAD_CODING},
    {"chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 0, HEAD_CODING},
    {"empty coding", POST "Transfer-Encoding:\r\n\r\n", 0, HEAD_CODING},
    {"chunked in HTTP/1.0", "POST /a HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 0, HEAD_CODING},
    {"bare LF in the request line", "GET /a HTTP/1.1\nHost: a\n\n", 0, HEAD_BARE_LF},
    {"bare LF in a field", "GET /a HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 0, HEAD_BARE_LF},
    {"bare LF at the end", GET "\n", 0, HEAD_BARE_LF},
    {"bare CR in a value", GET "X: a\rb\r\n\r\n", 0, HEAD_BARE_CR},
    {"CR CR LF", GET "X: a\r\r\n\r\n", 0, HEAD_BARE_CR},
    {"NUL in a value", GET "X: a\0b\r\n\r\n", sizeof(GET "X: a\0b\r\n\r\n") - 1, HEAD_CONTROL},
    {"NUL in the target", "GET /\0 HTTP/1.1\r\n" HOST "\r\n", sizeof("GET /\0 HTTP/1.1\r\n" HOST "\r\n") - 1, HEAD_CONTROL},
    {"NUL in a name", GET "X\0: a\r\n\r\n", sizeof(GET "X\0: a\r\n\r\n") - 1, HEAD_CONTROL},
    {"control character", GET "X: \x01\r\n\r\n", 0, HEAD_CONTROL},
    {"delete", GET "X: \x7f\r\n\r\n", 0, HEAD_CONTROL},
    {"space before the colon", GET "X : a\r\n\r\n", 0, HEAD_SPACE},
    {"tab before the colon", GET "X\t: a\r\n\r\n", 0, HEAD_SPACE},
    {"space before the colon of a coding", POST "Transfer-Encoding : chunked\r\n\r\n", 0, HEAD_SPACE},
    {"folded line", GET "X: a\r\n b\r\n\r\n", 0, HEAD_FOLDED},
    {"first field begins with a space", "GET /a HTTP/1.1\r\n Host: a\r\n\r\n", 0, HEAD_FOLDED},
    {"line of blanks", GET " \r\n\r\n", 0, HEAD_FOLDED},
    {"no colon", GET "X\r\n\r\n", 0, HEAD_FIELD_NAME},
    {"empty name", GET ": a\r\n\r\n", 0, HEAD_FIELD_NAME},
    {"name is not a token", GET "X(y): a\r\n\r\n", 0, HEAD_FIELD_NAME},
    {"name is not ASCII", GET "X\xc3\xa9: a\r\n\r\n", 0, HEAD_FIELD_NAME},
    {"no Host", "GET /a HTTP/1.1\r\nX: a\r\n\r\n", 0, HEAD_HOST},
    {"no fields", "GET /a HTTP/1.1\r\n\r\n", 0, HEAD_HOST},
    {"no Host in HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", 0, HEAD_HOST},
    {"two Hosts", GET HOST "\r\n", 0, HEAD_HOST},
    {"empty Host", "GET /a HTTP/1.1\r\nHost: \r\n\r\n", 0, HEAD_HOST},
    {"Host with a user", "GET /a HTTP/1.1\r\nHost: a@b\r\n\r\n", 0, HEAD_HOST},
    {"Host with a path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, HEAD_HOST},
    {"Host with a comma", "GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n", 0, HEAD_HOST},
    {"HTTP/2.0", "GET /a HTTP/2.0\r\n" HOST "\r\n", 0, HEAD_VERSION},
    {"HTTP/0.9", "GET /a\r\n\r\n", 0, HEAD_VERSION},
    {"HTTP/1.2", "GET /a HTTP/1.2\r\n" HOST "\r\n", 0, HEAD_VERSION},
    {"HTTP/1.10", "GET /a HTTP/1.10\r\n" HOST "\r\n", 0, HEAD_VERSION},
    {"http in lower case", "GET /a http/1.1\r\n" HOST "\r\n", 0, HEAD_VERSION},
    {"no version", "GET /a \r\n" HOST "\r\n", 0, HEAD_VERSION},
    {"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, HEAD_TARGET},
    {"two spaces before the target", "GET  /a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_SPACE},
    {"two spaces before the version", "GET /a  HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_SPACE},
    {"space after the version", "GET /a HTTP/1.1 \r\n" HOST "\r\n", 0, HEAD_SPACE},
    {"tab after the method", "GET\t/a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_SPACE},
    {"space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_VERSION},
    {"absolute-form", "GET http://localhost/a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_TARGET},
    {"authority-form", "CONNECT localhost:1 HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_TARGET},
    {"relative path", "GET a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_TARGET},
    {"star without OPTIONS", "GET * HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_TARGET},
    {"fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_TARGET},
    {"target is not ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_TARGET},
    {"method is not a token", "G(T /a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_METHOD},
    {"method is too long", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_METHOD},
    {"no method", " /a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_METHOD},
    {"empty line first", "\r\nGET /a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_METHOD},
    {"start of TLS", "\x16\x03\x01\x02", 0, HEAD_CONTROL},
};

static const struct row passed[] = {
    {"GET", GET "\r\n", 0, HEAD_FINE},
    {"HTTP/1.0", "GET /a HTTP/1.0\r\n" HOST "\r\n", 0, HEAD_FINE},
    {"unknown method", "BREW /a HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_FINE},
    {"query and escapes", "GET /a%2Fb?c=%20&d HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_FINE},
    {"OPTIONS star", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0, HEAD_FINE},
    {"length", POST "Content-Length: 2\r\n\r\n", 0, HEAD_FINE},
    {"chunked in capitals", POST "TRANSFER-ENCODING: CHUNKED\r\n\r\n", 0, HEAD_FINE},
    {"no blank after the colon", "GET /a HTTP/1.1\r\nHost:localhost\r\n\r\n", 0, HEAD_FINE},
    {"blanks around a value", "GET /a HTTP/1.1\r\nHost: \t localhost \t \r\n\r\n", 0, HEAD_FINE},
    {"empty value", GET "X:\r\n\r\n", 0, HEAD_FINE},
    {"bytes over 127 in a value", GET "X: \xc3\xa9\xff\r\n\r\n", 0, HEAD_FINE},
    {"tab in a value", GET "X: a\tb\r\n\r\n", 0, HEAD_FINE},
    {"IPv6 Host", "GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, HEAD_FINE},
};

static size_t len_of(const struct row *row) { return row->len != 0 ? row->len : strlen(row->head); }

static void expect(const struct row *row, enum head_state state, const struct head_check *check)
{
    enum head_state wanted = row->reason == HEAD_FINE ? HEAD_WHOLE : HEAD_REFUSED;
    if (state != wanted || check->reason != row->reason)
        fail_msg("%s: state %d, reason %s; expected %s", row->name, (int)state, head_reason_word(check->reason),
                 head_reason_word(row->reason));
}

static void hostile_heads_are_refused_with_their_reason_test(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct head_check check = {0};
        expect(&refused[i], head_check_feed(&check, refused[i].head, len_of(&refused[i])), &check);
    }
}

static void good_heads_pass_test(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        struct head_check check = {0};
        expect(&passed[i], head_check_feed(&check, passed[i].head, len_of(&passed[i])), &check);
        assert_int_equal(check.head_len, len_of(&passed[i]));
    }
}

/* The same verdict, whether the bytes come at once or one by one. */
static void a_head_that_drips_is_judged_the_same_test(void **state)
{
    (void)state;
    const struct row *tables[] = {refused, passed};
    const size_t counts[] = {sizeof refused / sizeof refused[0], sizeof passed / sizeof passed[0]};
    for (int table = 0; table < 2; table++) {
        for (size_t i = 0; i < counts[table]; i++) {
            const struct row *row = &tables[table][i];
            struct head_check check = {0};
            enum head_state got = HEAD_MORE;
            for (size_t len = 1; len <= len_of(row) && got == HEAD_MORE; len++)
                got = head_check_feed(&check, row->head, len);
            expect(row, got, &check);
        }
    }
}

static void what_follows_the_head_is_not_looked_at_test(void **state)
{
    static const char head[] = GET "\r\n\n\n\0\x01";
    struct head_check check = {0};
    (void)state;
    assert_int_equal(head_check_feed(&check, head, sizeof head - 1), HEAD_WHOLE);
    assert_int_equal(check.head_len, strlen(GET "\r\n"));
}

static void target_and_host_are_found_test(void **state)
{
    static const char head[] = "HEAD /livez?x=1 HTTP/1.1\r\nX: y\r\nHost:  [::1]:80 \r\n\r\n";
    struct head_check check = {0};
    (void)state;
    assert_int_equal(head_check_feed(&check, head, strlen(head)), HEAD_WHOLE);
    assert_int_equal(check.method_len, 4);
    assert_memory_equal(head + check.target, "/livez?x=1", check.target_len);
    assert_int_equal(check.target_len, 10);
    assert_memory_equal(head + check.host, "[::1]:80", check.host_len);
    assert_int_equal(check.host_len, 8);
}

/* A head of the largest size passes, one byte more does not, and neither does one more field. */
static void the_limits_hold_test(void **state)
{
    char *head = malloc(HEAD_BYTES_MAX + 2);
    (void)state;
    assert_non_null(head);
    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = HEAD_BYTES_MAX + extra;
        memset(head, 'a', len);
        memcpy(head, GET "X: ", strlen(GET "X: "));
        memcpy(head + len - 4, "\r\n\r\n", 4);
        struct head_check check = {0};
        assert_int_equal(head_check_feed(&check, head, len), extra == 0 ? HEAD_WHOLE : HEAD_REFUSED);
        assert_int_equal(check.reason, extra == 0 ? HEAD_FINE : HEAD_TOO_LARGE);
    }
    for (unsigned fields = HEAD_FIELDS_MAX; fields <= HEAD_FIELDS_MAX + 1; fields++) {
        size_t len = strlen(GET);
        memcpy(head, GET, len);
        for (unsigned i = 1; i < fields; i++, len += 5)
            memcpy(head + len, "X:y\r\n", 5);
        memcpy(head + len, "\r\n", 2);
        struct head_check check = {0};
        assert_int_equal(head_check_feed(&check, head, len + 2), fields == HEAD_FIELDS_MAX ? HEAD_WHOLE : HEAD_REFUSED);
    }
    free(head);
}

/* No prefix of a good head is refused: the rest may still be on its way. */
static void a_half_head_waits_test(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        for (size_t len = 0; len < len_of(&passed[i]); len++) {
            struct head_check check = {0};
            assert_int_equal(head_check_feed(&check, passed[i].head, len), HEAD_MORE);
        }
    }
}

static void every_reason_has_words_test(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HEAD_REASONS; i++) {
        assert_non_null(head_reason_word((enum head_reason)i));
        assert_true(strlen(head_reason_text((enum head_reason)i)) > 10);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(head_reason_word((enum head_reason)i), head_reason_word((enum head_reason)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_heads_are_refused_with_their_reason_test),
        cmocka_unit_test(good_heads_pass_test),
        cmocka_unit_test(a_head_that_drips_is_judged_the_same_test),
        cmocka_unit_test(what_follows_the_head_is_not_looked_at_test),
        cmocka_unit_test(target_and_host_are_found_test),
        cmocka_unit_test(the_limits_hold_test),
        cmocka_unit_test(a_half_head_waits_test),
        cmocka_unit_test(every_reason_has_words_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
