/* SPDX-License-Identifier: Apache-2.0
 *
 * Supervision by chance: a parent with any strategy, children that fail, dawdle and are controlled in any order, and
 * what must hold at every moment: no child lives twice, counts are those of the list, and whoever waits for a start
 * gets it. Each seed is a test of its own; a failure prints it. */
#include "supervisor_family.h"

#define SEEDS 1000u
#define STEPS 300u

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state ^= chance_state << 13; /* xorshift64 (Marsaglia) */
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 33) % below;
}

/* ---- the children ---- */

static bool is_calm; /* no more failures: everybody starts at once */

static int start_somehow(troupe_ctx *ctx, struct puppet *self)
{
    unsigned lot = is_calm ? 0 : chance(12);

    assert_int_equal(self->inits - 1, self->finis); /* the one before has really ended */
    if (lot == 1)
        return troupe_fail(ctx, TROUPE_E_LIMIT, "by chance");
    if (lot == 2)
        return puppet_end(ctx, self);
    if (lot > 4)
        return 0;
    int rc = troupe_timer_after(ctx, 1 + chance(60), "note", troupe_body_none(), &self->number);
    return rc ? rc : TROUPE_STARTING;
}

static int be_started(troupe_ctx *ctx, struct puppet *self)
{
    int rc = troupe_started(ctx, is_calm || chance(8) ? 0 : TROUPE_E_LIMIT);

    (void)self;
    assert_int_equal(rc, 0);
    return 0;
}

/* ---- what must hold ---- */

static unsigned listed[TROUPE_CHILD_IS_ENDED + 1];
static uint64_t last_first_tag;

static bool count_one(void *user, const troupe_child *child)
{
    (void)user;
    listed[child->state]++;
    assert_true(child->child == 0 || child->child > last_first_tag); /* in the order of the first starts */
    if (child->child != 0)
        last_first_tag = child->child;
    return true;
}

static int look(troupe_ctx *ctx, struct puppet *self)
{
    troupe_children counts;

    (void)self;
    memset(listed, 0, sizeof listed);
    last_first_tag = 0;
    troupe_children_each(ctx, count_one, NULL);
    troupe_children_counts(ctx, &counts);
    unsigned living =
        listed[TROUPE_CHILD_IS_STARTING] + listed[TROUPE_CHILD_IS_RUNNING] + listed[TROUPE_CHILD_IS_STOPPING];
    assert_int_equal(counts.active, living);
    assert_int_equal(counts.restarting, listed[TROUPE_CHILD_IS_RESTARTING]);
    assert_int_equal(counts.specs, living + counts.restarting + listed[TROUPE_CHILD_IS_ENDED]);
    assert_int_equal(counts.supervisors, counts.specs);
    assert_true(how.children_max == 0 || counts.specs <= how.children_max);
    return 0;
}

/* ---- what happens ---- */

static int add_by_chance(troupe_ctx *ctx, struct puppet *self)
{
    if (kids_count == KIDS_MAX)
        return 0;
    troupe_spawn_opts *opts = &kid_opts[kids_count];
    opts->restart = (enum troupe_restart)(chance(4) ? TROUPE_PERMANENT : chance(2));
    opts->significant = opts->restart != TROUPE_PERMANENT && chance(4) == 0;
    opts->backoff_min_ms = opts->backoff_max_ms = chance(2) ? 0 : 1 + chance(100);
    opts->shutdown_timeout_ms = chance(200);
    opts->start_once = chance(2);
    if (chance(6) == 0)
        *opts = (troupe_spawn_opts){0};
    kids[kids_count].on_init = start_somehow;
    kids[kids_count].on_timer = be_started;
    int rc = puppet_spawn(ctx, self, &kids[kids_count], opts);
    assert_true(rc == 0 || (rc == TROUPE_E_LIMIT && how.children_max != 0));
    kids_count += rc == 0;
    return 0;
}

/* Control in the middle of things: from the child event. */
static int control_by_chance(troupe_ctx *ctx, struct puppet *self)
{
    troupe_ref ref;
    uint64_t tag = 1 + chance(KIDS_MAX);
    int rc = 0;

    (void)self;
    if (chance(10) == 0)
        rc = troupe_child_terminate(ctx, tag);
    else if (chance(10) == 0)
        rc = troupe_child_restart(ctx, tag, &ref);
    else if (chance(10) == 0)
        rc = troupe_child_delete(ctx, tag);
    assert_true(rc == 0 || rc == TROUPE_E_NOT_FOUND || rc == TROUPE_E_STATE);
    return 0;
}

static void step(void)
{
    struct puppet *kid = kids_count != 0 ? &kids[chance(kids_count)] : NULL;
    static struct lab_request stopped;

    asked_tag = 1 + chance(KIDS_MAX);
    switch (chance(9)) {
    case 0:
        (void)lab_do_later(&lab, &parent, add_by_chance);
        break;
    case 1:
    case 2:
        if (kid != NULL)
            (void)lab_do_later(&lab, kid, chance(3) ? puppet_fail : puppet_end);
        break;
    case 3:
        if (kid != NULL) {
            lab_stop(&lab, kid->ref, (enum troupe_stop_mode)chance(3), &stopped, 10);
            lab_pass(&lab, 11);
        }
        break;
    case 4:
        (void)lab_do_later(&lab, &parent, do_terminate);
        lab_run(&lab);
        break;
    case 5:
        (void)lab_do_later(&lab, &parent, do_restart);
        lab_run(&lab);
        break;
    default:
        lab_pass(&lab, chance(40));
    }
    if (chance(2)) {
        lab_run(&lab);
        (void)lab_do_later(&lab, &parent, look);
        lab_run(&lab);
    }
}

/* ---- a seed ---- */

static unsigned starts, survivors; /* over all seeds */

static void play(uint64_t seed)
{
    chance_state = seed * UINT64_C(0x9e3779b97f4a7c15);
    is_calm = false;
    set_up(NULL);
    how = (troupe_supervision){.strategy = (enum troupe_strategy)chance(3),
                               .auto_shutdown = (enum troupe_auto_shutdown)chance(3),
                               .restarts = 4 + chance(29),
                               .period_ms = 1 + chance(1000),
                               .children_max = chance(3) ? 0 : 1 + chance(6),
                               .keep_ended = chance(2)};
    parent.on_child = chance(2) ? control_by_chance : NULL;
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, do_supervise);
    for (unsigned i = 0; i < STEPS && lab_is_alive(&lab, &parent); i++)
        step();
    is_calm = true;
    parent.on_child = NULL;
    lab_pass(&lab, 12000); /* longer than a start may take */
    if (lab_is_alive(&lab, &parent)) {
        lab_do(&lab, &parent, look);
        assert_int_equal(listed[TROUPE_CHILD_IS_RESTARTING] + listed[TROUPE_CHILD_IS_STARTING], 0);
        assert_int_equal(listed[TROUPE_CHILD_IS_STOPPING], 0);
        survivors++;
    }
    tear_down(NULL); /* nobody and nothing is left */
    for (unsigned i = 0; i < KIDS_MAX; i++) {
        assert_int_equal(kids[i].inits, kids[i].finis);
        starts += kids[i].inits;
    }
}

static uint64_t seed_now;

static void test_supervision_holds_whatever_happens(void **state)
{
    (void)state;
    for (seed_now = 1; seed_now <= SEEDS; seed_now++)
        play(seed_now);
    print_message("# %u starts, %u of %u parents lived to the end\n", starts, survivors, SEEDS);
    assert_true(starts > 20 * SEEDS && survivors > SEEDS / 10); /* there was something to see */
}

static int tell_seed(void **state)
{
    (void)state;
    if (seed_now <= SEEDS)
        print_message("# seed %llu\n", (unsigned long long)seed_now);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_supervision_holds_whatever_happens, tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
