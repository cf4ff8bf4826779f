/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *actor, const char *key)
{
    const char *text = json_string_value(json_object_get(actor, key));
    return text != NULL ? text : "";
}

static const char *ref_of(const struct tree_node *node) { return text_of(node->actor, "ref"); }

static int by_ref(const void *a, const void *b) { return strcmp(ref_of(a), ref_of(b)); }

int tree_add(struct tree *tree, json_t *actor)
{
    if (tree->count == TREE_ACTORS_MAX) {
        return TROUPE_E_LIMIT;
    }
    if (tree->count == tree->cap) {
        size_t cap = tree->cap == 0 ? 64 : 2 * tree->cap;
        struct tree_node *nodes = realloc(tree->nodes, cap * sizeof *nodes);
        if (nodes == NULL) {
            return TROUPE_E_NO_MEMORY;
        }
        tree->nodes = nodes;
        tree->cap = cap;
    }
    tree->nodes[tree->count++] = (struct tree_node){.actor = json_incref(actor)};
    return 0;
}

const struct tree_node *tree_find(const struct tree *tree, const char *ref)
{
    size_t low = 0;
    size_t high = tree->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(ref, ref_of(&tree->nodes[middle]));
        if (order == 0) {
            return &tree->nodes[middle];
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

/* ---- who belongs to whom ---- */

static struct tree *sorted; /* qsort has no context */

/* In the order of their start; those of one millisecond by slot, a number: the shorter is the smaller. */
static int by_birth(const void *a, const void *b)
{
    const struct tree_node *left = &sorted->nodes[*(const size_t *)a];
    const struct tree_node *right = &sorted->nodes[*(const size_t *)b];
    int order = strcmp(text_of(left->actor, "started_at"), text_of(right->actor, "started_at"));
    size_t left_len = strlen(ref_of(left));
    size_t right_len = strlen(ref_of(right));
    if (order == 0 && left_len != right_len) {
        order = left_len < right_len ? -1 : 1;
    }
    return order != 0 ? order : strcmp(ref_of(left), ref_of(right));
}

static void sort_range(struct tree *tree, size_t first, size_t count)
{
    if (count > 1) {
        sorted = tree;
        qsort(tree->order + first, count, sizeof *tree->order, by_birth);
    }
}

int tree_end(struct tree *tree)
{
    if (tree->count == 0) {
        return 0;
    }
    size_t *parents = malloc(tree->count * sizeof *parents);
    tree->order = malloc(tree->count * sizeof *tree->order);
    if (parents == NULL || tree->order == NULL) {
        free(parents);
        return TROUPE_E_NO_MEMORY;
    }
    qsort(tree->nodes, tree->count, sizeof *tree->nodes, by_ref);
    for (size_t i = 0; i < tree->count; i++) {
        const struct tree_node *parent = tree_find(tree, text_of(tree->nodes[i].actor, "parent"));
        parents[i] = parent != NULL ? (size_t)(parent - tree->nodes) : tree->count;
        if (parent != NULL) {
            tree->nodes[parents[i]].count++;
        }
    }
    size_t at = 0;
    for (size_t i = 0; i < tree->count; i++) {
        tree->nodes[i].first = at;
        at += tree->nodes[i].count;
        tree->nodes[i].count = 0; /* counted up again while they are put in their places */
    }
    tree->top_first = at;
    for (size_t i = 0; i < tree->count; i++) {
        bool is_top = parents[i] == tree->count;
        struct tree_node *parent = is_top ? NULL : &tree->nodes[parents[i]];
        tree->order[is_top ? at++ : parent->first + parent->count++] = i;
    }
    for (size_t i = 0; i < tree->count; i++) {
        sort_range(tree, tree->nodes[i].first, tree->nodes[i].count);
    }
    sort_range(tree, tree->top_first, tree->count - tree->top_first);
    free(parents);
    return 0;
}

/* ---- the walk ---- */

/* The children of one actor on the way down. */
struct level {
    size_t next, end, left_out;
};

static struct level level_of(const struct tree_walk *walk, size_t first, size_t count, unsigned depth)
{
    size_t shown = depth > walk->depth_max ? 0 : count;
    if (walk->children_max != 0 && shown > walk->children_max) {
        shown = walk->children_max;
    }
    return (struct level){.next = first, .end = first + shown, .left_out = count - shown};
}

int tree_walk(const struct tree *tree, const struct tree_node *from, const struct tree_walk *walk)
{
    struct level levels[TREE_DEPTH_MAX + 2];
    bool is_last[TREE_DEPTH_MAX + 2] = {false};
    size_t top_count = tree->count - tree->top_first;
    unsigned depth = 0;
    if (tree->count == 0) {
        return 0;
    }
    levels[0] = from != NULL ? (struct level){.end = 1} : level_of(walk, tree->top_first, top_count, 0);
    for (;;) {
        struct level *level = &levels[depth];
        struct tree_line line = {.depth = depth, .is_last = is_last};
        if (level->next < level->end) {
            bool is_from = from != NULL && depth == 0;
            line.node = is_from ? from : &tree->nodes[tree->order[level->next]];
            level->next++;
        } else if (level->left_out > 0) {
            line.left_out = level->left_out;
            level->left_out = 0;
        } else if (depth == 0) {
            return 0;
        } else {
            depth--;
            continue;
        }
        is_last[depth] = level->next == level->end && level->left_out == 0;
        int rc = walk->on_line(walk->user, &line);
        if (rc != 0) {
            return rc;
        }
        if (line.node != NULL && line.node->count > 0) {
            depth++;
            levels[depth] = level_of(walk, line.node->first, line.node->count, depth);
        }
    }
}

void tree_prefix(const struct tree_line *line, bool is_ascii, char prefix[TREE_PREFIX_BYTES])
{
    static const char *const lines[] = {"\u2502  ", "   ", "\u251c\u2500 ", "\u2514\u2500 "};
    static const char *const ascii[] = {"|  ", "   ", "|- ", "`- "};
    char *at = prefix;
    *at = '\0';
    for (unsigned level = 1; level <= line->depth && level <= TREE_DEPTH_MAX; level++) {
        const char *part = (is_ascii ? ascii : lines)[(level == line->depth ? 2 : 0) + line->is_last[level]];
        at = stpcpy(at, part);
    }
}

bool tree_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *locale = getenv(names[i]);
        if (locale != NULL && locale[0] != '\0') {
            const char *charset = strchr(locale, '.');
            return charset != NULL && (strncasecmp(charset, ".utf-8", 6) == 0 || strncasecmp(charset, ".utf8", 5) == 0);
        }
    }
    return false;
}

void tree_fini(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        json_decref(tree->nodes[i].actor);
    }
    free(tree->nodes);
    free(tree->order);
    *tree = (struct tree){0};
}
