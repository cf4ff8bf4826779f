/* SPDX-License-Identifier: Apache-2.0
 *
 * From text to struct frame, in one pass, by the tables of session/frames.h.
 *
 * Members come in any order, op perhaps last, so each is read by its own row first, and only then held against the row
 * of the operation. A fault does not end the reading: the id may stand behind it, and the answer should have it. That
 * the text is no JSON does. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "session/frames.h"

/* A null is as if the member were not there, but where it is a value. */
#define NULLS_COUNT (FRAME_BIT(FRAME_BODY) | FRAME_BIT(FRAME_ARGS))

struct reading {
    troupe_json_reader reader;
    struct frame *frame;
    struct check_fault *fault;
    troupe_json_string op;       /* raw.ptr NULL: none */
    troupe_view unknown;         /* the first such name as written; ptr NULL: none */
};

/* ---- faults ---- */

__attribute__((cold, format(printf, 4, 5))) static int fail(struct check_fault *fault, int error, const char *field,
                                                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault->error = error;
    snprintf(fault->field, sizeof fault->field, "%s", field);
    vsnprintf(fault->detail, sizeof fault->detail, format, args);
    va_end(args);
    return error;
}

__attribute__((cold)) static int fail_json(const troupe_json_reader *reader, struct check_fault *fault)
{
    const char *reason = reader->reason != NULL ? reader->reason : "it ends early";
    if (reader->error == TROUPE_E_INVALID)
        return fail(fault, TROUPE_E_SCHEMA, "", "a frame is a JSON object");
    return fail(fault, TROUPE_E_MALFORMED, "", "the frame is not JSON: %s at byte %zu", reason, reader->error_offset);
}

/* Say what a member must be. The first fault stays. */
__attribute__((cold)) static void fail_member(struct reading *reading, const struct frame_member_row *row)
{
    char choice_text[96];
    struct text choice;
    if (reading->fault->error != 0)
        return;
    switch (row->type) {
    case FRAME_TYPE_ID:
        fail(reading->fault, TROUPE_E_SCHEMA, row->name,
             "%s must be an integer from 0 to 2^53-1, or a string of 1 to %d bytes", row->name, FRAME_ID_BYTES_MAX);
        break;
    case FRAME_TYPE_TEXT:
        fail(reading->fault, TROUPE_E_SCHEMA, row->name, "%s must be a string of %llu to %llu bytes without U+0000",
             row->name, (unsigned long long)row->min, (unsigned long long)row->max);
        break;
    case FRAME_TYPE_UINT:
        fail(reading->fault, TROUPE_E_SCHEMA, row->name, "%s must be an integer from %llu to %llu", row->name,
             (unsigned long long)row->min, (unsigned long long)row->max);
        break;
    case FRAME_TYPE_WORD:
        text_init_fixed(&choice, choice_text, sizeof choice_text);
        for (unsigned i = 0; row->words[i] != NULL; i++)
            text_printf(&choice, "%s\"%s\"", i > 0 ? ", " : "", row->words[i]);
        fail(reading->fault, TROUPE_E_SCHEMA, row->name, "%s must be one of %s", row->name, choice_text);
        break;
    case FRAME_TYPE_BOOL:
        fail(reading->fault, TROUPE_E_SCHEMA, row->name, "%s must be true or false", row->name);
        break;
    case FRAME_TYPE_TYPES:
        fail(reading->fault, TROUPE_E_SCHEMA, row->name, "%s must be an array of strings", row->name);
        break;
    case FRAME_TYPE_OBJECT:
        fail(reading->fault, TROUPE_E_SCHEMA, row->name, "%s must be an object", row->name);
        break;
    default:
        fail(reading->fault, TROUPE_E_SCHEMA, row->name, "%s must be a string", row->name);
        break;
    }
}

/* ---- values ---- */

/* An integer in JSON: digits without a leading zero, fraction or exponent. */
static bool parse_uint(troupe_view digits, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (digits.len == 0 || digits.len > 19)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    *ret_value = value;
    return value <= max;
}

static bool read_id(troupe_json_reader *reader, enum troupe_json_type type, troupe_view *ret_id)
{
    uint64_t number;
    if (type == TROUPE_JSON_NUMBER) {
        *ret_id = troupe_json_read_raw(reader);
        return parse_uint(*ret_id, (UINT64_C(1) << 53) - 1, &number);
    }
    troupe_json_string string = troupe_json_read_string(reader);
    *ret_id = (troupe_view){string.raw.ptr - 1, string.raw.len + 2};
    return string.raw.len > 0 && string.raw.len <= FRAME_ID_BYTES_MAX;
}

/* The text of a string: where it stands, or decoded in the frame's scratch. */
static bool read_text(struct frame *frame, troupe_json_reader *reader, const struct frame_member_row *row,
                      troupe_view *ret_text)
{
    troupe_json_string string = troupe_json_read_string(reader);
    troupe_view text = string.raw;
    if (string.escaped) {
        size_t room = sizeof frame->scratch - frame->scratch_len;
        char *dst = frame->scratch + frame->scratch_len;
        if (troupe_json_string_copy(&string, dst, room < row->max ? room : row->max, &text.len) != 0 ||
            memchr(dst, '\0', text.len) != NULL)
            return false;
        text.ptr = dst;
        frame->scratch_len += text.len;
    }
    *ret_text = text;
    return text.len >= row->min && text.len <= row->max;
}


static bool read_word(troupe_json_reader *reader, const struct frame_member_row *row, uint32_t *ret_word)
{
    troupe_json_string word = troupe_json_read_string(reader);
    for (uint32_t i = 0; row->words[i] != NULL; i++) {
        if (troupe_json_string_equal(&word, troupe_view_of(row->words[i]))) {
            *ret_word = i;
            return true;
        }
    }
    return false;
}

/* Read a value of the right JSON type into its place. False: it is not what the row wants. */
static bool read_value(struct reading *reading, enum frame_member member, enum troupe_json_type type)
{
    const struct frame_member_row *row = &frame_members[member];
    void *place = (char *)reading->frame + row->offset;
    troupe_json_reader *reader = &reading->reader;
    switch (row->type) {
    case FRAME_TYPE_ID:     return read_id(reader, type, place);
    case FRAME_TYPE_TEXT:   return read_text(reading->frame, reader, row, place);
    case FRAME_TYPE_WORD:   return read_word(reader, row, place);
    case FRAME_TYPE_UINT:   return parse_uint(troupe_json_read_raw(reader), row->max, place) &&
                                   *(uint64_t *)place >= row->min;
    case FRAME_TYPE_BOOL:   *(bool *)place = troupe_json_read_bool(reader); return true;
    case FRAME_TYPE_BASE64: *(troupe_json_string *)place = troupe_json_read_string(reader); return true;
    default:                *(troupe_view *)place = troupe_json_read_raw(reader); return true;
    }
}

static bool is_right(enum frame_type wants, enum troupe_json_type type)
{
    switch (wants) {
    case FRAME_TYPE_ID:     return type == TROUPE_JSON_NUMBER || type == TROUPE_JSON_STRING;
    case FRAME_TYPE_UINT:   return type == TROUPE_JSON_NUMBER;
    case FRAME_TYPE_BOOL:   return type == TROUPE_JSON_BOOL;
    case FRAME_TYPE_OBJECT: return type == TROUPE_JSON_OBJECT;
    case FRAME_TYPE_TYPES:  return type == TROUPE_JSON_ARRAY;
    case FRAME_TYPE_ANY:    return true;
    default:                return type == TROUPE_JSON_STRING;
    }
}

static void read_member(struct reading *reading, enum frame_member member)
{
    enum troupe_json_type type = troupe_json_peek(&reading->reader);
    if (type == TROUPE_JSON_NULL && (FRAME_BIT(member) & NULLS_COUNT) == 0) {
        troupe_json_skip(&reading->reader);
        return;
    }
    if (frame_has(reading->frame, member)) {
        if (reading->fault->error == 0)
            fail(reading->fault, TROUPE_E_SCHEMA, frame_members[member].name, "the member is given twice");
        troupe_json_skip(&reading->reader);
        return;
    }
    if (type == TROUPE_JSON_NONE || !is_right(frame_members[member].type, type))
        troupe_json_skip(&reading->reader); /* and finds what is wrong, if it is no JSON */
    else if (read_value(reading, member, type) && reading->reader.error == 0) {
        reading->frame->given |= FRAME_BIT(member);
        return;
    }
    if (reading->reader.error == 0)
        fail_member(reading, &frame_members[member]);
}

/* The op is read apart: what it may be is the other table. */
static void read_op(struct reading *reading)
{
    enum troupe_json_type type = troupe_json_peek(&reading->reader);
    if (type == TROUPE_JSON_STRING && reading->op.raw.ptr == NULL) {
        reading->op = troupe_json_read_string(&reading->reader);
        return;
    }
    troupe_json_skip(&reading->reader);
    if (reading->reader.error == 0 && reading->fault->error == 0)
        fail(reading->fault, TROUPE_E_SCHEMA, "op",
             type == TROUPE_JSON_STRING ? "the member is given twice" : "op must be a string");
}

static enum frame_member find_member(const troupe_json_string *key)
{
    for (unsigned i = 0; i < FRAME_SERVERS; i++) {
        const char *name = frame_members[i].name;
        if ((key->escaped || (key->raw.len > 0 && name[0] == key->raw.ptr[0])) && troupe_json_key_is(key, name))
            return (enum frame_member)i;
    }
    return FRAME_MEMBERS;
}

/* ---- the whole ---- */

static int find_op(const struct reading *reading)
{
    char known_text[192];
    struct text known;
    if (reading->op.raw.ptr == NULL)
        return reading->fault->error != 0 ? reading->fault->error
                                          : fail(reading->fault, TROUPE_E_SCHEMA, "op", "the member is required");
    for (unsigned i = 0; i < OP_SERVERS; i++) {
        if (troupe_json_string_equal(&reading->op, troupe_view_of(frame_ops[i].name))) {
            reading->frame->op = (enum frame_op)i;
            return 0;
        }
    }
    text_init_fixed(&known, known_text, sizeof known_text);
    for (unsigned i = 0; i < OP_SERVERS; i++)
        text_printf(&known, "%s%s", i > 0 ? " " : "", frame_ops[i].name);
    return fail(reading->fault, TROUPE_E_PROTOCOL, "op", "there is no such op; the ops are %s", known_text);
}

__attribute__((cold)) static int fail_unknown(struct check_fault *fault, const struct frame_op_row *op,
                                              troupe_view name)
{
    char known_text[192], field[CHECK_FIELD_BYTES / 2];
    struct text known;
    snprintf(field, sizeof field, "%.*s", (int)(name.len < sizeof field ? name.len : sizeof field - 1), name.ptr);
    text_init_fixed(&known, known_text, sizeof known_text);
    for (unsigned i = 0; i < FRAME_SERVERS; i++) {
        if (i == FRAME_OP || ((op->required | op->optional) & FRAME_BIT(i)) != 0)
            text_printf(&known, "%s%s", i > 0 ? " " : "", frame_members[i].name);
    }
    return fail(fault, TROUPE_E_SCHEMA, field, "%s has no such member; its members are %s", op->name, known_text);
}

static enum frame_member first_of(uint64_t bits) { return (enum frame_member)__builtin_ctzll(bits); }

static int check_members(const struct frame *frame, struct check_fault *fault)
{
    const struct frame_op_row *op = &frame_ops[frame->op];
    uint64_t strange = frame->given & ~(op->required | op->optional);
    uint64_t missing = op->required & ~frame->given, chosen = frame->given & op->one_of;
    if (strange != 0)
        return fail_unknown(fault, op, troupe_view_of(frame_members[first_of(strange)].name));
    if (missing != 0)
        return fail(fault, TROUPE_E_SCHEMA, frame_members[first_of(missing)].name, "the member is required");
    if (op->one_of != 0 && (chosen == 0 || (chosen & (chosen - 1)) != 0)) {
        enum frame_member first = first_of(op->one_of), second = first_of(op->one_of & ~FRAME_BIT(first));
        return fail(fault, TROUPE_E_SCHEMA, frame_members[first].name, "%s takes either %s or %s", op->name,
                    frame_members[first].name, frame_members[second].name);
    }
    for (const struct frame_rule *rule = frame_rules; rule->member != FRAME_OP; rule++) {
        if (frame_has(frame, rule->member) && frame_has(frame, rule->other) != rule->needs)
            return fail(fault, TROUPE_E_SCHEMA, frame_members[rule->member].name, "%s goes %s %s",
                        frame_members[rule->member].name, rule->needs ? "with" : "not with",
                        frame_members[rule->other].name);
    }
    return 0;
}

int frame_read(const char *text, size_t len, struct frame *frame, struct check_fault *fault)
{
    struct reading reading = {.frame = frame, .fault = fault};
    troupe_json_string key;
    memset(frame, 0, offsetof(struct frame, scratch));
    fault->error = 0;
    troupe_json_read_init(&reading.reader, text, len);
    while (troupe_json_next_member(&reading.reader, &key)) {
        enum frame_member member = find_member(&key);
        if (member == FRAME_OP)
            read_op(&reading);
        else if (member != FRAME_MEMBERS)
            read_member(&reading, member);
        else {
            if (reading.unknown.ptr == NULL)
                reading.unknown = key.raw;
            troupe_json_skip(&reading.reader);
        }
    }
    if (!frame_has(frame, FRAME_ID))
        frame->id = (troupe_view){0};
    if (troupe_json_read_end(&reading.reader) != 0)
        return fail_json(&reading.reader, fault);
    int error = find_op(&reading);
    if (error == 0 && reading.unknown.ptr != NULL)
        error = fail_unknown(fault, &frame_ops[frame->op], reading.unknown);
    if (error == 0)
        error = fault->error;
    return error != 0 ? error : check_members(frame, fault);
}
