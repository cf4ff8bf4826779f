/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of access/grants.h and access/tokens.h. The input is a grant, a line end, and a text that it is asked
 * about; or the whole is a file of tokens. For any bytes:
 *
 *   - a grant that is refused leaves no trace, and says why;
 *   - the matcher agrees with the obvious slow one, for texts that are short enough for that;
 *   - a file is read or refused with words, and what is read can be freed. */
#include <string.h>

#include "access/grants.h"
#include "access/tokens.h"
#include "fuzz.h"

enum { SLOW_PATTERN_MAX = 24, SLOW_TEXT_MAX = 24, INPUT_MAX = 16384 };

struct letter {
    char c;
    bool is_star;
};

/* The definition: an asterisk is any bytes. */

static bool fits_slowly(const struct letter *pattern, size_t count, const char *text, size_t len)
{
    if (count == 0)
        return len == 0;
    if (pattern[0].is_star)
        return fits_slowly(pattern + 1, count - 1, text, len) ||
               (len > 0 && fits_slowly(pattern, count, text + 1, len - 1));
    return len > 0 && pattern[0].c == text[0] && fits_slowly(pattern + 1, count - 1, text + 1, len - 1);
}

static void check_pattern(troupe_view pattern_text, troupe_view text)
{
    struct grant_pattern pattern;
    struct letter letters[SLOW_PATTERN_MAX];
    const char *words = NULL;
    size_t count = 0, at = 0;
    if (grant_pattern_parse(&pattern, pattern_text, &words) != 0) {
        check(words != NULL);
        return;
    }
    bool fits = grant_pattern_fits(&pattern, text);
    size_t letters_count = pattern.stars + (size_t)pattern.ends[pattern.stars];
    if (letters_count <= SLOW_PATTERN_MAX && text.len <= SLOW_TEXT_MAX) {
        for (unsigned piece = 0; piece <= pattern.stars; piece++) {
            for (; at < pattern.ends[piece]; at++)
                letters[count++] = (struct letter){pattern.bytes[at], false};
            if (piece < pattern.stars)
                letters[count++] = (struct letter){'*', true};
        }
        check(fits == fits_slowly(letters, count, text.ptr, text.len));
    }
    free(pattern.bytes);
}

static void check_grant(troupe_view grant, troupe_view text)
{
    struct grants grants = {0};
    const char *words = NULL;
    const struct access_target targets[] = {
        {.type = text}, {.behavior = text}, {.name = text}, {.group = text},
        {.behavior = text, .key = text, .type = text},
    };
    int error = grants_add(&grants, grant, &words);
    check(error == 0 || (grants.count == 0 && grants.scopes_some == 0 && words != NULL));
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        for (unsigned scope = ACCESS_READ; scope < ACCESS_SCOPES; scope++) {
            bool covers = grants_cover(&grants, (enum access_scope)scope, &targets[i]);
            check(!covers || grants_cover_some(&grants, (enum access_scope)scope));
        }
    }
    grants_fini(&grants);
}

static void check_file(const char *text, size_t len)
{
    struct tokens tokens;
    char words[512] = "";
    if (tokens_parse("file", text, len, &tokens, words, sizeof words) == 0)
        tokens_fini(&tokens);
    else
        check(words[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size > 0 ? memchr(text, '\n', size) : NULL;
    if (size > INPUT_MAX)
        return 0;
    if (end != NULL) {
        troupe_view first = {text, (size_t)(end - text)};
        troupe_view second = {end + 1, size - first.len - 1};
        check_pattern(first, second);
        check_grant(first, second);
    }
    check_file(text, size);
    return 0;
}
