/* SPDX-License-Identifier: Apache-2.0
 *
 * Grants: what is one, what it covers, and a comparison with the obvious slow matcher for random patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "access/grants.h"
#include "random_input.h"

static troupe_view view(const char *text) { return troupe_view_of(text); }

static void what_is_no_grant_is_refused_with_the_remedy_test(void **state)
{
    static const struct { const char *text, *words; } rows[] = {
        {"", "scope"}, {"reed", "scope"}, {"READ", "scope"}, {"read ", "scope"}, {"public", "scope"},
        {"token", "scope"}, {"**", "scope"}, {":*", "scope"},
        {"read:", "target"}, {"read:counter", "target"}, {"read:/x", "target"}, {"read:counter/", "target"},
        {"read:@", "target"}, {"read:+", "target"}, {"read:**", "target"},
        {"message:counter/*:", "empty type"}, {"message:counter/*:add:x", "%3A"}, {"message:@a:b:c:d", "%3A"},
        {"read:counter/*:add", "only grants of the scope message"}, {"stop:*:x*", "only grants of the scope message"},
        {"read:@a%", "hexadecimal"}, {"read:@a%4", "hexadecimal"}, {"read:@%zz", "hexadecimal"},
        {"read:@%4", "hexadecimal"}, {"read:@a*b*c*d*e*f*g*h*i*", "asterisks"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct grants grants = {0};
        const char *words = NULL;
        size_t len = strlen(rows[i].text);
        char *exact = exact_copy(rows[i].text, len);
        assert_int_equal(grants_add(&grants, (troupe_view){exact, len}, &words), TROUPE_E_INVALID);
        free(exact);
        if (words == NULL || strstr(words, rows[i].words) == NULL)
            fail_msg("'%s': %s", rows[i].text, words != NULL ? words : "no words");
        assert_int_equal(grants.count, 0);
        assert_int_equal(grants.scopes_some, 0);
        assert_null(grants.list);
    }
}

static void grants_have_limits_test(void **state)
{
    struct grants grants = {0};
    char text[GRANT_BYTES_MAX + 2];
    const char *words = NULL;
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "read:@", 6);
    assert_int_equal(grants_add(&grants, (troupe_view){text, GRANT_BYTES_MAX + 1}, &words), TROUPE_E_INVALID);
    assert_int_equal(grants_add(&grants, (troupe_view){text, GRANT_BYTES_MAX}, &words), 0);
    while (grants.count < GRANTS_MAX)
        assert_int_equal(grants_add(&grants, view("read"), &words), 0);
    assert_int_equal(grants_add(&grants, view("read"), &words), TROUPE_E_LIMIT);
    assert_int_equal(grants.count, GRANTS_MAX);
    grants_fini(&grants);
    assert_int_equal(grants.count, 0);
    grants_fini(&grants);
}

/* A target as "behavior|key|name|group|type"; what is empty is not known. */
static struct access_target target_of(const char *text, char *copy)
{
    troupe_view parts[5] = {{0}};
    strcpy(copy, text);
    for (unsigned i = 0; i < 5; i++) {
        size_t len = strcspn(copy, "|");
        parts[i] = (troupe_view){copy, len};
        copy += len + (copy[len] == '|' ? 1 : 0);
    }
    return (struct access_target){parts[0], parts[1], parts[2], parts[3], parts[4]};
}

static void grants_cover_what_they_say_test(void **state)
{
    static const struct { const char *grant; enum access_scope scope; const char *target; bool covers; } rows[] = {
        {"read", ACCESS_READ, "", true}, {"read:*", ACCESS_READ, "", true}, {"read:*:*", ACCESS_READ, "", true},
        {"*", ACCESS_READ, "", true}, {"*", ACCESS_ADMIN, "", true}, {"*:*", ACCESS_HOST, "counter||a||", true},
        {"read", ACCESS_MESSAGE, "", false}, {"read", ACCESS_ADMIN, "", false}, {"admin", ACCESS_READ, "", false},
        {"read", ACCESS_READ, "counter|k|n|g|t", true},
        /* behaviors and keys */
        {"read:counter/*", ACCESS_READ, "counter||||", true}, {"read:counter/*", ACCESS_READ, "counter|k|||", true},
        {"read:counter/*", ACCESS_READ, "counter||n||", true}, {"read:counter/*", ACCESS_READ, "counters||||", false},
        {"read:counter/*", ACCESS_READ, "", false}, {"read:counter/*", ACCESS_READ, "||counter||", false},
        {"read:counter/k", ACCESS_READ, "counter|k|||", true}, {"read:counter/k", ACCESS_READ, "counter||||", false},
        {"read:counter/k*", ACCESS_READ, "counter|key|||", true},
        {"read:counter/k/l", ACCESS_READ, "counter|k/l|||", true},
        {"read:*/*", ACCESS_READ, "echo||||", true}, {"read:*/*", ACCESS_READ, "", false},
        {"read:*/k", ACCESS_READ, "echo|k|||", true}, {"read:c*r/**", ACCESS_READ, "counter||||", true},
        /* names and groups */
        {"read:@hits", ACCESS_READ, "counter||hits||", true}, {"read:@hits", ACCESS_READ, "counter||hit||", false},
        {"read:@hits", ACCESS_READ, "counter||||", false}, {"read:@*", ACCESS_READ, "counter||||", false},
        {"read:@*", ACCESS_READ, "counter||x||", true}, {"read:@cursor-*", ACCESS_READ, "||cursor-1||", true},
        {"read:@a%2Ab", ACCESS_READ, "||a*b||", true}, {"read:@a%2ab", ACCESS_READ, "||axb||", false},
        {"read:@a%3Ab%25", ACCESS_READ, "||a:b%||", true}, {"read:@a/b", ACCESS_READ, "||a/b||", true},
        {"read:+g*", ACCESS_READ, "|||g1|", true}, {"read:+g*", ACCESS_READ, "||g1||", false},
        {"read:@@x", ACCESS_READ, "||@x||", true},
        /* types */
        {"message:counter/*:add", ACCESS_MESSAGE, "counter||||add", true},
        {"message:counter/*:add", ACCESS_MESSAGE, "counter||||adds", false},
        {"message:counter/*:add", ACCESS_MESSAGE, "counter||||", false},
        {"message:*:get*", ACCESS_MESSAGE, "echo||||get_all", true}, {"message:*:get*", ACCESS_MESSAGE, "", false},
        {"message:*:a%3Ab", ACCESS_MESSAGE, "echo||||a:b", true}, {"message:*:*", ACCESS_MESSAGE, "", true},
        {"message:@hits:add", ACCESS_MESSAGE, "counter||hits||add", true},
        {"*:counter/*:add", ACCESS_MESSAGE, "counter||||add", true},
        {"*:counter/*:add", ACCESS_STOP, "counter||||", false},
        {"*:counter/*", ACCESS_STOP, "counter||||", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct grants grants = {0};
        const char *words = NULL;
        char copy[128];
        struct access_target target = target_of(rows[i].target, copy);
        assert_int_equal(grants_add(&grants, view(rows[i].grant), &words), 0);
        if (grants_cover(&grants, rows[i].scope, &target) != rows[i].covers)
            fail_msg("%s and %s %s", rows[i].grant, access_scope_word(rows[i].scope), rows[i].target);
        if (rows[i].covers)
            assert_true(grants_cover_some(&grants, rows[i].scope));
        grants_fini(&grants);
    }
}

static void no_grants_cover_nothing_test(void **state)
{
    const struct grants none = {0};
    const struct access_target everything = {0};
    (void)state;
    for (unsigned scope = ACCESS_READ; scope < ACCESS_SCOPES; scope++) {
        assert_false(grants_cover(&none, (enum access_scope)scope, &everything));
        assert_false(grants_cover_some(&none, (enum access_scope)scope));
    }
}

/* Every scope word, in a token of one grant, covers itself and nothing else. */
static void scopes_are_apart_test(void **state)
{
    const struct access_target everything = {0};
    (void)state;
    for (unsigned granted = ACCESS_READ; granted < ACCESS_SCOPES; granted++) {
        struct grants grants = {0};
        const char *words = NULL;
        assert_int_equal(grants_add(&grants, view(access_scope_word((enum access_scope)granted)), &words), 0);
        for (unsigned scope = ACCESS_READ; scope < ACCESS_SCOPES; scope++) {
            assert_int_equal(grants_cover(&grants, (enum access_scope)scope, &everything), scope == granted);
            assert_int_equal(grants_cover_some(&grants, (enum access_scope)scope), scope == granted);
        }
        grants_fini(&grants);
    }
}

/* The definition: an asterisk is any bytes. */
static bool fits_slowly(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return fits_slowly(pattern + 1, text) || (*text != '\0' && fits_slowly(pattern, text + 1));
    return *pattern == *text && fits_slowly(pattern + 1, text + 1);
}

static void random_text(uint64_t *random, char *text, size_t max, const char *letters)
{
    size_t len = random_below(random, max + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = letters[random_below(random, strlen(letters))];
    text[len] = '\0';
}

static void patterns_fit_as_the_definition_says_test(void **state)
{
    uint64_t seed = random_seed(), random = seed;
    unsigned fits = 0;
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        struct grant_pattern pattern;
        const char *words;
        char text[16], pattern_text[10];
        random_text(&random, pattern_text, 8, "ab**");
        random_text(&random, text, 14, "ab");
        assert_int_equal(grant_pattern_parse(&pattern, view(pattern_text), &words), 0);
        bool is_fit = grant_pattern_fits(&pattern, view(text));
        free(pattern.bytes);
        if (is_fit != fits_slowly(pattern_text, text))
            fail_msg("seed %llu: '%s' and '%s': %d", (unsigned long long)seed, pattern_text, text, is_fit);
        fits += is_fit;
    }
    assert_in_range(fits, 1000, 199000); /* both answers occur */
}

/* The pattern that backtracking matchers are slow with: its time grows with the eighth power of the length there. */
static void hostile_patterns_are_fast_test(void **state)
{
    enum { LEN = 4000 };
    struct grant_pattern pattern;
    const char *words;
    char text[LEN];
    clock_t start = clock();
    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(grant_pattern_parse(&pattern, view("*aa*aaa*aaaa*aaaaa*aaaaaa*aaaaaaa*b"), &words), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(grant_pattern_fits(&pattern, (troupe_view){text, sizeof text}));
    free(pattern.bytes);
    assert_int_equal(grant_pattern_parse(&pattern, view("*aab*aab*aab*aab*aab*aab*aab*"), &words), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(grant_pattern_fits(&pattern, (troupe_view){text, sizeof text}));
    free(pattern.bytes);
    assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_grant_is_refused_with_the_remedy_test), cmocka_unit_test(grants_have_limits_test),
        cmocka_unit_test(grants_cover_what_they_say_test), cmocka_unit_test(no_grants_cover_nothing_test),
        cmocka_unit_test(scopes_are_apart_test), cmocka_unit_test(patterns_fit_as_the_definition_says_test),
        cmocka_unit_test(hostile_patterns_are_fast_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
