/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the schema checker. The input is a schema, a zero byte, and a body. For any bytes:
 *
 *   - a schema is compiled, or refused with a pointer and words that end inside their buffers;
 *   - a body is malformed exactly when it is not JSON;
 *   - else the verdict is that of a validator which is written as simply as can be, over a document tree;
 *   - the verdict does not depend on blanks around the body;
 *   - the pointer of a fault begins with / or is empty. */
#include <string.h>

#include <jansson.h>

#include <troupe/json.h>

#include "api/schema.h"
#include "fuzz.h"

enum { SIZE_MAX_BYTES = 16384 };

/* ---- the simple validator: json_t all the way ---- */

static bool is_type(const json_t *value, const char *type)
{
    switch (json_typeof(value)) {
    case JSON_NULL:    return strcmp(type, "null") == 0;
    case JSON_TRUE:
    case JSON_FALSE:   return strcmp(type, "boolean") == 0;
    case JSON_INTEGER: return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:    return strcmp(type, "number") == 0;
    case JSON_STRING:  return strcmp(type, "string") == 0;
    case JSON_ARRAY:   return strcmp(type, "array") == 0;
    default:           return strcmp(type, "object") == 0;
    }
}

static bool fits_type(const json_t *types, const json_t *value)
{
    if (types == NULL || json_is_string(types))
        return types == NULL || is_type(value, json_string_value(types));
    for (size_t i = 0; i < json_array_size(types); i++) {
        if (is_type(value, json_string_value(json_array_get(types, i))))
            return true;
    }
    return false;
}

static int compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) - (json_integer_value(a) < json_integer_value(b));
    return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
}

static bool is_same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return compare_numbers(a, b) == 0;
    return !json_is_array(b) && !json_is_object(b) && json_equal(a, b);
}

static bool fits_enum(const json_t *schema, const json_t *value)
{
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    bool found = list == NULL;
    for (size_t i = 0; i < json_array_size(list); i++)
        found = found || is_same(json_array_get(list, i), value);
    return found && (only == NULL || is_same(only, value));
}

static bool fits_number(const json_t *schema, const json_t *value)
{
    const json_t *bound;
    return ((bound = json_object_get(schema, "minimum")) == NULL || compare_numbers(value, bound) >= 0) &&
           ((bound = json_object_get(schema, "maximum")) == NULL || compare_numbers(value, bound) <= 0) &&
           ((bound = json_object_get(schema, "exclusiveMinimum")) == NULL || compare_numbers(value, bound) > 0) &&
           ((bound = json_object_get(schema, "exclusiveMaximum")) == NULL || compare_numbers(value, bound) < 0);
}

static bool fits_count(const json_t *schema, const char *min, const char *max, size_t count)
{
    const json_t *bound;
    return ((bound = json_object_get(schema, min)) == NULL || count >= (size_t)json_integer_value(bound)) &&
           ((bound = json_object_get(schema, max)) == NULL || count <= (size_t)json_integer_value(bound));
}

static size_t characters(const json_t *value)
{
    size_t count = 0;
    const char *text = json_string_value(value);
    for (size_t i = 0; i < json_string_length(value); i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static bool fits(const json_t *schema, const json_t *value);

static bool fits_array(const json_t *schema, const json_t *value)
{
    const json_t *items = json_object_get(schema, "items");
    for (size_t i = 0; items != NULL && i < json_array_size(value); i++) {
        if (!fits(items, json_array_get(value, i)))
            return false;
    }
    return fits_count(schema, "minItems", "maxItems", json_array_size(value));
}

static bool fits_object(const json_t *schema, json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *additional = json_object_get(schema, "additionalProperties");
    const json_t *required = json_object_get(schema, "required");
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member) {
        const json_t *inner = json_object_get(properties, name);
        if (inner == NULL)
            inner = additional;
        if (inner != NULL && !fits(inner, member))
            return false;
    }
    for (size_t i = 0; i < json_array_size(required); i++) {
        if (json_object_get(value, json_string_value(json_array_get(required, i))) == NULL)
            return false;
    }
    return true;
}

static bool fits(const json_t *schema, const json_t *value)
{
    if (json_is_boolean(schema))
        return json_is_true(schema);
    if (!fits_type(json_object_get(schema, "type"), value) || !fits_enum(schema, value))
        return false;
    switch (json_typeof(value)) {
    case JSON_INTEGER:
    case JSON_REAL:   return fits_number(schema, value);
    case JSON_STRING: return fits_count(schema, "minLength", "maxLength", characters(value));
    case JSON_ARRAY:  return fits_array(schema, value);
    case JSON_OBJECT: return fits_object(schema, (json_t *)(uintptr_t)value);
    default:          return true;
    }
}

/* ---- the target ---- */

static void check_fault(const struct schema_fault *fault)
{
    check(fault->error < 0);
    check(memchr(fault->pointer, '\0', sizeof fault->pointer) != NULL);
    check(memchr(fault->detail, '\0', sizeof fault->detail) != NULL && fault->detail[0] != '\0');
    check(fault->pointer[0] == '\0' || fault->pointer[0] == '/');
}

static int verdict_of(const struct schema *schema, const char *body, size_t len)
{
    struct schema_fault fault;
    int error = schema_check(schema, (troupe_view){body, len}, &fault);
    check(error == 0 || error == TROUPE_E_SCHEMA || error == TROUPE_E_MALFORMED);
    if (error != 0) {
        check(fault.error == error);
        check_fault(&fault);
    }
    return error;
}

/* A tree has one member of a name; and numbers that the tree cannot hold are left out. */
static void compare(const char *text, const char *body, size_t len, int verdict)
{
    const size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *schema = json_loads(text, JSON_DECODE_ANY, NULL), *value = json_loadb(body, len, flags, NULL);
    if (schema != NULL && value != NULL)
        check(fits(schema, value) == (verdict == 0));
    json_decref(schema);
    json_decref(value);
}

static void check_body(const struct schema *schema, const char *text, const char *body, size_t len)
{
    int verdict = verdict_of(schema, body, len);
    char *padded = malloc(len + 2);
    check(padded != NULL);
    if (len > 0) {
        check((troupe_json_validate(body, len, NULL) != 0) == (verdict == TROUPE_E_MALFORMED));
        padded[0] = ' ';
        memcpy(padded + 1, body, len);
        padded[len + 1] = '\n';
        check(verdict_of(schema, padded, len + 2) == verdict);
    }
    if (verdict != TROUPE_E_MALFORMED)
        compare(text, len > 0 ? body : "{}", len > 0 ? len : 2, verdict);
    free(padded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    struct schema_fault fault;
    struct schema *schema = NULL;
    if (end == NULL || size > SIZE_MAX_BYTES)
        return 0;
    const char *text = (const char *)data, *body = (const char *)end + 1;
    if (schema_compile(text, &schema, &fault) != 0) {
        check_fault(&fault);
        check(schema == NULL);
        return 0;
    }
    if (schema != NULL)
        check_body(schema, text, body, size - (size_t)(end + 1 - data));
    schema_free(schema);
    return 0;
}
