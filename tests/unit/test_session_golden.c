/* SPDX-License-Identifier: Apache-2.0
 *
 * The golden conversations of tests/golden/session, which other clients replay too; its README.md tells the format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_world.h"

enum { LINE_BYTES = 4096, NAMES_MAX = 16 };

static struct {
    char name[32], text[128];
} bound[NAMES_MAX];
static unsigned bound_count;

static const char *text_of(const char *name)
{
    for (unsigned i = 0; i < bound_count; i++) {
        if (strcmp(bound[i].name, name) == 0)
            return bound[i].text;
    }
    return NULL;
}

static bool fits(const json_t *want, const json_t *got);

static bool fits_string(const char *want, const json_t *got)
{
    const char *text = json_string_value(got);
    if (want[0] != '$')
        return text != NULL && strcmp(want, text) == 0;
    if (strcmp(want, "$_") == 0)
        return true;
    if (text == NULL)
        return false;
    if (text_of(want) != NULL)
        return strcmp(text_of(want), text) == 0;
    assert_true(bound_count < NAMES_MAX);
    snprintf(bound[bound_count].name, sizeof bound[0].name, "%s", want);
    snprintf(bound[bound_count++].text, sizeof bound[0].text, "%s", text);
    return true;
}

static bool fits_object(const json_t *want, const json_t *got)
{
    const char *key;
    json_t *value;
    bool all = json_object_size(want) == json_object_size(got);
    json_object_foreach((json_t *)(uintptr_t)want, key, value)
        all = all && fits(value, json_object_get(got, key));
    return all;
}

static bool fits(const json_t *want, const json_t *got)
{
    if (json_is_string(want))
        return fits_string(json_string_value(want), got);
    if (json_is_object(want))
        return fits_object(want, got);
    return got != NULL && json_equal(want, got) == 1; /* no names in lists */
}

/* Send the bytes of the member "client", with names replaced. */
static void send_frame(const char *line, size_t len)
{
    char text[LINE_BYTES], name[32];
    size_t out = 0;
    troupe_view frame;
    assert_int_equal(troupe_json_find(line, len, "client", &frame), 0);
    for (size_t i = 0; i < frame.len; i++) {
        if (frame.ptr[i] != '$') {
            text[out++] = frame.ptr[i];
            continue;
        }
        size_t size = strcspn(frame.ptr + i, "\"");
        snprintf(name, sizeof name, "%.*s", (int)size, frame.ptr + i);
        assert_non_null(text_of(name));
        out += (size_t)sprintf(text + out, "%s", text_of(name));
        i += size - 1;
    }
    say_bytes(text, out);
    pass_ms(0);
}

static void replay(const char *name)
{
    char path[512], line[LINE_BYTES];
    const char *srcdir = getenv("srcdir");
    unsigned number = 0, frames = 0;
    snprintf(path, sizeof path, "%s/tests/golden/session/%s.jsonl", srcdir != NULL ? srcdir : ".", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("there is no %s", path);
    bound_count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *doc = json_loads(line, 0, NULL), *want;
        number++;
        assert_non_null(doc);
        if (json_object_get(doc, "client") != NULL)
            send_frame(line, strlen(line));
        if ((want = json_object_get(doc, "server")) != NULL) {
            json_t *got = json_loads(hear(), 0, NULL);
            if (!fits(want, got))
                fail_msg("%s:%u: %s", path, number, world.heard);
            frames++;
            json_decref(got);
        }
        if (json_object_get(doc, "close") != NULL) {
            silence();
            expect_close((unsigned)json_integer_value(json_object_get(doc, "close")));
        }
        json_decref(doc);
    }
    fclose(file);
    assert_int_equal(world.wants_close, 1);
    assert_true(frames > 2);
}

static void hello(void **state)
{
    (void)state;
    replay("hello");
}

static void messages(void **state)
{
    (void)state;
    replay("messages");
}

static void watching(void **state)
{
    (void)state;
    replay("watching");
}

static void refusals(void **state)
{
    (void)state;
    replay("refusals");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(hello), T(messages), T(watching), T(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
