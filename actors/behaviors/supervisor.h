/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the supervisor behavior: supervisor.c (the behavior), supervisor_spec.c (documents), supervisor_table.c
 * (who is there), supervisor_ops.c (its message types).
 *
 * Thread: behavior only. */
#ifndef TROUPE_BEHAVIORS_SUPERVISOR_H
#define TROUPE_BEHAVIORS_SUPERVISOR_H

#include "support.h"

#define SUPERVISOR_ID_BYTES_MAX 64u
#define SUPERVISOR_ASKERS_MAX 256u /* callers that wait for one child */

/* ---- documents: supervisor_spec.c ---- */

/* One child as a document says it. */
struct child_spec {
    troupe_spawn_opts opts; /* its texts are those below; args are borrowed from the document */
    size_t id_len;          /* 0: it has none */
    char id[SUPERVISOR_ID_BYTES_MAX + 1];
    char behavior[TROUPE_TYPE_BYTES_MAX + 1];
    char name[TROUPE_NAME_BYTES_MAX + 1];
};

/* What may stand in a spec. */
enum spec_form {
    SPEC_WHOLE,    /* a child: id and behavior must be there */
    SPEC_TEMPLATE, /* what all children of a template have: no id, no name */
    SPEC_OF_TEMPLATE /* a child of one: id, name and args only; the rest stays as it is in *spec */
};

/* Read one child. Fails with words: "restart: must be ..." behind `path`, such as "children[2].".
 * Returns 0 or TROUPE_E_SCHEMA, MALFORMED. */
TROUPE_MUST_USE int supervisor_read_spec(troupe_view json, enum spec_form form, const char *path, size_t index,
                                         struct child_spec *spec, struct support_words *words);

/* A whole document without its children. */
struct tree {
    troupe_supervision how;
    troupe_view children; /* a JSON array, or empty */
    troupe_view template; /* an object, or empty */
};
TROUPE_MUST_USE int supervisor_read_tree(const troupe_msg *args, struct tree *ret_tree, struct support_words *words);

/* ---- who is there: supervisor_table.c ---- */

/* A caller that waits for something to become of a child. */
struct asker {
    struct asker *next;
    troupe_handle handle;
    bool wants_end; /* else the start */
};

/* A child by its id. Its number is its child_tag, and grows in the order of the first starts. */
struct entry {
    uint64_t number;
    struct entry *next;   /* in its bucket */
    struct asker *askers;
    troupe_view document; /* its spec inside the document, until it is started; else empty */
    size_t id_len;
    char id[];            /* with a zero */
};

struct place {
    uint64_t number;
    struct entry *entry;  /* NULL: it is gone */
};

struct table {
    struct entry **buckets;
    uint32_t buckets_mask, count;
    struct place *places; /* by number, with gaps where somebody went */
    uint32_t places_count, places_max;
    uint64_t last_number;
};

struct entry *supervisor_find(const struct table *table, troupe_view id);
struct entry *supervisor_at(const struct table *table, uint64_t number);

/* The first behind this number, or NULL. */
struct entry *supervisor_after(const struct table *table, uint64_t number);

/* Add an entry under a new number. State: nobody has the id. NULL without memory. */
struct entry *supervisor_add(struct table *table, troupe_view id);
void supervisor_remove(struct table *table, struct entry *entry);
void supervisor_table_fini(struct table *table);

/* ---- the behavior ---- */

struct supervisor {
    struct table table;
    char *document;        /* owned: the args, for the specs that are not started yet and the template */
    troupe_view template;  /* inside it; empty: none */
    uint64_t starting;     /* the number of the one whose start is awaited, while this actor starts; else 0 */
    uint64_t last_made_up; /* ids that it makes up count from here */
};

/* Start the child of an entry. Fails as troupe_spawn, with words. */
TROUPE_MUST_USE int supervisor_start(troupe_ctx *ctx, struct entry *entry, struct child_spec *spec, troupe_ref *ret_ref,
                                     struct support_words *words);

/* ---- supervisor_ops.c ---- */

#define SUPERVISOR_TYPES 6u

extern const troupe_type supervisor_types[SUPERVISOR_TYPES];

int supervisor_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg);

/* Tell those who wait for the start of this child, or for its end, what became of it. */
void supervisor_tell_started(troupe_ctx *ctx, struct entry *entry, troupe_ref ref);
void supervisor_tell_ended(troupe_ctx *ctx, struct entry *entry, troupe_ref ref, const troupe_exit *exit);

#endif
