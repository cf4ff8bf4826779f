/* SPDX-License-Identifier: Apache-2.0
 *
 * A body against a schema, value by value as the reader comes to them. The depth of the recursion is that of the
 * schema, not that of the body: where the schema has nothing to say, the reader skips, which it does without recursion.
 *
 * The first fault ends the check; then the rest is only looked at for being JSON, as a body that is none is malformed
 * before it is anything else. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/schema_impl.h"
#include "base/text.h"

enum { KEY_BYTES_MAX = 64 };     /* of a member's name in a sentence */

/* A step from a value into one inside it. The steps of the stack lead to the value at hand. */
struct step {
    const struct step *before;
    const troupe_json_string *key; /* of an object; NULL: of an array */
    uint64_t index;
};

struct checking {
    const struct schema *schema;
    troupe_json_reader reader;
    struct schema_fault *fault;
};

/* ---- faults ---- */

static void add_step(struct schema_path *path, const struct step *step)
{
    char text[SCHEMA_POINTER_BYTES];
    size_t len = 0;
    if (step == NULL)
        return;
    add_step(path, step->before);
    if (step->key == NULL)
        len = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)step->index);
    else if (troupe_json_string_copy(step->key, text, sizeof text, &len) != 0)
        path->is_full = true;
    schema_path_add(path, (troupe_view){text, len});
}

/* The name of the value at hand for a sentence, as the behaviors' own words have it: as it came, and cut. */
static troupe_view name_of(const struct step *step)
{
    troupe_view name = {"", 0};
    while (step != NULL && step->key == NULL)
        step = step->before;
    if (step == NULL)
        return name;
    name = step->key->raw;
    if (name.len > KEY_BYTES_MAX) {
        name.len = KEY_BYTES_MAX;
        while (name.len > 0 && ((unsigned char)name.ptr[name.len] & 0xc0) == 0x80)
            name.len--;
    }
    return name;
}

static int fail(struct checking *c, const struct step *at, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
static int fail(struct checking *c, const struct step *at, const char *format, ...)
{
    struct schema_path path = {.text = c->fault->pointer};
    troupe_view name = name_of(at);
    char *detail = c->fault->detail;
    size_t len = 0;
    va_list args;
    c->fault->pointer[0] = '\0';
    add_step(&path, at);
    if (name.len > 0)
        len = (size_t)snprintf(detail, SCHEMA_DETAIL_BYTES, "%.*s: ", (int)name.len, name.ptr);
    va_start(args, format);
    vsnprintf(detail + len, SCHEMA_DETAIL_BYTES - len, format, args);
    va_end(args);
    return c->fault->error = TROUPE_E_SCHEMA;
}

/* The reader has met an error: the body is not JSON. */
static int fail_json(struct checking *c)
{
    const char *reason = c->reader.reason != NULL ? c->reader.reason : "it ends early";
    c->fault->pointer[0] = '\0';
    snprintf(c->fault->detail, SCHEMA_DETAIL_BYTES, "the body is not JSON: %s at byte %zu", reason,
             c->reader.error_offset);
    return c->fault->error = TROUPE_E_MALFORMED;
}

static const char *word_of(enum troupe_json_type type)
{
    static const char *const words[] = {
        [TROUPE_JSON_NULL] = "null", [TROUPE_JSON_BOOL] = "a boolean", [TROUPE_JSON_NUMBER] = "a number",
        [TROUPE_JSON_STRING] = "a string", [TROUPE_JSON_ARRAY] = "an array", [TROUPE_JSON_OBJECT] = "an object",
    };
    return words[type];
}

static int fail_type(struct checking *c, const struct step *at, unsigned types, const char *found)
{
    static const char *const words[] = {"null", "a boolean", "an integer", "a number", "a string", "an array",
                                        "an object"};
    char text[128];
    struct text list;
    if ((types & SCHEMA_NUMBER) != 0)
        types &= ~(unsigned)SCHEMA_INTEGER;
    text_init_fixed(&list, text, sizeof text);
    for (unsigned i = 0; i < 7; i++) {
        if ((types >> i & 1) != 0)
            text_printf(&list, "%s%s", list.len > 0 ? " or " : "", words[i]);
    }
    return fail(c, at, "it must be %s, not %s", text, found);
}

/* ---- numbers ---- */

struct schema_number schema_number_read(troupe_view text)
{
    struct schema_number number = {0};
    troupe_json_reader reader;
    troupe_json_read_init(&reader, text.ptr, text.len);
    number.exact = troupe_json_read_int(&reader, INT64_MIN, INT64_MAX);
    if (reader.error == 0) {
        number.is_exact = true;
        number.value = (double)number.exact;
        return number;
    }
    troupe_json_read_init(&reader, text.ptr, text.len);
    number.value = troupe_json_read_double(&reader);
    if (reader.error != 0)
        number.value = text.ptr[0] == '-' ? -INFINITY : INFINITY;
    return number;
}

int schema_number_compare(const struct schema_number *a, const struct schema_number *b)
{
    if (a->is_exact && b->is_exact)
        return (a->exact > b->exact) - (a->exact < b->exact);
    return (a->value > b->value) - (a->value < b->value);
}

static int check_bounds(struct checking *c, const struct schema_node *node, const struct schema_number *number,
                        const struct step *at)
{
    const struct schema_bound *min = &node->min, *max = &node->max;
    int order = min->is_set ? schema_number_compare(number, &min->at) : 1;
    if (order < 0 || (order == 0 && min->is_exclusive))
        return fail(c, at, "it must be %s %.17g", min->is_exclusive ? "more than" : "at least", min->at.value);
    order = max->is_set ? schema_number_compare(number, &max->at) : -1;
    if (order > 0 || (order == 0 && max->is_exclusive))
        return fail(c, at, "it must be %s %.17g", max->is_exclusive ? "less than" : "at most", max->at.value);
    return 0;
}

static bool is_integer(troupe_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' || text.ptr[i] == 'e' || text.ptr[i] == 'E')
            return false;
    }
    return true;
}

static int check_enum_number(struct checking *c, const struct schema_node *node, const struct schema_number *number,
                             const struct step *at)
{
    for (unsigned i = 0; i < node->values_count; i++) {
        if (node->values[i].type == TROUPE_JSON_NUMBER && schema_number_compare(&node->values[i].number, number) == 0)
            return 0;
    }
    return fail(c, at, "this number is not among those that are allowed");
}

static int check_number(struct checking *c, const struct schema_node *node, const struct step *at)
{
    troupe_view text = troupe_json_read_raw(&c->reader);
    if (c->reader.error != 0)
        return fail_json(c);
    if ((node->types & SCHEMA_NUMBER) == 0 && !is_integer(text))
        return fail_type(c, at, node->types, "a number with a fraction or an exponent");
    if (!node->min.is_set && !node->max.is_set && node->values == NULL)
        return 0;
    struct schema_number number = schema_number_read(text);
    int error = check_bounds(c, node, &number, at);
    return error == 0 && node->values != NULL ? check_enum_number(c, node, &number, at) : error;
}

/* ---- strings and words ---- */

/* Characters of a string that is in the input, checked already. */
static uint64_t length_of(const troupe_json_string *string)
{
    uint64_t count = 0;
    const char *p = string->raw.ptr, *end = p + string->raw.len;
    while (p < end) {
        if (*p == '\\' && p[1] == 'u') {
            bool is_low_half = (p[2] == 'd' || p[2] == 'D') && strchr("cdefCDEF", p[3]) != NULL;
            count += is_low_half ? 0 : 1; /* a pair is one character */
            p += 6;
        } else if (*p == '\\') {
            count++;
            p += 2;
        } else {
            count += ((unsigned char)*p & 0xc0) != 0x80 ? 1 : 0;
            p++;
        }
    }
    return count;
}

static int check_enum_string(struct checking *c, const struct schema_node *node, const troupe_json_string *string,
                             const struct step *at)
{
    char text[160];
    struct text list;
    text_init_fixed(&list, text, sizeof text);
    for (unsigned i = 0; i < node->values_count; i++) {
        if (node->values[i].type != TROUPE_JSON_STRING)
            continue;
        if (troupe_json_string_equal(string, troupe_view_of(node->values[i].text)))
            return 0;
        text_printf(&list, "%s%s", list.len > 0 ? ", " : "", node->values[i].text);
    }
    if (list.failed || list.len == 0)
        return fail(c, at, "this text is not among those that are allowed");
    return fail(c, at, "it must be one of %s", text);
}

static int check_string(struct checking *c, const struct schema_node *node, const struct step *at)
{
    troupe_json_string string = troupe_json_read_string(&c->reader);
    if (c->reader.error != 0)
        return fail_json(c);
    if (node->length_min > 0 || node->length_max < UINT64_MAX) {
        uint64_t len = length_of(&string);
        if (len < node->length_min)
            return fail(c, at, "it must have at least %llu characters", (unsigned long long)node->length_min);
        if (len > node->length_max)
            return fail(c, at, "it must have at most %llu characters", (unsigned long long)node->length_max);
    }
    return node->values != NULL ? check_enum_string(c, node, &string, at) : 0;
}

/* null, true and false. */
static int check_literal(struct checking *c, const struct schema_node *node, enum troupe_json_type type,
                         const struct step *at)
{
    bool is_true = false;
    if (type == TROUPE_JSON_BOOL)
        is_true = troupe_json_read_bool(&c->reader);
    else
        troupe_json_read_null(&c->reader);
    if (c->reader.error != 0)
        return fail_json(c);
    for (unsigned i = 0; i < node->values_count; i++) {
        if (node->values[i].type == type && node->values[i].is_true == is_true)
            return 0;
    }
    return node->values == NULL ? 0 : fail(c, at, "this value is not among those that are allowed");
}

/* ---- containers ---- */

static int check_value(struct checking *c, int index, const struct step *at);

static int check_array(struct checking *c, const struct schema_node *node, const struct step *at)
{
    struct step step = {.before = at};
    int error = 0;
    while (error == 0 && troupe_json_next_item(&c->reader)) {
        if (step.index == node->items_max)
            return fail(c, at, "it must have at most %llu items", (unsigned long long)node->items_max);
        error = check_value(c, node->items, &step);
        step.index++;
    }
    if (error != 0)
        return error;
    if (c->reader.error != 0)
        return fail_json(c);
    if (step.index < node->items_min)
        return fail(c, at, "it must have at least %llu items", (unsigned long long)node->items_min);
    return node->values == NULL ? 0 : fail(c, at, "an array is not among the values that are allowed");
}

static const struct schema_property *find_property(const struct schema_node *node, const troupe_json_string *key)
{
    for (unsigned i = 0; i < node->properties_count; i++) {
        const struct schema_property *property = &node->properties[i];
        if (troupe_json_string_equal(key, (troupe_view){property->name, property->name_len}))
            return property;
    }
    return NULL;
}

static int fail_missing(struct checking *c, const struct schema_node *node, uint64_t missing, const struct step *at)
{
    const struct schema_property *property = &node->properties[__builtin_ctzll(missing)];
    const troupe_json_string key = {.raw = {property->name, property->name_len}};
    const struct step step = {.before = at, .key = &key};
    int error = fail(c, &step, "it is missing");
    /* The behaviors' own words are "key is missing". */
    snprintf(c->fault->detail, SCHEMA_DETAIL_BYTES, "%.*s is missing", (int)name_of(&step).len, name_of(&step).ptr);
    return error;
}

static int check_object(struct checking *c, const struct schema_node *node, const struct step *at)
{
    troupe_json_string key;
    const struct step step = {.before = at, .key = &key};
    uint64_t seen = 0;
    int error = 0;
    while (error == 0 && troupe_json_next_member(&c->reader, &key)) {
        const struct schema_property *property = find_property(node, &key);
        if (property != NULL)
            seen |= (uint64_t)1 << (property - node->properties);
        error = check_value(c, property != NULL ? property->node : node->additional, &step);
    }
    if (error != 0)
        return error;
    if (c->reader.error != 0)
        return fail_json(c);
    if ((node->required & ~seen) != 0)
        return fail_missing(c, node, node->required & ~seen, at);
    return node->values == NULL ? 0 : fail(c, at, "an object is not among the values that are allowed");
}

/* ---- any value ---- */

static int check_value(struct checking *c, int index, const struct step *at)
{
    static const unsigned type_bits[] = {
        [TROUPE_JSON_NULL] = SCHEMA_NULL, [TROUPE_JSON_BOOL] = SCHEMA_BOOLEAN,
        [TROUPE_JSON_NUMBER] = SCHEMA_NUMBER | SCHEMA_INTEGER, [TROUPE_JSON_STRING] = SCHEMA_STRING,
        [TROUPE_JSON_ARRAY] = SCHEMA_ARRAY, [TROUPE_JSON_OBJECT] = SCHEMA_OBJECT,
    };
    enum troupe_json_type type = troupe_json_peek(&c->reader);
    if (index == SCHEMA_NONE)
        return fail(c, at, "there is no such member");
    if (index == SCHEMA_ANY || type == TROUPE_JSON_NONE) {
        troupe_json_skip(&c->reader);
        return c->reader.error == 0 ? 0 : fail_json(c);
    }
    const struct schema_node *node = &c->schema->nodes[index];
    if ((node->types & type_bits[type]) == 0)
        return fail_type(c, at, node->types, word_of(type));
    switch (type) {
    case TROUPE_JSON_NUMBER: return check_number(c, node, at);
    case TROUPE_JSON_STRING: return check_string(c, node, at);
    case TROUPE_JSON_ARRAY:  return check_array(c, node, at);
    case TROUPE_JSON_OBJECT: return check_object(c, node, at);
    default:                 return check_literal(c, node, type, at);
    }
}

int schema_check(const struct schema *schema, troupe_view body, struct schema_fault *ret_fault)
{
    struct checking c;
    if (body.len == 0)
        body = (troupe_view){"{}", 2};
    if (schema_fits_plainly(schema, body))
        return 0;
    c.schema = schema;
    c.fault = ret_fault;
    troupe_json_read_init(&c.reader, body.ptr, body.len);
    int error = check_value(&c, 0, NULL);
    if (error == TROUPE_E_SCHEMA) {
        troupe_json_read_init(&c.reader, body.ptr, body.len);
        troupe_json_skip(&c.reader);
    }
    if (error != TROUPE_E_MALFORMED && troupe_json_read_end(&c.reader) != 0)
        error = fail_json(&c);
    return error;
}
