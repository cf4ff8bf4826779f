/* SPDX-License-Identifier: Apache-2.0
 *
 * A family for the tests of supervision: a parent p and its children a, b, c, ... with the tags 1, 2, 3, ... Include it
 * once in a test program. */
#ifndef TROUPE_TESTS_SUPERVISOR_FAMILY_H
#define TROUPE_TESTS_SUPERVISOR_FAMILY_H

#include "lib/lab.h"

#define KIDS_MAX 8u

static struct lab lab;
static struct puppet parent, kids[KIDS_MAX];
static troupe_spawn_opts kid_opts[KIDS_MAX];
static unsigned kids_count;
static troupe_supervision how;

/* What the next turn is about, and what it gave. */
static uint64_t asked_tag;
static int asked_result;
static troupe_child asked_child;

static int set_up(void **state)
{
    (void)state;
    lab_open(&lab);
    memset(kids, 0, sizeof kids);
    memset(kid_opts, 0, sizeof kid_opts);
    kids_count = 0;
    parent = (struct puppet){.letter = 'p'};
    how = (troupe_supervision){.restarts = 3, .period_ms = 5000};
    for (unsigned i = 0; i < KIDS_MAX; i++) {
        kids[i].letter = (char)('a' + i);
        kid_opts[i] = (troupe_spawn_opts){.restart = TROUPE_PERMANENT, .child_tag = i + 1};
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

static int do_supervise(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_supervise(ctx, &how);
}

static int do_spawn_next(troupe_ctx *ctx, struct puppet *self)
{
    asked_result = puppet_spawn(ctx, self, &kids[kids_count], &kid_opts[kids_count]);
    return 0;
}

static void add_kid(void)
{
    lab_do(&lab, &parent, do_spawn_next);
    assert_int_equal(asked_result, 0);
    kids_count++;
}

/* Start the family, by `how` and `kid_opts`. */
static inline void start_family(unsigned count)
{
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, do_supervise);
    while (kids_count < count)
        add_kid();
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(kids[i].inits, 1);
    lab.log[0] = '\0';
}

static inline void expect_log(const char *log)
{
    assert_string_equal(lab.log, log);
    lab.log[0] = '\0';
}

static inline void expect_inits(unsigned a, unsigned b, unsigned c)
{
    assert_int_equal(kids[0].inits, a);
    assert_int_equal(kids[1].inits, b);
    assert_int_equal(kids[2].inits, c);
}

static int do_find(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    asked_result = troupe_child_find(ctx, asked_tag, &asked_child);
    return 0;
}

/* The state of a child, or 0 when it is not listed. */
static inline enum troupe_child_state state_of(uint64_t tag)
{
    asked_tag = tag;
    lab_do(&lab, &parent, do_find);
    return asked_result == 0 ? asked_child.state : 0;
}

static int do_terminate(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    asked_result = troupe_child_terminate(ctx, asked_tag);
    return 0;
}

static inline int terminate(uint64_t tag)
{
    asked_tag = tag;
    lab_do(&lab, &parent, do_terminate);
    return asked_result;
}

static int do_restart(troupe_ctx *ctx, struct puppet *self)
{
    troupe_ref ref;

    (void)self;
    asked_result = troupe_child_restart(ctx, asked_tag, &ref);
    return 0;
}

static inline int restart(uint64_t tag)
{
    asked_tag = tag;
    lab_do(&lab, &parent, do_restart);
    return asked_result;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
