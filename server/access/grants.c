/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "access/grants.h"

#include <stdlib.h>
#include <string.h>

static const char *const scope_words[ACCESS_SCOPES] = {
    [ACCESS_PUBLIC] = "public", [ACCESS_TOKEN] = "token", [ACCESS_READ] = "read", [ACCESS_MESSAGE] = "message",
    [ACCESS_SPAWN] = "spawn", [ACCESS_STOP] = "stop", [ACCESS_HOST] = "host", [ACCESS_ADMIN] = "admin",
};

const char *access_scope_word(enum access_scope scope)
{
    return scope_words[scope];
}

/* ---- patterns ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int grant_pattern_parse(struct grant_pattern *pattern, troupe_view text, const char **ret_words)
{
    struct grant_pattern parsed = {.bytes = malloc(text.len + 1)};
    unsigned len = 0;
    if (parsed.bytes == NULL)
        return TROUPE_E_NO_MEMORY;
    *ret_words = NULL;
    for (size_t i = 0; i < text.len && *ret_words == NULL; i++) {
        if (text.ptr[i] == '*') {
            if (parsed.stars == GRANT_STARS_MAX) {
                *ret_words = "a pattern has at most 8 asterisks";
                break;
            }
            parsed.ends[parsed.stars++] = (unsigned short)len;
        } else if (text.ptr[i] == '%') {
            int high = i + 2 < text.len ? digit_of(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? digit_of(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                *ret_words = "% is followed by two hexadecimal digits; write %25 for the character itself";
            else
                parsed.bytes[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            parsed.bytes[len++] = text.ptr[i];
        }
    }
    parsed.ends[parsed.stars] = (unsigned short)len;
    if (*ret_words != NULL) {
        free(parsed.bytes);
        return TROUPE_E_INVALID;
    }
    *pattern = parsed;
    return 0;
}

static troupe_view piece(const struct grant_pattern *pattern, unsigned i)
{
    unsigned from = i > 0 ? pattern->ends[i - 1] : 0;
    return (troupe_view){pattern->bytes + from, pattern->ends[i] - from};
}

bool grant_pattern_fits(const struct grant_pattern *pattern, troupe_view text)
{
    troupe_view first = piece(pattern, 0), last = piece(pattern, pattern->stars);
    if (pattern->stars == 0)
        return troupe_view_equal(first, text);
    if (text.len < first.len + last.len)
        return false;
    if (first.len > 0 && memcmp(text.ptr, first.ptr, first.len) != 0)
        return false;
    if (last.len > 0 && memcmp(text.ptr + text.len - last.len, last.ptr, last.len) != 0)
        return false;
    const char *at = text.ptr + first.len, *end = text.ptr + text.len - last.len;
    for (unsigned i = 1; i < pattern->stars; i++) {
        troupe_view middle = piece(pattern, i);
        if (middle.len == 0)
            continue;
        at = memmem(at, (size_t)(end - at), middle.ptr, middle.len);
        if (at == NULL)
            return false;
        at += middle.len;
    }
    return true;
}

/* Nothing but asterisks, and at least one. */
static bool fits_all(const struct grant_pattern *pattern)
{
    return pattern->stars > 0 && pattern->ends[pattern->stars] == 0;
}

/* ---- one grant ---- */

static void fini_grant(struct grant *grant)
{
    free(grant->target.bytes);
    free(grant->key.bytes);
    free(grant->type.bytes);
}

static int parse_scope(troupe_view word, unsigned *ret_scopes)
{
    for (unsigned scope = ACCESS_READ; scope < ACCESS_SCOPES; scope++) {
        if (troupe_view_equal(word, troupe_view_of(scope_words[scope]))) {
            *ret_scopes = 1u << scope;
            return 0;
        }
    }
    if (word.len != 1 || word.ptr[0] != '*')
        return TROUPE_E_INVALID;
    *ret_scopes = (1u << ACCESS_SCOPES) - (1u << ACCESS_READ);
    return 0;
}

static int parse_target(struct grant *grant, troupe_view text, const char **ret_words)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    int error;
    *ret_words = "a target is *, BEHAVIOR/*, BEHAVIOR/KEY, @NAME or +GROUP";
    if (text.len == 1 && text.ptr[0] == '*') {
        grant->kind = GRANT_ANYTHING;
        return 0;
    }
    if (text.len > 1 && (text.ptr[0] == '@' || text.ptr[0] == '+')) {
        grant->kind = text.ptr[0] == '@' ? GRANT_NAME : GRANT_GROUP;
        return grant_pattern_parse(&grant->target, (troupe_view){text.ptr + 1, text.len - 1}, ret_words);
    }
    if (slash == NULL || slash == text.ptr || slash == text.ptr + text.len - 1)
        return TROUPE_E_INVALID;
    grant->kind = GRANT_BEHAVIOR;
    error = grant_pattern_parse(&grant->target, (troupe_view){text.ptr, (size_t)(slash - text.ptr)}, ret_words);
    if (error != 0)
        return error;
    troupe_view key = {slash + 1, text.len - (size_t)(slash + 1 - text.ptr)};
    return grant_pattern_parse(&grant->key, key, ret_words);
}

static int parse_type(struct grant *grant, troupe_view text, const char **ret_words)
{
    *ret_words = "an empty type fits nothing; leave out the last colon, or write * for any type";
    if (text.len == 0)
        return TROUPE_E_INVALID;
    int error = grant_pattern_parse(&grant->type, text, ret_words);
    if (error != 0)
        return error;
    grant->any_type = fits_all(&grant->type);
    if (grant->any_type || (grant->scopes & 1u << ACCESS_MESSAGE) != 0)
        return 0;
    *ret_words = "only grants of the scope message have a type; leave out the last part";
    return TROUPE_E_INVALID;
}

/* Take the bytes up to the next colon off the text; the colon too. */
static troupe_view take_part(troupe_view *rest)
{
    const char *colon = rest->len > 0 ? memchr(rest->ptr, ':', rest->len) : NULL;
    troupe_view part = {rest->ptr, colon != NULL ? (size_t)(colon - rest->ptr) : rest->len};
    size_t used = part.len + (colon != NULL ? 1 : 0);
    *rest = colon != NULL ? (troupe_view){rest->ptr + used, rest->len - used} : (troupe_view){NULL, 0};
    return part;
}

static int parse_grant(struct grant *grant, troupe_view text, const char **ret_words)
{
    troupe_view rest = text;
    troupe_view scope = take_part(&rest);
    grant->any_type = true;
    *ret_words = "the scope is one of read, message, spawn, stop, host, admin, or * for all of them";
    if (parse_scope(scope, &grant->scopes) != 0)
        return TROUPE_E_INVALID;
    if (rest.ptr == NULL)
        return 0;
    int error = parse_target(grant, take_part(&rest), ret_words);
    if (error != 0 || rest.ptr == NULL)
        return error;
    troupe_view type = take_part(&rest);
    if (rest.ptr != NULL) {
        *ret_words = "a grant is scope:target:type; write %3A for a colon within a part";
        return TROUPE_E_INVALID;
    }
    return parse_type(grant, type, ret_words);
}

int grants_add(struct grants *grants, troupe_view text, const char **ret_words)
{
    struct grant grant = {0};
    if (grants->count == GRANTS_MAX) {
        *ret_words = "there are more than 64 grants; use patterns";
        return TROUPE_E_LIMIT;
    }
    if (text.len > GRANT_BYTES_MAX) {
        *ret_words = "a grant has at most 1024 bytes";
        return TROUPE_E_INVALID;
    }
    int error = parse_grant(&grant, text, ret_words);
    if (error != 0) {
        fini_grant(&grant);
        if (error == TROUPE_E_NO_MEMORY)
            *ret_words = "memory is exhausted";
        return error;
    }
    struct grant *list = realloc(grants->list, (grants->count + 1) * sizeof *list);
    if (list == NULL) {
        fini_grant(&grant);
        *ret_words = "memory is exhausted";
        return TROUPE_E_NO_MEMORY;
    }
    grants->list = list;
    grants->scopes_some |= grant.scopes;
    if (grant.kind == GRANT_ANYTHING && grant.any_type)
        grants->scopes_all |= grant.scopes;
    grants->list[grants->count++] = grant;
    return 0;
}

int grants_add_list(struct grants *grants, const json_t *list, size_t *ret_at, const char **ret_words)
{
    int error = 0;
    for (size_t i = 0; i < json_array_size(list) && error == 0; i++) {
        const json_t *grant = json_array_get(list, i);
        troupe_view text = {json_string_value(grant), json_string_length(grant)};
        *ret_at = i;
        *ret_words = "a grant is a text such as \"message:counter/*:add\"";
        error = json_is_string(grant) ? grants_add(grants, text, ret_words) : TROUPE_E_INVALID;
    }
    return error;
}

void grants_fini(struct grants *grants)
{
    for (unsigned i = 0; i < grants->count; i++)
        fini_grant(&grants->list[i]);
    free(grants->list);
    *grants = (struct grants){0};
}

/* ---- the question ---- */

/* A part of the target that is not known is covered by no pattern that says something about it. */
static bool fits_part(const struct grant_pattern *pattern, troupe_view part)
{
    return part.len > 0 && grant_pattern_fits(pattern, part);
}

static bool fits_target(const struct grant *grant, const struct access_target *target)
{
    switch (grant->kind) {
    case GRANT_ANYTHING: return true;
    case GRANT_NAME:     return fits_part(&grant->target, target->name);
    case GRANT_GROUP:    return fits_part(&grant->target, target->group);
    default:
        return fits_part(&grant->target, target->behavior) &&
               (fits_all(&grant->key) || fits_part(&grant->key, target->key));
    }
}

bool grants_cover(const struct grants *grants, enum access_scope scope, const struct access_target *target)
{
    unsigned bit = 1u << scope;
    if ((grants->scopes_all & bit) != 0)
        return true;
    if ((grants->scopes_some & bit) == 0)
        return false;
    for (unsigned i = 0; i < grants->count; i++) {
        const struct grant *grant = &grants->list[i];
        if ((grant->scopes & bit) == 0 || !fits_target(grant, target))
            continue;
        if (grant->any_type || fits_part(&grant->type, target->type))
            return true;
    }
    return false;
}

bool grants_cover_some(const struct grants *grants, enum access_scope scope)
{
    return (grants->scopes_some & 1u << scope) != 0;
}
