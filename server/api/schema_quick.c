/* SPDX-License-Identifier: Apache-2.0
 *
 * The short way for bodies as most of them are: one object with a few members that are small integers, plain texts,
 * true, false or null. It knows one answer, "it fits", and gives it only when every byte is plain; whatever else there
 * is (escapes, other alphabets, fractions, containers, anything that is wrong) is left to the careful way, which says
 * what and where. It takes a fifth of the instructions. The fuzz target compares both. */
#include <string.h>

#include "api/schema_impl.h"

enum { DIGITS_MAX = 18 };        /* all such numbers fit 64 bits */

struct quick {
    const char *at, *end;
};

static inline void skip_blanks(struct quick *q)
{
    while (q->at < q->end && (*q->at == ' ' || *q->at == '\n' || *q->at == '\t' || *q->at == '\r'))
        q->at++;
}

static inline bool take(struct quick *q, char c)
{
    skip_blanks(q);
    if (q->at == q->end || *q->at != c)
        return false;
    q->at++;
    return true;
}

/* A string of printable ASCII without escapes; q is behind its opening quote. */
static inline bool take_plain(struct quick *q, troupe_view *ret_text)
{
    const char *from = q->at;
    while (q->at < q->end && *q->at >= ' ' && *q->at < 0x7f && *q->at != '"' && *q->at != '\\')
        q->at++;
    if (q->at == q->end || *q->at != '"')
        return false;
    *ret_text = (troupe_view){from, (size_t)(q->at - from)};
    q->at++;
    return true;
}

static bool is_between(const struct schema_node *node, int64_t value)
{
    const struct schema_number number = {true, value, (double)value};
    int low = node->min.is_set ? schema_number_compare(&number, &node->min.at) : 1;
    int high = node->max.is_set ? schema_number_compare(&number, &node->max.at) : -1;
    return (low > 0 || (low == 0 && !node->min.is_exclusive)) && (high < 0 || (high == 0 && !node->max.is_exclusive));
}

static inline bool is_digit(const struct quick *q) { return q->at < q->end && *q->at >= '0' && *q->at <= '9'; }

/* node NULL: any value. */
static bool fits_integer(struct quick *q, const struct schema_node *node)
{
    bool is_negative = *q->at == '-';
    int64_t value = 0;
    q->at += is_negative ? 1 : 0;
    const char *from = q->at;
    for (; is_digit(q) && q->at - from < DIGITS_MAX; q->at++)
        value = value * 10 + (*q->at - '0');
    size_t digits = (size_t)(q->at - from);
    if (digits == 0 || is_digit(q) || (digits > 1 && *from == '0') ||
        (q->at < q->end && (*q->at == '.' || *q->at == 'e' || *q->at == 'E')))
        return false;
    if (node == NULL)
        return true;
    return (node->types & SCHEMA_INTEGER) != 0 && node->values == NULL &&
           ((!node->min.is_set && !node->max.is_set) || is_between(node, is_negative ? -value : value));
}

static bool fits_text(struct quick *q, const struct schema_node *node)
{
    troupe_view text;
    q->at++;
    if (!take_plain(q, &text))
        return false;
    if (node == NULL)
        return true;
    if ((node->types & SCHEMA_STRING) == 0 || text.len < node->length_min || text.len > node->length_max)
        return false;
    for (unsigned i = 0; i < node->values_count; i++) {
        const struct schema_value *value = &node->values[i];
        if (value->type == TROUPE_JSON_STRING && troupe_view_equal(text, troupe_view_of(value->text)))
            return true;
    }
    return node->values == NULL;
}

static bool fits_word(struct quick *q, const struct schema_node *node, troupe_view word, unsigned type)
{
    if ((size_t)(q->end - q->at) < word.len || memcmp(q->at, word.ptr, word.len) != 0)
        return false;
    q->at += word.len;
    return node == NULL || ((node->types & type) != 0 && node->values == NULL);
}

static bool fits_value(const struct schema *schema, struct quick *q, int index)
{
    const struct schema_node *node = index >= 0 ? &schema->nodes[index] : NULL;
    skip_blanks(q);
    if (q->at == q->end || index == SCHEMA_NONE)
        return false;
    switch (*q->at) {
    case '"': return fits_text(q, node);
    case 't': return fits_word(q, node, (troupe_view){"true", 4}, SCHEMA_BOOLEAN);
    case 'f': return fits_word(q, node, (troupe_view){"false", 5}, SCHEMA_BOOLEAN);
    case 'n': return fits_word(q, node, (troupe_view){"null", 4}, SCHEMA_NULL);
    default:  return fits_integer(q, node);
    }
}

static bool fits_member(const struct schema *schema, struct quick *q, uint64_t *seen)
{
    const struct schema_node *root = &schema->nodes[0];
    troupe_view key;
    int index = root->additional;
    if (!take(q, '"') || !take_plain(q, &key))
        return false;
    for (unsigned i = 0; i < root->properties_count; i++) {
        const struct schema_property *property = &root->properties[i];
        if (property->name_len == key.len && memcmp(property->name, key.ptr, key.len) == 0) {
            index = property->node;
            *seen |= (uint64_t)1 << i;
            break;
        }
    }
    return take(q, ':') && fits_value(schema, q, index);
}

bool schema_fits_plainly(const struct schema *schema, troupe_view body)
{
    const struct schema_node *root = &schema->nodes[0];
    struct quick q = {body.ptr, body.ptr + body.len};
    uint64_t seen = 0;
    if ((root->types & SCHEMA_OBJECT) == 0 || root->values != NULL || !take(&q, '{'))
        return false;
    if (!take(&q, '}')) {
        do {
            if (!fits_member(schema, &q, &seen))
                return false;
        } while (take(&q, ','));
        if (!take(&q, '}'))
            return false;
    }
    skip_blanks(&q);
    return q.at == q.end && (root->required & ~seen) == 0;
}
