/* SPDX-License-Identifier: Apache-2.0
 *
 * From the text of a schema to its rows. Runs when behaviors are loaded, so it is written for clear refusals, not for
 * speed. A half-built schema can be freed. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/schema_impl.h"

struct compiling {
    struct schema *schema;
    struct schema_fault *fault;
    struct schema_path path;
    unsigned depth;
};

static int fail(struct compiling *c, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct compiling *c, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->fault->detail, sizeof c->fault->detail, format, args);
    va_end(args);
    c->fault->error = error;
    return error;
}

static int fail_memory(struct compiling *c) { return fail(c, TROUPE_E_NO_MEMORY, "memory is exhausted"); }

/* ---- paths ---- */

static void add_char(struct schema_path *path, char c)
{
    if (path->len + 1 >= SCHEMA_POINTER_BYTES) {
        path->is_full = true;
        return;
    }
    path->text[path->len++] = c;
    path->text[path->len] = '\0';
}

void schema_path_add(struct schema_path *path, troupe_view step)
{
    size_t before = path->len;
    if (path->is_full)
        return;
    add_char(path, '/');
    for (size_t i = 0; i < step.len; i++) {
        char c = step.ptr[i];
        if (c == '~' || c == '/')
            add_char(path, '~');
        add_char(path, c == '~' ? '0' : c == '/' ? '1' : c);
    }
    if (!path->is_full)
        return;
    path->len = before;
    path->text[before] = '\0';
}

/* A step into the schema, and back. */
static struct schema_path enter(struct compiling *c, const char *step)
{
    struct schema_path before = c->path;
    schema_path_add(&c->path, troupe_view_of(step));
    return before;
}

static void leave(struct compiling *c, struct schema_path before)
{
    c->path = before;
    c->path.text[before.len] = '\0';
}

/* ---- keywords: each reads its value into the node; 0 or an error, which was told ---- */

static const struct {
    const char *word;
    unsigned types;
} type_words[] = {
    {"null", SCHEMA_NULL}, {"boolean", SCHEMA_BOOLEAN}, {"integer", SCHEMA_INTEGER},
    {"number", SCHEMA_NUMBER | SCHEMA_INTEGER}, {"string", SCHEMA_STRING}, {"array", SCHEMA_ARRAY},
    {"object", SCHEMA_OBJECT},
};

static int add_type(struct compiling *c, struct schema_node *node, const json_t *word)
{
    const char *text = json_string_value(word);
    for (size_t i = 0; text != NULL && i < sizeof type_words / sizeof type_words[0]; i++) {
        if (strcmp(text, type_words[i].word) == 0) {
            node->types |= type_words[i].types;
            return 0;
        }
    }
    return fail(c, TROUPE_E_INVALID, "a type is null, boolean, integer, number, string, array or object");
}

static int read_type(struct compiling *c, struct schema_node *node, const json_t *value)
{
    int error = 0;
    node->types = 0;
    if (!json_is_array(value))
        return add_type(c, node, value);
    if (json_array_size(value) == 0)
        return fail(c, TROUPE_E_INVALID, "a list of types has at least one");
    for (size_t i = 0; error == 0 && i < json_array_size(value); i++)
        error = add_type(c, node, json_array_get(value, i));
    return error;
}

static struct schema_number number_of(const json_t *value)
{
    if (json_is_integer(value))
        return (struct schema_number){true, json_integer_value(value), (double)json_integer_value(value)};
    return (struct schema_number){.value = json_real_value(value)};
}

static int read_bound(struct compiling *c, struct schema_bound *bound, const json_t *value, bool is_exclusive)
{
    if (!json_is_number(value))
        return fail(c, TROUPE_E_INVALID, "this keyword takes a number");
    if (bound->is_set)
        return fail(c, TROUPE_E_INVALID, "a bound is either inclusive or exclusive, not both");
    *bound = (struct schema_bound){true, is_exclusive, number_of(value)};
    return 0;
}

static int read_count(struct compiling *c, uint64_t *count, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return fail(c, TROUPE_E_INVALID, "this keyword takes a whole number that is not negative");
    *count = (uint64_t)json_integer_value(value);
    return 0;
}

static int read_value(struct compiling *c, struct schema_value *dst, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        if (strlen(json_string_value(value)) != json_string_length(value))
            return fail(c, TROUPE_E_INVALID, "a string with U+0000 cannot be compared");
        dst->type = TROUPE_JSON_STRING;
        dst->text = strdup(json_string_value(value));
        return dst->text != NULL ? 0 : fail_memory(c);
    case JSON_INTEGER:
    case JSON_REAL:
        dst->type = TROUPE_JSON_NUMBER;
        dst->number = number_of(value);
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        dst->type = TROUPE_JSON_BOOL;
        dst->is_true = json_is_true(value);
        return 0;
    case JSON_NULL:
        dst->type = TROUPE_JSON_NULL;
        return 0;
    default:
        return fail(c, TROUPE_E_INVALID, "only strings, numbers, true, false and null can be compared");
    }
}

static int read_values(struct compiling *c, struct schema_node *node, const json_t *list, size_t count)
{
    if (node->values != NULL)
        return fail(c, TROUPE_E_INVALID, "enum and const exclude each other");
    if (count == 0)
        return fail(c, TROUPE_E_INVALID, "enum takes a list of one value at least");
    node->values = calloc(count, sizeof node->values[0]);
    if (node->values == NULL)
        return fail_memory(c);
    node->values_count = (unsigned)count;
    int error = 0;
    for (size_t i = 0; error == 0 && i < count; i++)
        error = read_value(c, &node->values[i], json_is_array(list) ? json_array_get(list, i) : list);
    return error;
}

static int compile(struct compiling *c, const json_t *doc, int *ret_node);

static int read_properties(struct compiling *c, unsigned at, const json_t *value)
{
    size_t count = json_object_size(value);
    const char *name;
    json_t *doc;
    int error = 0;
    if (!json_is_object(value))
        return fail(c, TROUPE_E_INVALID, "properties takes an object");
    if (count > SCHEMA_PROPERTIES_MAX)
        return fail(c, TROUPE_E_INVALID, "an object has at most %d properties in a schema", SCHEMA_PROPERTIES_MAX);
    struct schema_property *properties = calloc(count > 0 ? count : 1, sizeof *properties);
    if (properties == NULL)
        return fail_memory(c);
    c->schema->nodes[at].properties = properties;
    json_object_foreach((json_t *)value, name, doc) {
        struct schema_property *property = &properties[c->schema->nodes[at].properties_count++];
        struct schema_path before = enter(c, name);
        property->name = strdup(name);
        property->name_len = strlen(name);
        error = property->name != NULL ? compile(c, doc, &property->node) : fail_memory(c);
        if (error != 0)
            return error;
        leave(c, before);
    }
    return 0;
}

static int read_required(struct compiling *c, struct schema_node *node, const json_t *value)
{
    if (!json_is_array(value))
        return fail(c, TROUPE_E_INVALID, "required takes a list of names");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        unsigned k = 0;
        while (name != NULL && k < node->properties_count && strcmp(node->properties[k].name, name) != 0)
            k++;
        if (name == NULL || k == node->properties_count)
            return fail(c, TROUPE_E_INVALID, "%s is required and not among the properties", name != NULL ? name
                                                                                                      : "a name");
        node->required |= (uint64_t)1 << k;
    }
    return 0;
}

/* ---- a schema ---- */

static const char *const annotations[] = {
    "title", "description", "default", "examples", "format", "deprecated", "readOnly", "writeOnly", "$schema", "$id",
    "$comment", "required", /* read when the properties are known */
};

static bool is_annotation(const char *word)
{
    for (size_t i = 0; i < sizeof annotations / sizeof annotations[0]; i++) {
        if (strcmp(word, annotations[i]) == 0)
            return true;
    }
    return false;
}

/* The nodes may move while a schema inside this one is compiled. */
static int read_keyword(struct compiling *c, unsigned at, const char *word, const json_t *value)
{
    struct schema_node *node = &c->schema->nodes[at];
    int inner = SCHEMA_ANY, error;
    if (strcmp(word, "type") == 0)
        return read_type(c, node, value);
    if (strcmp(word, "enum") == 0)
        return json_is_array(value) ? read_values(c, node, value, json_array_size(value))
                                    : fail(c, TROUPE_E_INVALID, "enum takes a list of one value at least");
    if (strcmp(word, "const") == 0)
        return json_is_array(value) ? fail(c, TROUPE_E_INVALID, "const takes no list") : read_values(c, node, value, 1);
    if (strcmp(word, "minimum") == 0)
        return read_bound(c, &node->min, value, false);
    if (strcmp(word, "exclusiveMinimum") == 0)
        return read_bound(c, &node->min, value, true);
    if (strcmp(word, "maximum") == 0)
        return read_bound(c, &node->max, value, false);
    if (strcmp(word, "exclusiveMaximum") == 0)
        return read_bound(c, &node->max, value, true);
    if (strcmp(word, "minLength") == 0)
        return read_count(c, &node->length_min, value);
    if (strcmp(word, "maxLength") == 0)
        return read_count(c, &node->length_max, value);
    if (strcmp(word, "minItems") == 0)
        return read_count(c, &node->items_min, value);
    if (strcmp(word, "maxItems") == 0)
        return read_count(c, &node->items_max, value);
    if (strcmp(word, "properties") == 0)
        return read_properties(c, at, value);
    if (strcmp(word, "items") == 0) {
        error = compile(c, value, &inner);
        c->schema->nodes[at].items = inner;
        return error;
    }
    if (strcmp(word, "additionalProperties") == 0) {
        error = compile(c, value, &inner);
        c->schema->nodes[at].additional = inner;
        return error;
    }
    return is_annotation(word) ? 0 : fail(c, TROUPE_E_INVALID, "the keyword %.64s is not in the subset that is checked",
                                          word);
}

static int read_keywords(struct compiling *c, unsigned at, const json_t *doc)
{
    const char *word;
    json_t *value;
    json_object_foreach((json_t *)doc, word, value) {
        struct schema_path before = enter(c, word);
        int error = read_keyword(c, at, word, value);
        if (error != 0)
            return error;
        leave(c, before);
    }
    value = json_object_get(doc, "required");
    if (value == NULL)
        return 0;
    struct schema_path before = enter(c, "required");
    int error = read_required(c, &c->schema->nodes[at], value);
    if (error == 0)
        leave(c, before);
    return error;
}

static int add_node(struct compiling *c)
{
    struct schema *schema = c->schema;
    if (schema->nodes_count == SCHEMA_NODES_MAX)
        return fail(c, TROUPE_E_INVALID, "a schema has at most %d parts", SCHEMA_NODES_MAX);
    struct schema_node *nodes = realloc(schema->nodes, (schema->nodes_count + 1) * sizeof *nodes);
    if (nodes == NULL)
        return fail_memory(c);
    schema->nodes = nodes;
    nodes[schema->nodes_count++] = (struct schema_node){
        .types = SCHEMA_ALL_TYPES, .length_max = UINT64_MAX, .items_max = UINT64_MAX, .items = SCHEMA_ANY,
        .additional = SCHEMA_ANY,
    };
    return 0;
}

/* Does it let every value pass? */
static bool is_any(const struct schema_node *node)
{
    return node->types == SCHEMA_ALL_TYPES && !node->min.is_set && !node->max.is_set && node->length_min == 0 &&
           node->length_max == UINT64_MAX && node->items_min == 0 && node->items_max == UINT64_MAX &&
           node->items == SCHEMA_ANY && node->additional == SCHEMA_ANY && node->properties_count == 0 &&
           node->values == NULL;
}

static int compile(struct compiling *c, const json_t *doc, int *ret_node)
{
    if (json_is_boolean(doc)) {
        *ret_node = json_is_true(doc) ? SCHEMA_ANY : SCHEMA_NONE;
        return 0;
    }
    if (!json_is_object(doc))
        return fail(c, TROUPE_E_INVALID, "a schema is an object, true or false");
    if (c->depth == SCHEMA_DEPTH_MAX)
        return fail(c, TROUPE_E_INVALID, "schemas lie in each other at most %d deep", SCHEMA_DEPTH_MAX);
    unsigned at = c->schema->nodes_count;
    int error = add_node(c);
    c->depth++;
    if (error == 0)
        error = read_keywords(c, at, doc);
    c->depth--;
    if (error == 0)
        *ret_node = is_any(&c->schema->nodes[at]) ? SCHEMA_ANY : (int)at;
    return error;
}

int schema_compile(const char *text, struct schema **ret_schema, struct schema_fault *ret_fault)
{
    struct schema_fault fault = {0};
    struct compiling c = {.fault = &fault, .path = {.text = fault.pointer}};
    json_error_t where;
    int root = SCHEMA_ANY;
    *ret_schema = NULL;
    if (text == NULL)
        return 0;
    json_t *doc = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &where);
    c.schema = calloc(1, sizeof *c.schema);
    int error = doc == NULL ? fail(&c, TROUPE_E_INVALID, "the schema is not JSON: %.100s, at byte %d", where.text,
                                   where.position)
                : c.schema == NULL ? fail_memory(&c)
                                   : compile(&c, doc, &root);
    json_decref(doc);
    if (error == 0 && root == SCHEMA_NONE)
        error = fail(&c, TROUPE_E_INVALID, "no message fits the schema false");
    if (error != 0 || root == SCHEMA_ANY)
        schema_free(c.schema);
    else
        *ret_schema = c.schema;
    if (error != 0)
        *ret_fault = fault;
    return error;
}

void schema_free(struct schema *schema)
{
    if (schema == NULL)
        return;
    for (unsigned i = 0; i < schema->nodes_count; i++) {
        struct schema_node *node = &schema->nodes[i];
        for (unsigned k = 0; k < node->properties_count; k++)
            free(node->properties[k].name);
        for (unsigned k = 0; k < node->values_count; k++)
            free(node->values[k].text);
        free(node->properties);
        free(node->values);
    }
    free(schema->nodes);
    free(schema);
}
