/* SPDX-License-Identifier: Apache-2.0
 *
 * Behaviors and outsiders that do what is allowed but nobody expects, and races that are rare: each test named after
 * what went wrong in our own core. A race is played by hand, with the core's own functions. */
#include "lib/lab.h"

#include "core/mailbox.h"
#include "core/worker.h"

static struct lab lab;

static struct actor *slot_of(const struct puppet *puppet) { return slots_at(&lab.system->slots, puppet->ref.slot); }

/* ---- a request cancelled in the answer of another lost its place to a new one, which timed out at once ---- */

static struct {
    troupe_request first, second, third;
    troupe_ref keeper;
    unsigned answers[3];
    int error;
} renewal;

static void on_third(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    renewal.answers[2]++;
    renewal.error = answer->error;
}

static void on_second(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    (void)answer;
    renewal.answers[1]++;
}

static void on_first(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    assert_int_equal(answer->error, TROUPE_E_TIMEOUT);
    renewal.answers[0]++;
    troupe_request_cancel(&renewal.second);
    troupe_request_call(lab.worker, &renewal.third, on_third, renewal.keeper, troupe_view_of("ask"),
                        troupe_body_none(), (troupe_caller){0}, 5000);
}

static int keep(troupe_ctx *ctx, struct puppet *self) { return troupe_reply_keep(ctx, &self->handle); }

static void test_a_request_made_in_the_answer_of_another_has_its_own_deadline(void **state)
{
    PUPPET(keeper, 'k');

    (void)state;
    keeper.on_ask = keep;
    lab_spawn(&lab, &keeper, NULL);
    memset(&renewal, 0, sizeof renewal);
    renewal.keeper = keeper.ref;
    troupe_request_call(lab.worker, &renewal.first, on_first, keeper.ref, troupe_view_of("ask"), troupe_body_none(),
                        (troupe_caller){0}, 100);
    lab_run(&lab);
    lab_pass(&lab, 1);
    troupe_request_call(lab.worker, &renewal.second, on_second, keeper.ref, troupe_view_of("ask"), troupe_body_none(),
                        (troupe_caller){0}, 100);
    lab_run(&lab);
    lab.now_ns += 200 * NS_PER_MS; /* both are due in one poll */
    lab_run(&lab);
    assert_int_equal(renewal.answers[0], 1);
    assert_int_equal(renewal.answers[1], 0);
    assert_int_equal(renewal.answers[2], 0);
    lab_pass(&lab, 4900);
    assert_int_equal(renewal.answers[2], 0);
    lab_pass(&lab, 200);
    assert_int_equal(renewal.answers[2], 1);
    assert_int_equal(renewal.error, TROUPE_E_TIMEOUT);
}

/* ---- messages that were meant for a predecessor in the slot ---- */

static void test_a_large_message_for_a_predecessor_does_not_make_the_mailbox_full_for_ever(void **state)
{
    PUPPET(successor, 's');
    static char big[1000];

    (void)state;
    lab_spawn(&lab, &successor, NULL);
    struct actor *actor = slot_of(&successor);
    struct message *late = troupe__message_new_bare(&lab.worker->pool, MESSAGE_USER, sizeof big);
    late->msg.kind = TROUPE_MSG_CAST;
    late->droppable = true;
    late->target_generation = successor.ref.generation - 1;
    atomic_add_relaxed(&actor->mailbox_bytes, sizeof big); /* as its sender did, who was interrupted here */
    assert_int_equal(mailbox_push(actor, late), PUSH_CLAIMED);
    troupe__worker_schedule(lab.worker, actor);
    lab_run(&lab);
    assert_int_equal(atomic_load_relaxed(&actor->mailbox_bytes), 0);
    assert_int_equal(troupe_worker_cast(lab.worker, successor.ref, troupe_view_of("note"),
                                        troupe_body_bytes(big, sizeof big, NULL), (troupe_caller){0}), 0);
    lab_run(&lab);
    assert_int_equal(successor.notes, 1);
}

static void test_a_request_for_a_predecessor_does_not_lie_until_something_else_comes(void **state)
{
    PUPPET(successor, 's');

    (void)state;
    lab_spawn(&lab, &successor, NULL);
    struct actor *actor = slot_of(&successor);
    struct message *late = troupe__message_new_bare(&lab.worker->pool, SYSTEM_MONITOR, 0);
    late->target_generation = successor.ref.generation - 1;
    atomic_store_release(&actor->system_lane, late); /* its sender had found the predecessor, and was interrupted */
    troupe__worker_raise(lab.worker, actor, successor.ref.generation - 1, SIGNAL_SYSTEM | SIGNAL_KILL);
    lab_run(&lab);
    assert_null(atomic_load_relaxed(&actor->system_lane)); /* refused: the watcher has its down */
    assert_true(lab_is_alive(&lab, &successor));
    assert_int_equal(successor.ends, 0);
}

/* ---- a name was looked up while its holder was being made in a slot that had never been used ---- */

static void test_a_message_to_an_actor_that_is_not_made_yet_is_refused(void **state)
{
    struct actor *actor = troupe__slots_take(&lab.system->slots, &lab.worker->slots);

    (void)state;
    /* Spawn was interrupted here; the name was taken before. */
    atomic_store_relaxed(&actor->identity, UINT64_C(1) << 32);
    troupe_ref ref = actor_ref(lab.system, actor);
    assert_int_equal(
        troupe_worker_cast(lab.worker, ref, troupe_view_of("note"), troupe_body_none(), (troupe_caller){0}),
        TROUPE_E_NOT_FOUND);
    atomic_store_relaxed(&actor->identity, 0);
    troupe__slots_give(&lab.system->slots, &lab.worker->slots, actor);
}

/* ---- what is done in the stop hook ---- */

static int bind_in_stop(troupe_ctx *ctx, struct puppet *self)
{
    uint64_t monitor;

    self->number += troupe_monitor(ctx, self->other->ref, &monitor) == TROUPE_E_STATE;
    self->number += troupe_link(ctx, self->other->ref) == TROUPE_E_STATE;
    self->number += troupe_supervise(ctx, &(troupe_supervision){.restarts = 1, .period_ms = 1000}) == TROUPE_E_STATE;
    return 0;
}

static int end_in_silence(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    troupe_stop_self(ctx, ""); /* words would give the actor its side tables before */
    return 0;
}

static void test_a_monitor_made_in_the_stop_hook_is_not_left_to_the_successor_in_the_slot(void **state)
{
    PUPPET(bound, 'b');
    PUPPET(other, 'o');

    (void)state;
    lab_spawn(&lab, &other, NULL);
    lab_spawn(&lab, &bound, NULL);
    bound.other = &other;
    bound.on_stop = bind_in_stop;
    lab_do(&lab, &bound, end_in_silence);
    assert_int_equal(bound.stops, 1);
    assert_null(slot_of(&bound)->extra);
    assert_int_equal(bound.number, 3);
}

/* ---- floods ---- */

static int monitor_the_dead_often(troupe_ctx *ctx, struct puppet *self)
{
    int rc = 0;

    for (uint32_t i = 0; i < 600000 && rc == 0; i++) {
        uint64_t monitor;
        rc = troupe_monitor(ctx, self->other->ref, &monitor);
        if (rc == 0) {
            self->number++;
            rc = troupe_demonitor(ctx, monitor);
        }
    }
    self->status = rc;
    return 0;
}

static void test_a_flood_of_downs_to_oneself_does_not_overflow_the_mailbox(void **state)
{
    PUPPET(watcher, 'w');
    PUPPET(dead, 'd');

    (void)state;
    lab_spawn(&lab, &watcher, NULL);
    lab_spawn(&lab, &dead, NULL);
    lab_do(&lab, &dead, puppet_end);
    watcher.other = &dead;
    lab_do(&lab, &watcher, monitor_the_dead_often);
    assert_int_equal(watcher.status, TROUPE_E_LIMIT);
    assert_int_equal(watcher.downs, 0);
    assert_int_equal(lab_note(&lab, &watcher), 0);
    lab_run(&lab);
    assert_int_equal(watcher.notes, 1);
    lab_do(&lab, &watcher, puppet_monitor_other); /* and it may again */
    assert_int_equal(watcher.downs, 1);
}

static int cast_into_the_full(troupe_ctx *ctx, struct puppet *self)
{
    for (uint32_t i = 0; i < 1000; i++)
        self->number += troupe_cast(ctx, self->other->ref, "note", troupe_body_none()) == TROUPE_E_FULL;
    return 0;
}

static void test_a_sender_that_goes_on_into_a_full_mailbox_asks_for_room_once(void **state)
{
    PUPPET(sender, 's');
    PUPPET(full, 'f');

    (void)state;
    lab_spawn(&lab, &sender, NULL);
    lab_spawn(&lab, &full, &(troupe_spawn_opts){.mailbox_messages_max = 10});
    sender.other = &full;
    assert_int_equal(lab_do_later(&lab, &sender, cast_into_the_full), 0);
    (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
    assert_int_equal(sender.number, 990);
    uint32_t requests = 0;
    for (struct message *at = atomic_load_relaxed(&slot_of(&full)->system_lane); at; at = at->next)
        requests++;
    assert_int_equal(requests, 1);
    lab_run(&lab);
    assert_int_equal(full.notes, 10);
    assert_int_equal(sender.writables, 1);
    lab_do(&lab, &sender, cast_into_the_full); /* the next time it is told again */
    assert_int_equal(sender.writables, 2);
}

static void test_a_body_larger_than_the_whole_mailbox_is_too_large_not_full_for_ever(void **state)
{
    PUPPET(small, 's');
    static char big[2000];

    (void)state;
    lab_spawn(&lab, &small, &(troupe_spawn_opts){.mailbox_bytes_max = 1000});
    assert_int_equal(troupe_worker_cast(lab.worker, small.ref, troupe_view_of("note"),
                                        troupe_body_bytes(big, sizeof big, NULL), (troupe_caller){0}),
                     TROUPE_E_TOO_LARGE);
}

static unsigned continued;

static int count_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    (void)ctx;
    (void)memory;
    assert_int_equal(reply->status, TROUPE_E_TIMEOUT);
    continued++;
    return 0;
}

static int call_often(troupe_ctx *ctx, struct puppet *self)
{
    int rc = 0;

    for (unsigned i = 0; i < 1000 && rc == 0; i++)
        rc = troupe_call(ctx, self->other->ref, "ask", troupe_body_none(), 50, count_reply, 0);
    return rc;
}

static void test_a_thousand_deadlines_at_once_do_not_make_one_long_turn(void **state)
{
    PUPPET(caller, 'a');
    PUPPET(keeper, 'k');

    (void)state;
    keeper.on_ask = keep;
    lab_spawn(&lab, &caller, NULL);
    lab_spawn(&lab, &keeper, NULL);
    caller.other = &keeper;
    lab_do(&lab, &caller, call_often);
    continued = 0;
    lab.now_ns += 100 * NS_PER_MS;
    for (unsigned polls = 0; continued < 1000; polls++) {
        unsigned before = continued;
        assert_in_range(polls, 0, 100);
        (void)troupe_worker_poll(lab.worker, lab.now_ns, 1);
        assert_in_range(continued - before, 0, TROUPE_TURN_MESSAGES_MAX);
    }
}

static void spawn_in_answer(troupe_request *request, const troupe_answer *answer)
{
    static struct lab_request spawn;
    static struct puppet late;
    struct lab *own = request->user;

    assert_int_equal(answer->error, TROUPE_E_KILLED);
    late = (struct puppet){.letter = 'l'};
    lab_spawn_later(own, &late, NULL, &spawn);
    assert_int_equal(spawn.error, TROUPE_E_DRAINING);
}

static void test_the_answer_of_a_request_starts_nothing_while_the_system_is_freed(void **state)
{
    static struct lab own;
    PUPPET(keeper, 'k');
    troupe_request request = {.user = &own};

    (void)state;
    lab_open_with(&own, (troupe_system_config){.no_inline = true});
    keeper.on_ask = keep;
    lab_spawn(&own, &keeper, NULL);
    troupe_request_call(own.worker, &request, spawn_in_answer, keeper.ref, troupe_view_of("ask"), troupe_body_none(),
                        (troupe_caller){0}, 1000);
    lab_run(&own);
    troupe_system_free(own.system);
    assert_int_equal(keeper.finis, 1);
}

/* ---- words ---- */

static char down_words[TROUPE_REASON_BYTES_MAX + 1];
static size_t down_words_len;

static int keep_words(troupe_ctx *ctx, void *memory, const troupe_down *event)
{
    (void)ctx;
    (void)memory;
    down_words_len = event->exit.detail.len;
    memcpy(down_words, event->exit.detail.ptr, down_words_len);
    return 0;
}

static int ignore(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    uint64_t monitor;
    troupe_ref ref;

    (void)memory;
    if (msg->body_len != sizeof ref)
        return 0;
    memcpy(&ref, msg->body, sizeof ref);
    return troupe_monitor(ctx, ref, &monitor);
}

static const troupe_type any_types[] = {{.name = "watch", .flags = TROUPE_TYPE_CAST}};
static const troupe_behavior reader_behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = "reader", .version = "1.0.0", .types = any_types, .types_count = 1,
    .receive = ignore, .down = keep_words};

static void spawned(troupe_request *request, const troupe_answer *answer)
{
    assert_int_equal(answer->error, 0);
    *(troupe_ref *)request->user = answer->ref;
}

static void watch_with_a_reader(const struct puppet *target)
{
    troupe_ref reader;
    troupe_request request = {.user = &reader};

    assert_int_equal(troupe_system_add_behavior(lab.system, &reader_behavior), 0);
    troupe_request_spawn(lab.worker, &request, spawned, &(troupe_spawn_opts){.behavior = "reader"});
    lab_run(&lab);
    assert_int_equal(troupe_worker_cast(lab.worker, reader, troupe_view_of("watch"),
                                        troupe_body_bytes(&target->ref, sizeof target->ref, NULL), (troupe_caller){0}),
                     0);
    lab_run(&lab);
    down_words_len = 0;
}

static int end_with_many_words(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    troupe_stop_self(ctx, "the disk under the table is full, and nobody has come to empty it since Tuesday");
    return 0;
}

static void test_a_down_carries_all_the_words_of_the_end(void **state)
{
    PUPPET(target, 't');

    (void)state;
    lab_spawn(&lab, &target, NULL);
    watch_with_a_reader(&target);
    lab_do(&lab, &target, end_with_many_words);
    assert_int_equal(down_words_len, 79);
    assert_memory_equal(down_words + 74, "esday", 5);
}

static void test_a_drain_ends_with_the_words_it_was_asked_for_with(void **state)
{
    PUPPET(target, 't');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &target, NULL);
    watch_with_a_reader(&target);
    lab_stop(&lab, target.ref, TROUPE_DRAIN, &done, 100);
    lab_run(&lab);
    assert_int_equal(down_words_len, strlen("the test says so"));
}

static void test_a_long_reason_to_stop_is_not_cut_inside_a_letter(void **state)
{
    PUPPET(target, 't');
    char words[302];
    static struct lab_request done;

    (void)state;
    words[0] = 'x';
    for (size_t i = 1; i + 1 < sizeof words; i += 2)
        memcpy(words + i, "\xc3\xa9", 2);
    lab_spawn(&lab, &target, NULL);
    watch_with_a_reader(&target);
    memset(&done, 0, sizeof done);
    done.request.user = &done;
    static troupe_ref ignored;
    troupe_request request = {.user = &ignored};
    troupe_request_stop(lab.worker, &request, spawned, target.ref, TROUPE_STOP, (troupe_view){words, 301}, 1000);
    lab_run(&lab);
    assert_int_equal(down_words_len, 199);
}

static void test_the_child_of_a_killed_parent_is_not_said_to_have_been_slow(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &parent, NULL);
    parent.other = &child;
    lab_do(&lab, &parent, puppet_spawn_other);
    watch_with_a_reader(&child);
    lab_stop(&lab, parent.ref, TROUPE_KILL, &done, 100);
    lab_run(&lab);
    assert_int_equal(child.exit.cause, TROUPE_EXIT_KILLED);
    assert_true(down_words_len > 10);
    assert_memory_equal(down_words, "its parent", 10);
}

static int refuse_with_many_words(troupe_ctx *ctx, struct puppet *self)
{
    char words[302];

    (void)self;
    words[0] = 'x';
    for (size_t i = 1; i + 1 < sizeof words; i += 2)
        memcpy(words + i, "\xc3\xa9", 2);
    words[301] = '\0';
    return troupe_reply_error(ctx, TROUPE_E_LIMIT, words);
}

static size_t detail_len;

static void note_detail(troupe_request *request, const troupe_answer *answer)
{
    (void)request;
    detail_len = answer->detail.len;
}

static void test_a_long_detail_of_an_error_is_cut_for_all_and_not_inside_a_letter(void **state)
{
    PUPPET(target, 't');
    troupe_request request = {0};

    (void)state;
    target.on_ask = refuse_with_many_words;
    lab_spawn(&lab, &target, NULL);
    troupe_request_call(lab.worker, &request, note_detail, target.ref, troupe_view_of("ask"), troupe_body_none(),
                        (troupe_caller){0}, 100);
    lab_run(&lab);
    assert_int_equal(detail_len, 199);
}

/* ---- numbers ---- */

static int never_start(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    (void)self;
    return TROUPE_STARTING;
}

static void test_a_very_long_start_timeout_is_not_a_short_one(void **state)
{
    PUPPET(slow, 's');
    static struct lab_request request, done;

    (void)state;
    slow.on_init = never_start;
    lab_spawn_later(&lab, &slow, &(troupe_spawn_opts){.start_timeout_ms = UINT32_MAX}, &request);
    lab_pass(&lab, 5000);
    assert_false(request.done);
    lab_stop(&lab, slow.ref, TROUPE_KILL, &done, 100);
    lab_run(&lab);
    assert_int_equal(request.error, TROUPE_E_KILLED);
}

static int stop_in_no_known_way(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_stop(ctx, troupe_self(ctx), (enum troupe_stop_mode)7, "") == TROUPE_E_INVALID
               ? 0
               : puppet_fail(ctx, self);
}

static void test_a_stop_mode_that_does_not_exist_is_refused(void **state)
{
    PUPPET(actor, 'a');

    (void)state;
    lab_spawn(&lab, &actor, NULL);
    lab_do(&lab, &actor, stop_in_no_known_way);
    assert_true(lab_is_alive(&lab, &actor));
}

static void test_a_policy_or_restart_that_does_not_exist_is_refused(void **state)
{
    PUPPET(actor, 'a');
    static struct lab_request request;

    (void)state;
    lab_spawn_later(&lab, &actor, &(troupe_spawn_opts){.mailbox_policy = (enum troupe_mailbox_policy)3}, &request);
    lab_run(&lab);
    assert_int_equal(request.error, TROUPE_E_INVALID);
    lab_spawn_later(&lab, &actor, &(troupe_spawn_opts){.restart = (enum troupe_restart)3}, &request);
    lab_run(&lab);
    assert_int_equal(request.error, TROUPE_E_INVALID);
    assert_int_equal(actor.inits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_a_request_made_in_the_answer_of_another_has_its_own_deadline),
        LAB_TEST(test_a_large_message_for_a_predecessor_does_not_make_the_mailbox_full_for_ever),
        LAB_TEST(test_a_request_for_a_predecessor_does_not_lie_until_something_else_comes),
        LAB_TEST(test_a_message_to_an_actor_that_is_not_made_yet_is_refused),
        LAB_TEST(test_a_monitor_made_in_the_stop_hook_is_not_left_to_the_successor_in_the_slot),
        LAB_TEST(test_a_flood_of_downs_to_oneself_does_not_overflow_the_mailbox),
        LAB_TEST(test_a_sender_that_goes_on_into_a_full_mailbox_asks_for_room_once),
        LAB_TEST(test_a_body_larger_than_the_whole_mailbox_is_too_large_not_full_for_ever),
        LAB_TEST(test_a_thousand_deadlines_at_once_do_not_make_one_long_turn),
        LAB_TEST(test_the_answer_of_a_request_starts_nothing_while_the_system_is_freed),
        LAB_TEST(test_a_down_carries_all_the_words_of_the_end),
        LAB_TEST(test_a_drain_ends_with_the_words_it_was_asked_for_with),
        LAB_TEST(test_a_long_reason_to_stop_is_not_cut_inside_a_letter),
        LAB_TEST(test_the_child_of_a_killed_parent_is_not_said_to_have_been_slow),
        LAB_TEST(test_a_long_detail_of_an_error_is_cut_for_all_and_not_inside_a_letter),
        LAB_TEST(test_a_very_long_start_timeout_is_not_a_short_one),
        LAB_TEST(test_a_stop_mode_that_does_not_exist_is_refused),
        LAB_TEST(test_a_policy_or_restart_that_does_not_exist_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
