/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON Schema in the subset of docs/writing-a-behavior.md: compiled once, when a behavior is loaded, and then checked
 * against bodies in one pass of the pull reader, without memory. What a schema says nothing about is only looked at for
 * being JSON, and a schema that says nothing at all compiles to nothing, so that such bodies are not read.
 *
 * The subset: true, false, or an object of
 *   type                     a word or a list of words; an integer has no fraction and no exponent
 *   enum, const              strings, numbers, true, false, null
 *   minimum, maximum, exclusiveMinimum, exclusiveMaximum
 *   minLength, maxLength     of characters
 *   properties, required, additionalProperties
 *   items, minItems, maxItems
 * and of title, description, default, examples, format, deprecated, readOnly, writeOnly, $schema, $id, $comment, which
 * are for readers. Any other keyword is refused: it would look as if it was checked.
 *
 * A member that comes twice is checked each time, as the last one counts (troupe/json.h).
 *
 * Thread: any; a compiled schema does not change. */
#ifndef TROUPE_SERVER_SCHEMA_H
#define TROUPE_SERVER_SCHEMA_H

#include <stdint.h>

#include <troupe/error.h>
#include <troupe/view.h>

enum {
    SCHEMA_DEPTH_MAX = 16,       /* schemas inside each other */
    SCHEMA_NODES_MAX = 512,      /* schemas in all */
    SCHEMA_PROPERTIES_MAX = 64,  /* of one object: a bit each tells which are there */
    SCHEMA_POINTER_BYTES = 512, SCHEMA_DETAIL_BYTES = 256
};

struct schema;

struct schema_fault {
    int error;                   /* TROUPE_E_SCHEMA, TROUPE_E_MALFORMED; of compile: TROUPE_E_INVALID, NO_MEMORY */
    char pointer[SCHEMA_POINTER_BYTES]; /* where, a JSON Pointer (RFC 6901) into the body, or into the schema; cut
                                           before a step for which there is no room */
    char detail[SCHEMA_DETAIL_BYTES];   /* a sentence for people */
};

/* Compile. NULL text compiles to NULL, as does a schema that every JSON text fits. The text is not needed afterwards.
 * Fails: TROUPE_E_INVALID (no JSON, outside the subset, a limit), NO_MEMORY; *ret_fault tells where and why. */
TROUPE_MUST_USE int schema_compile(const char *text, struct schema **ret_schema, struct schema_fault *ret_fault);
void schema_free(struct schema *schema); /* NULL is legal */

/* Does this body fit? No body at all reads as {}. schema is not NULL; *ret_fault is set on failure only. */
TROUPE_MUST_USE int schema_check(const struct schema *schema, troupe_view body, struct schema_fault *ret_fault);

#endif
