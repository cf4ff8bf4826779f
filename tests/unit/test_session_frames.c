/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of frames and its tables, event ids, Base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "session/event_id.h"
#include "session/frames.h"

static struct frame frame;
static struct check_fault fault;

/* Single quotes are double ones; the text is in memory of exactly its size. */
static int read_quoted(const char *text)
{
    static char *copy;
    size_t len = strlen(text);
    free(copy);
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    for (size_t i = 0; i < len; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    return frame_read(copy, len, &frame, &fault);
}

static const struct {
    const char *text;
    int error;
    const char *id, *field, *words; /* NULL: none, any */
} refusals[] = {
    {"", TROUPE_E_MALFORMED, NULL, "", "empty"},
    {"{", TROUPE_E_MALFORMED, NULL, "", "byte 1"},
    {"{'op':'ping'} 1", TROUPE_E_MALFORMED, NULL, "", NULL},
    {"{'op':'ping',}", TROUPE_E_MALFORMED, NULL, "", NULL},
    {"{'id':3,'op':'ping'", TROUPE_E_MALFORMED, "3", "", NULL},
    {"{'op':tru}", TROUPE_E_MALFORMED, NULL, "", NULL},
    {"{'op':'call','body':[1,]}", TROUPE_E_MALFORMED, NULL, "", NULL},
    {"{'to':'\xff'}", TROUPE_E_MALFORMED, NULL, "", NULL},
    {"[]", TROUPE_E_SCHEMA, NULL, "", "a frame is a JSON object"},
    {"null", TROUPE_E_SCHEMA, NULL, "", "a frame is a JSON object"},
    {"{}", TROUPE_E_SCHEMA, NULL, "op", "required"},
    {"{'op':null}", TROUPE_E_SCHEMA, NULL, "op", "string"},
    {"{'op':7,'id':1}", TROUPE_E_SCHEMA, "1", "op", "string"},
    {"{'op':'ping','op':'ping'}", TROUPE_E_SCHEMA, NULL, "op", "twice"},
    {"{'op':'welcome'}", TROUPE_E_PROTOCOL, NULL, "op", "hello call cast publish spawn stop monitor demonitor "
                                                        "subscribe unsubscribe ping ack credit bye"},
    {"{'op':'Ping','id':'x'}", TROUPE_E_PROTOCOL, "'x'", "op", NULL},
    {"{'op':'ping','nonsense':{'a':[1]},'id':4}", TROUPE_E_SCHEMA, "4", "nonsense", "ping has no such member; its "
                                                                                   "members are op id"},
    {"{'op':'ping','to':'@a','id':4}", TROUPE_E_SCHEMA, "4", "to", "ping has no such member"},
    {"{'op':'ping','node':'n','id':4}", TROUPE_E_SCHEMA, "4", "node", NULL},
    {"{'op':'ping','':1}", TROUPE_E_SCHEMA, NULL, "", "no such member"},
    {"{'op':'ping','id':1,'id':1}", TROUPE_E_SCHEMA, "1", "id", "twice"},
    {"{'op':'ping','id':1.0}", TROUPE_E_SCHEMA, NULL, "id", "2^53-1"},
    {"{'op':'ping','id':-1}", TROUPE_E_SCHEMA, NULL, "id", NULL},
    {"{'op':'ping','id':9007199254740992}", TROUPE_E_SCHEMA, NULL, "id", NULL},
    {"{'op':'ping','id':99999999999999999999}", TROUPE_E_SCHEMA, NULL, "id", NULL},
    {"{'op':'ping','id':''}", TROUPE_E_SCHEMA, NULL, "id", NULL},
    {"{'op':'ping','id':'12345678901234567890123456789012345678901234567890123456789012345'}", TROUPE_E_SCHEMA, NULL,
     "id", "64 bytes"},
    {"{'op':'ping','id':[1]}", TROUPE_E_SCHEMA, NULL, "id", NULL},
    {"{'op':'call','to':'@a','type':'b'}", TROUPE_E_SCHEMA, NULL, "id", "required"},
    {"{'op':'call','id':1,'type':'b'}", TROUPE_E_SCHEMA, "1", "to", "required"},
    {"{'op':'call','id':1,'to':null,'type':'b'}", TROUPE_E_SCHEMA, "1", "to", "required"},
    {"{'op':'call','id':1,'to':5,'type':'b'}", TROUPE_E_SCHEMA, "1", "to", "string"},
    {"{'op':'call','id':1,'to':'','type':'b'}", TROUPE_E_SCHEMA, "1", "to", "1 to 256"},
    {"{'op':'call','to':5,'type':6,'id':1}", TROUPE_E_SCHEMA, "1", "to", NULL}, /* the first fault, and the id */
    {"{'op':'call','id':1,'to':'@a','type':'a\\u0000'}", TROUPE_E_SCHEMA, "1", "type", "U+0000"},
    {"{'op':'call','id':1,'to':'@a','type':'12345678901234567890123456789012345678901234567890123456789012345'}",
     TROUPE_E_SCHEMA, "1", "type", "64"},
    {"{'op':'call','id':1,'to':'@a','type':'b','timeout_ms':0}", TROUPE_E_SCHEMA, "1", "timeout_ms", "1 to 600000"},
    {"{'op':'call','id':1,'to':'@a','type':'b','timeout_ms':600001}", TROUPE_E_SCHEMA, "1", "timeout_ms", NULL},
    {"{'op':'call','id':1,'to':'@a','type':'b','timeout_ms':'5'}", TROUPE_E_SCHEMA, "1", "timeout_ms", NULL},
    {"{'op':'call','id':1,'to':'@a','type':'b','timeout_ms':5e2}", TROUPE_E_SCHEMA, "1", "timeout_ms", NULL},
    {"{'op':'call','id':1,'to':'@a','type':'b','body_b64':7}", TROUPE_E_SCHEMA, "1", "body_b64", "string"},
    {"{'op':'spawn','id':1,'behavior':'b','mailbox':7}", TROUPE_E_SCHEMA, "1", "mailbox", "object"},
    {"{'op':'spawn','id':1,'behavior':'b','restart':7}", TROUPE_E_SCHEMA, "1", "restart", "one of"},
    {"{'op':'hello','resume':1}", TROUPE_E_SCHEMA, NULL, "resume", "true or false"},
    {"{'op':'hello','seq':-1}", TROUPE_E_SCHEMA, NULL, "seq", NULL},
};

static void refusals_name_the_member_and_keep_the_id(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char id[128] = "";
        print_message("# %s\n", refusals[i].text);
        assert_int_equal(read_quoted(refusals[i].text), refusals[i].error);
        assert_int_equal(fault.error, refusals[i].error);
        snprintf(id, sizeof id, "%.*s", (int)frame.id.len, frame.id.len > 0 ? frame.id.ptr : "");
        for (char *at = id; *at != '\0'; at++)
            *at = *at == '"' ? '\'' : *at;
        assert_string_equal(id, refusals[i].id != NULL ? refusals[i].id : "");
        assert_string_equal(fault.field, refusals[i].field);
        if (refusals[i].words != NULL && strstr(fault.detail, refusals[i].words) == NULL)
            assert_string_equal(fault.detail, refusals[i].words);
        assert_true(strlen(fault.detail) > 5);
    }
}

static void assert_view(troupe_view view, const char *text)
{
    assert_int_equal(view.len, strlen(text));
    assert_memory_equal(view.ptr, text, view.len);
}

static void members_come_in_any_order_and_with_escapes(void **state)
{
    (void)state;
    assert_int_equal(read_quoted(" { 'body' : [ 1 ] , 't\\u006f' : '@\\u00e9\\n' , 'timeout_ms':600000, 'type':'a', "
                                 "'id':'i', 'op':'c\\u0061ll', 'content_type':null } "), 0);
    assert_int_equal(frame.op, OP_CALL);
    assert_view(frame.to, "@\xc3\xa9\n");
    assert_view(frame.type, "a");
    assert_view(frame.body, "[ 1 ]");
    assert_view(frame.id, "\"i\"");
    assert_int_equal(frame.timeout_ms, 600000);
    assert_false(frame_has(&frame, FRAME_CONTENT_TYPE));
    assert_int_equal(read_quoted("{'op':'subscribe','id':1,'from':'oldest','to':'@a'}"), 0);
    assert_int_equal(frame.from, 1);
}

/* All strings of a frame at their longest, each with an escape, find room. */
static void the_longest_strings_fit(void **state)
{
    static char text[8192], longest[1024];
    (void)state;
    uint64_t most = 0;
    for (unsigned op = 0; op < OP_SERVERS; op++) {
        uint64_t bytes = 0;
        int len = snprintf(text, sizeof text, "{'op':'%s'", frame_ops[op].name);
        for (unsigned i = FRAME_OP + 1; i < FRAME_SERVERS; i++) {
            const struct frame_member_row *row = &frame_members[i];
            bool is_taken = ((frame_ops[op].required | frame_ops[op].optional) & FRAME_BIT(i)) != 0;
            bool is_excluded = i == FRAME_TOPIC || i == FRAME_FROM || i == FRAME_CONTENT_TYPE;
            bool is_required = (frame_ops[op].required & FRAME_BIT(i)) != 0;
            if (!is_taken || is_excluded || (row->type != FRAME_TYPE_TEXT && !is_required))
                continue;
            if (row->type == FRAME_TYPE_TEXT) {
                memset(longest, 'x', row->max);
                snprintf(longest + row->max - 1, 16, "\\u0041");
                len += snprintf(text + len, sizeof text - (size_t)len, ",'%s':'%s'", row->name, longest);
                bytes += row->max;
            } else {
                len += snprintf(text + len, sizeof text - (size_t)len, ",'%s':1", row->name);
            }
        }
        snprintf(text + len, sizeof text - (size_t)len, "}");
        if (read_quoted(text) != 0)
            fail_msg("%s: %s", frame_ops[op].name, fault.detail);
        assert_int_equal(frame.scratch_len, bytes);
        most = bytes > most ? bytes : most;
    }
    assert_true(most + TROUPE_JSON_DEPTH_MAX < FRAME_SCRATCH_BYTES);
}

static void a_frame_that_is_cut_anywhere_is_malformed(void **state)
{
    static const char whole[] =
        "{'op':'call','id':'x','to':'@\\u00e9','type':'t','body':{'a':[1,null,'b']},'timeout_ms':1}";
    char cut[sizeof whole];
    (void)state;
    assert_int_equal(read_quoted(whole), 0);
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        memcpy(cut, whole, len);
        cut[len] = '\0';
        assert_int_equal(read_quoted(cut), TROUPE_E_MALFORMED);
    }
}

static void depth_is_limited(void **state)
{
    char text[256];
    (void)state;
    for (unsigned depth = 62; depth <= 64; depth++) {
        int len = snprintf(text, sizeof text, "{'op':'call','id':1,'to':'@a','type':'b','body':");
        for (unsigned i = 0; i < 2 * depth; i++)
            text[len++] = i < depth ? '[' : ']';
        snprintf(text + len, 2, "}");
        assert_int_equal(read_quoted(text), depth <= 63 ? 0 : TROUPE_E_MALFORMED);
        if (depth > 63)
            assert_non_null(strstr(fault.detail, "nested deeper than 64 levels"));
    }
}

/* Each member that a row names is one that the client's reader knows, and the words of answers are operations. */
static void the_tables_agree_with_each_other(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FRAME_MEMBERS; i++) {
        assert_non_null(frame_members[i].name);
        assert_non_null(frame_members[i].summary);
        assert_int_equal(i > FRAME_OP && i < FRAME_SERVERS, frame_members[i].offset != 0 || i == FRAME_ID);
    }
    for (unsigned op = 0; op < FRAME_OPS; op++) {
        const struct frame_op_row *row = &frame_ops[op];
        assert_non_null(row->name);
        assert_int_equal(row->required & row->optional, 0);
        assert_int_equal(row->one_of & ~row->optional, 0);
        assert_true(op >= OP_SERVERS || (row->required | row->optional) < FRAME_BIT(FRAME_SERVERS));
        for (const char *at = row->answers; at != NULL && *at != '\0'; at += at[strcspn(at, " ")] == ' ' ? 1 : 0) {
            size_t len = strcspn(at, " ");
            unsigned answer = OP_SERVERS;
            while (answer < FRAME_OPS && (strlen(frame_ops[answer].name) != len ||
                                          memcmp(frame_ops[answer].name, at, len) != 0))
                answer++;
            assert_true(answer < FRAME_OPS);
            at += len;
        }
    }
}

static void event_ids_have_one_text(void **state)
{
    static const troupe_event_id ids[] = {{0, 0}, {1, 9}, {0x0123456789abcdef, 10}, {UINT64_MAX, UINT64_MAX}};
    static const char *const bad[] = {"", "0123456789abcdef", "0123456789abcdef.", ".1", "0123456789abcdef.01",
                                      "0123456789ABCDEF.1", "0123456789abcdef.18446744073709551616",
                                      "0123456789abcdef.-1", "0123456789abcdef 1", "0123456789abcdeg.1"};
    char text[EVENT_ID_BYTES];
    troupe_event_id back;
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        size_t len = event_id_format(ids[i], text);
        assert_int_equal(len, strlen(text));
        assert_int_equal(event_id_parse((troupe_view){text, len}, &back), 0);
        assert_true(back.epoch == ids[i].epoch && back.seq == ids[i].seq);
    }
    assert_string_equal(text, "ffffffffffffffff.18446744073709551615");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(event_id_parse(troupe_view_of(bad[i]), &back), TROUPE_E_INVALID);
}

static void base64_is_that_of_the_rfc(void **state)
{
    static const char *const rows[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"A", "AA", "AAA", "====", "A===", "AA=A", "AB==", "AAB=", "AA\n=", "AA-_",
                                      "Zm9v="};
    char text[64];
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t chars = BASE64_CHARS(strlen(rows[i][0]));
        base64_write(rows[i][0], strlen(rows[i][0]), text);
        assert_int_equal(chars, strlen(rows[i][1]));
        assert_memory_equal(text, rows[i][1], chars);
        assert_int_equal(base64_read(text, chars, text, &len), 0); /* in place */
        assert_int_equal(len, strlen(rows[i][0]));
        assert_memory_equal(text, rows[i][0], len);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(base64_read(bad[i], strlen(bad[i]), text, &len), TROUPE_E_MALFORMED);
}

static void base64_gives_all_bytes_back(void **state)
{
    unsigned char bytes[256];
    char text[BASE64_CHARS(256)];
    size_t len;
    (void)state;
    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (unsigned char)(i * 167 + 13);
    for (size_t size = 0; size <= 256; size++) {
        base64_write(bytes, size, text);
        assert_int_equal(base64_read(text, BASE64_CHARS(size), text, &len), 0);
        assert_int_equal(len, size);
        assert_memory_equal(text, bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_the_member_and_keep_the_id),
        cmocka_unit_test(members_come_in_any_order_and_with_escapes),
        cmocka_unit_test(the_longest_strings_fit),
        cmocka_unit_test(a_frame_that_is_cut_anywhere_is_malformed),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(the_tables_agree_with_each_other),
        cmocka_unit_test(event_ids_have_one_text),
        cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(base64_gives_all_bytes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
