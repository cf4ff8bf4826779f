/* SPDX-License-Identifier: Apache-2.0
 *
 * References: who an actor is, for ever. An id is an identity, not a capability, and is never reused.
 *
 * A home is where ids are issued: a node (64 random bits made at start) or a session (128 random bits). Inside a
 * home an actor has a 32-bit slot and a 32-bit generation; a slot whose generations are used up is retired.
 *
 * Text form, URL-safe, fixed for ever:
 *
 *   node home      n. + 13 characters                 n.4tq8v1m02x7kc
 *   session home   s. + 26 characters                 s.0g2k...
 *   actor          home + . + slot + . + generation   n.4tq8v1m02x7kc.3f.1
 *
 * Numbers are in Crockford's base 32 in lower case (0-9 a-h j k m n p-t v-z), most significant digit first. A home
 * has its leading zeros, slot and generation have none. There is exactly one text for an id: others are refused.
 *
 * Thread: any, for everything in this file. */
#ifndef TROUPE_REF_H
#define TROUPE_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/error.h>

/* A home. A node has high == 0; a session has high != 0. All zero is no home. */
typedef struct troupe_home {
    uint64_t high;
    uint64_t low;
} troupe_home;

/* An actor's id. generation 0 is never issued: the zeroed ref is "nobody", a home with slot and generation 0 is the
 * home itself (the caller of a REST request, for one). */
typedef struct troupe_ref {
    troupe_home home;
    uint32_t slot;
    uint32_t generation;
} troupe_ref;

#define TROUPE_REF_TEXT_MAX 45 /* "s." + 26 + "." + 7 + "." + 7 + NUL */
#define TROUPE_HOME_TEXT_MAX 29

static inline bool troupe_home_equal(troupe_home a, troupe_home b) { return a.low == b.low && a.high == b.high; }

static inline bool troupe_ref_equal(troupe_ref a, troupe_ref b)
{
    return a.slot == b.slot && a.generation == b.generation && troupe_home_equal(a.home, b.home);
}

/* True for a ref that can name an actor. */
static inline bool troupe_ref_is_actor(troupe_ref ref) { return ref.generation != 0; }

/* Write the text and a NUL into a buffer of TROUPE_REF_TEXT_MAX bytes; returns the length without the NUL. */
size_t troupe_ref_format(troupe_ref ref, char *text);

/* Read a text of len bytes. Fails: TROUPE_E_BAD_REFERENCE unless it is exactly what troupe_ref_format writes. */
TROUPE_MUST_USE int troupe_ref_parse(const char *text, size_t len, troupe_ref *ret_ref);

/* The same for a home alone: "n.4tq8v1m02x7kc", TROUPE_HOME_TEXT_MAX bytes. */
size_t troupe_home_format(troupe_home home, char *text);
TROUPE_MUST_USE int troupe_home_parse(const char *text, size_t len, troupe_home *ret_home);

#endif
