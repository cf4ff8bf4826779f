/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <troupe/json.h>
#include <troupe/limits.h>

#include "base/text.h"
#include "base/utf8_text.h"

enum { FIELDS_MAX = 32 };

struct check {
    troupe_json_reader reader;
    struct check_fault *fault;
    char *dst;
    const char *prefix;          /* "mailbox." inside of it */
};

static int fail(struct check *check, int error, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(struct check *check, int error, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    check->fault->error = error;
    snprintf(check->fault->field, sizeof check->fault->field, "%s%s", check->prefix, name);
    vsnprintf(check->fault->detail, sizeof check->fault->detail, format, args);
    va_end(args);
    return error;
}

/* What the reader says, when it is about JSON and not about our rules. */
static int fail_json(struct check *check)
{
    const troupe_json_reader *r = &check->reader;
    if (r->error == TROUPE_E_INVALID)
        return fail(check, TROUPE_E_SCHEMA, "", "the body must be a JSON object");
    const char *reason = r->reason != NULL ? r->reason : "it ends early";
    return fail(check, TROUPE_E_MALFORMED, "", "the body is not JSON: %s at byte %zu", reason, r->error_offset);
}

static int read_text(struct check *check, const struct check_field *field)
{
    size_t len = troupe_json_read_text(&check->reader, check->dst + field->offset, (size_t)field->max + 1);
    if (check->reader.error == TROUPE_E_MALFORMED)
        return fail_json(check);
    if (check->reader.error != 0 || len == 0)
        return fail(check, TROUPE_E_SCHEMA, field->name, "%s%s must be a text of 1 to %llu bytes", check->prefix,
                    field->name, (unsigned long long)field->max);
    return 0;
}

static int read_uint(struct check *check, const struct check_field *field)
{
    uint64_t value = troupe_json_read_uint(&check->reader, field->max);
    if (check->reader.error == TROUPE_E_MALFORMED)
        return fail_json(check);
    if (check->reader.error != 0 || value < field->min)
        return fail(check, TROUPE_E_SCHEMA, field->name, "%s%s must be a whole number from %llu to %llu",
                    check->prefix, field->name, (unsigned long long)field->min, (unsigned long long)field->max);
    *(uint32_t *)(void *)(check->dst + field->offset) = (uint32_t)value;
    return 0;
}

static int read_bool(struct check *check, const struct check_field *field)
{
    bool value = troupe_json_read_bool(&check->reader);
    if (check->reader.error == TROUPE_E_MALFORMED)
        return fail_json(check);
    if (check->reader.error != 0)
        return fail(check, TROUPE_E_SCHEMA, field->name, "%s%s must be true or false", check->prefix, field->name);
    *(uint32_t *)(void *)(check->dst + field->offset) = value;
    return 0;
}

static int read_word(struct check *check, const struct check_field *field)
{
    char choice_text[128];
    struct text choice;
    troupe_json_string word = troupe_json_read_string(&check->reader);
    if (check->reader.error == TROUPE_E_MALFORMED)
        return fail_json(check);
    text_init_fixed(&choice, choice_text, sizeof choice_text);
    for (uint32_t i = 0; field->words[i] != NULL; i++) {
        if (check->reader.error == 0 && troupe_json_string_equal(&word, troupe_view_of(field->words[i]))) {
            *(uint32_t *)(void *)(check->dst + field->offset) = i;
            return 0;
        }
        text_printf(&choice, "%s\"%s\"", i > 0 ? ", " : "", field->words[i]);
    }
    return fail(check, TROUPE_E_SCHEMA, field->name, "%s%s must be one of %s", check->prefix, field->name, choice_text);
}

static int read_members(struct check *check, const struct check_field *fields);

static int read_object(struct check *check, const struct check_field *field)
{
    char prefix[CHECK_FIELD_BYTES / 2];
    enum troupe_json_type type = troupe_json_peek(&check->reader);
    if (type == TROUPE_JSON_NONE) {
        troupe_json_skip(&check->reader); /* finds what is wrong */
        return fail_json(check);
    }
    if (type != TROUPE_JSON_OBJECT)
        return fail(check, TROUPE_E_SCHEMA, field->name, "%s must be an object", field->name);
    snprintf(prefix, sizeof prefix, "%s.", field->name);
    check->prefix = prefix;
    int error = read_members(check, field->fields);
    check->prefix = "";
    return error;
}

static int read_value(struct check *check, const struct check_field *field)
{
    if (field->type == CHECK_ANY) {
        *(troupe_view *)(void *)(check->dst + field->offset) = troupe_json_read_raw(&check->reader);
        return check->reader.error != 0 ? fail_json(check) : 0;
    }
    if (!field->required && troupe_json_peek(&check->reader) == TROUPE_JSON_NULL) {
        troupe_json_read_null(&check->reader);
        return check->reader.error != 0 ? fail_json(check) : 0;
    }
    switch (field->type) {
    case CHECK_TEXT: return read_text(check, field);
    case CHECK_UINT: return read_uint(check, field);
    case CHECK_WORD: return read_word(check, field);
    case CHECK_BOOL: return read_bool(check, field);
    default:         return read_object(check, field);
    }
}

static int fail_unknown(struct check *check, const struct check_field *fields, const troupe_json_string *key)
{
    char known_text[160], name[CHECK_FIELD_BYTES / 2];
    struct text known;
    size_t len = key->raw.len < sizeof name ? key->raw.len : sizeof name - 1;
    memcpy(name, key->raw.ptr, len);
    name[len] = '\0';
    text_init_fixed(&known, known_text, sizeof known_text);
    for (unsigned i = 0; fields[i].name != NULL; i++)
        text_printf(&known, "%s%s", i > 0 ? ", " : "", fields[i].name);
    return fail(check, TROUPE_E_SCHEMA, name, "there is no such field; the fields are %s", known_text);
}

static int read_members(struct check *check, const struct check_field *fields)
{
    uint32_t seen = 0;
    troupe_json_string key;
    while (troupe_json_next_member(&check->reader, &key)) {
        unsigned i = 0;
        while (i < FIELDS_MAX && fields[i].name != NULL && !troupe_json_key_is(&key, fields[i].name))
            i++;
        if (fields[i].name == NULL)
            return fail_unknown(check, fields, &key);
        if ((seen & 1u << i) != 0)
            return fail(check, TROUPE_E_SCHEMA, fields[i].name, "the field is given twice");
        seen |= 1u << i;
        int error = read_value(check, &fields[i]);
        if (error != 0)
            return error;
    }
    if (check->reader.error != 0)
        return fail_json(check);
    for (unsigned i = 0; fields[i].name != NULL; i++) {
        if (fields[i].required && (seen & 1u << i) == 0)
            return fail(check, TROUPE_E_SCHEMA, fields[i].name, "the field is required");
    }
    return 0;
}

int check_object(const char *body, size_t len, const struct check_field *fields, void *dst,
                 struct check_fault *ret_fault)
{
    struct check check = {.fault = ret_fault, .dst = dst, .prefix = ""};
    if (len == 0)
        return fail(&check, TROUPE_E_MALFORMED, "", "the body is empty; send a JSON object");
    troupe_json_read_init(&check.reader, body, len);
    int error = read_members(&check, fields);
    if (error != 0)
        return error;
    return troupe_json_read_end(&check.reader) != 0 ? fail_json(&check) : 0;
}

const char check_name_rule[] = "a name has no control characters and is not . or ..";

bool check_is_name(troupe_view name)
{
    return !troupe_view_equal(name, troupe_view_of(".")) && !troupe_view_equal(name, troupe_view_of("..")) &&
           utf8_is_clean(name.ptr, name.len);
}

bool check_is_word(troupe_view word)
{
    static const char others[] = "_.:-";
    if (word.len == 0 || word.len > TROUPE_TYPE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return true;
}
