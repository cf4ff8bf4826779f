/* SPDX-License-Identifier: Apache-2.0
 *
 * Actors as a tree: who started whom. Actors are added as the node lists them, in any order; an actor whose parent is
 * not among them stands at the top. Children stand in the order of their start.
 *
 * A walk goes down from the top or from one actor, each actor before its children. It is bounded: of the children of an
 * actor so many are visited, and so many levels; what is left out is told as a number in its place. Parents that were
 * told in a circle, which no node does, are met at most TREE_DEPTH_MAX times.
 *
 * Thread: one at a time; pure. */
#ifndef TROUPE_CLI_TREE_H
#define TROUPE_CLI_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <troupe/error.h>

#define TREE_ACTORS_MAX 100000 /* that are looked at */
#define TREE_DEPTH_MAX 64      /* levels, beside the top */
#define TREE_PREFIX_BYTES (TREE_DEPTH_MAX * 7 + 1)

struct tree_node {
    json_t *actor;       /* held: the document */
    size_t first, count; /* its children, in tree.order */
};

/* Zeroed memory is an empty tree. */
struct tree {
    struct tree_node *nodes; /* owned: by reference, once tree_end has run */
    size_t count, cap;
    size_t *order;    /* owned: indexes of nodes: children behind children, those without a parent last */
    size_t top_first; /* where those begin */
};

/* One line of a walk. */
struct tree_line {
    const struct tree_node *node; /* NULL: what was left out */
    size_t left_out;              /* how many children of the same parent */
    unsigned depth;               /* 0: the top */
    const bool *is_last;          /* of each level from 1 to depth: is nothing of it to come? */
};

struct tree_walk {
    size_t children_max;                                      /* of one actor; 0: all */
    unsigned depth_max;                                       /* at most TREE_DEPTH_MAX */
    int (*on_line)(void *user, const struct tree_line *line); /* what is not 0 ends the walk */
    void *user;
};

/* Add an actor; holds it. Fails: TROUPE_E_NO_MEMORY, TROUPE_E_LIMIT (TREE_ACTORS_MAX) */
TROUPE_MUST_USE int tree_add(struct tree *tree, json_t *actor);

/* All are there: find who belongs to whom. Fails: TROUPE_E_NO_MEMORY */
TROUPE_MUST_USE int tree_end(struct tree *tree);

/* The actor of this id; NULL: none. */
const struct tree_node *tree_find(const struct tree *tree, const char *ref);

/* Walk from the top, or with `from` from one actor. Returns 0, or what on_line returned. */
int tree_walk(const struct tree *tree, const struct tree_node *from, const struct tree_walk *walk);

/* What stands before an actor on its line. */
void tree_prefix(const struct tree_line *line, bool is_ascii, char prefix[TREE_PREFIX_BYTES]);

/* May this environment be sent more than ASCII? LC_ALL, LC_CTYPE or LANG tells: the first that is set. */
bool tree_is_utf8(void);

void tree_fini(struct tree *tree);

#endif
