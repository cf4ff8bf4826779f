/* SPDX-License-Identifier: Apache-2.0
 *
 * What the programs about groups share: the lab, and turns in which a puppet joins. For one test program each: include
 * it once.
 *
 * Thread: one. */
#ifndef TESTS_UNIT_GROUP_WORLD_H
#define TESTS_UNIT_GROUP_WORLD_H

#include "lib/lab.h"

#include "core/worker.h"

static struct lab lab;
static const char *scope = "", *group = "room"; /* which a turn uses, see do_in */
static int rc_seen;                             /* what the last turn had */

static int join(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    rc_seen = troupe_group_join(ctx, scope, group);
    return 0;
}

static int do_in(struct puppet *puppet, puppet_fn fn, const char *in_scope, const char *in_group)
{
    scope = in_scope;
    group = in_group;
    rc_seen = 1;
    lab_do(&lab, puppet, fn);
    return rc_seen;
}

static uint32_t size_of(const char *in_scope, const char *in_group)
{
    return troupe_system_group_size(lab.system, troupe_view_of(in_scope), troupe_view_of(in_group));
}

static void kill_puppet(struct puppet *puppet)
{
    struct lab_request stop;

    lab_stop(&lab, puppet->ref, TROUPE_KILL, &stop, 1000);
    lab_run(&lab);
    assert_true(stop.done);
}

#endif
