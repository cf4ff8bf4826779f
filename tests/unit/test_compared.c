/* SPDX-License-Identifier: Apache-2.0
 *
 * What docs/compared.md claims and no other test shows: things that others have a function for, and that are a line or
 * two here. */
#include "lib/lab.h"

static struct lab lab;

/* ---- who belongs to whom ---- */

static int look_at_relations(troupe_ctx *ctx, struct puppet *self)
{
    assert_true(troupe_ref_equal(troupe_self(ctx), self->ref));
    assert_true(troupe_ref_equal(troupe_parent(ctx), self->other ? self->other->ref : (troupe_ref){0}));
    assert_true(troupe_view_equal(troupe_self_name(ctx), troupe_view_of(self->number ? "named" : "")));
    return 0;
}

static int spawn_named(troupe_ctx *ctx, struct puppet *self)
{
    return puppet_spawn(ctx, self, self->other, &(troupe_spawn_opts){.name = troupe_view_of("named")});
}

static void test_an_actor_knows_itself_its_name_and_its_parent(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');

    (void)state;
    lab_spawn(&lab, &parent, NULL);
    parent.other = &child;
    child.other = &parent;
    child.number = 1;
    child.on_init = look_at_relations;
    child.on_stop = look_at_relations;
    lab_do(&lab, &parent, spawn_named);
    assert_int_equal(child.inits, 1);
    lab_do(&lab, &child, look_at_relations);
    parent.other = NULL;
    lab_do(&lab, &parent, look_at_relations); /* nobody is its parent, and it has no name */
    lab_do(&lab, &child, puppet_end);
    assert_int_equal(child.stops, 1);
    assert_int_equal(child.exit.cause, TROUPE_EXIT_NORMAL);
}

static int spawn_linked(troupe_ctx *ctx, struct puppet *self)
{
    return puppet_spawn(ctx, self, self->other, &(troupe_spawn_opts){.link = true});
}

/* What a parent in Ractor does when it has no handler of its own, and Erlang's spawn_link. */
static void test_a_parent_may_fall_with_a_child_that_it_was_linked_to_from_the_start(void **state)
{
    (void)state;
    for (unsigned fails = 0; fails < 2; fails++) {
        static struct puppet parents[2], children[2];
        struct puppet *parent = &parents[fails], *child = &children[fails];
        *parent = (struct puppet){.letter = 'p', .other = child};
        *child = (struct puppet){.letter = 'c'};
        lab_spawn(&lab, parent, NULL);
        lab_do(&lab, parent, spawn_linked);
        lab_do(&lab, child, fails ? puppet_fail : puppet_end);
        assert_false(lab_is_alive(&lab, child));
        assert_int_equal(lab_is_alive(&lab, parent), !fails); /* a normal end takes nobody along */
        if (fails)
            assert_int_equal(parent->exit.cause, TROUPE_EXIT_LINKED);
    }
}

static void test_an_end_without_a_link_takes_no_parent_along(void **state)
{
    PUPPET(parent, 'p');
    PUPPET(child, 'c');

    (void)state;
    lab_spawn(&lab, &parent, NULL);
    parent.other = &child;
    lab_do(&lab, &parent, puppet_spawn_other);
    lab_do(&lab, &child, puppet_fail);
    assert_false(lab_is_alive(&lab, &child));
    assert_true(lab_is_alive(&lab, &parent));
    assert_int_equal(parent.ended, 1);
    assert_int_equal(parent.child.exit.cause, TROUPE_EXIT_FAILED);
}

/* ---- children are drained, and their parent lives on ---- */

#define CHILDREN 3u
static struct puppet drained[CHILDREN];

static int spawn_children(troupe_ctx *ctx, struct puppet *self)
{
    for (unsigned i = 0; i < CHILDREN; i++) {
        int rc = puppet_spawn(ctx, self, &drained[i], &(troupe_spawn_opts){.child_tag = i + 1});
        if (rc)
            return rc;
    }
    return 0;
}

struct refs {
    unsigned count;
    troupe_ref refs[CHILDREN];
};

static bool collect(void *user, const troupe_child *child)
{
    struct refs *refs = user;

    assert_true(refs->count < CHILDREN);
    refs->refs[refs->count++] = child->ref;
    return true;
}

static int drain_children(troupe_ctx *ctx, struct puppet *self)
{
    struct refs refs = {0};

    (void)self;
    troupe_children_each(ctx, collect, &refs);
    assert_int_equal(refs.count, CHILDREN);
    for (unsigned i = 0; i < refs.count; i++) {
        int rc = troupe_stop(ctx, refs.refs[i], TROUPE_DRAIN, "that was all");
        if (rc)
            return rc;
    }
    return 0;
}

static void test_a_parent_drains_its_children_and_lives_on(void **state)
{
    PUPPET(parent, 'p');

    (void)state;
    for (unsigned i = 0; i < CHILDREN; i++)
        drained[i] = (struct puppet){.letter = 'c'};
    lab_spawn(&lab, &parent, NULL);
    lab_do(&lab, &parent, spawn_children);
    for (unsigned i = 0; i < CHILDREN; i++)
        for (unsigned k = 0; k < 10; k++)
            assert_int_equal(lab_note(&lab, &drained[i]), 0);
    lab_do(&lab, &parent, drain_children);
    for (unsigned i = 0; i < CHILDREN; i++) {
        assert_int_equal(drained[i].notes, 10); /* all that was accepted */
        assert_int_equal(drained[i].exit.cause, TROUPE_EXIT_DRAINED);
    }
    assert_int_equal(parent.ended, CHILDREN); /* each is waited for */
    assert_int_equal(parent.child.exit.cause, TROUPE_EXIT_DRAINED);
    assert_true(lab_is_alive(&lab, &parent));
}

/* ---- a reply goes to somebody else ---- */

static int pass_on(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct puppet *self = *(struct puppet **)memory;

    self->status = reply->status;
    return troupe_cast(ctx, self->other->other->ref, "note", troupe_body_of(reply)); /* errors too, if one likes */
}

static int call_and_forward(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_call(ctx, self->other->ref, "ask", troupe_body_json("[7]", 3), 100, pass_on, 0);
}

static int check_note(troupe_ctx *ctx, struct puppet *self)
{
    (void)ctx;
    assert_int_equal(self->msg->body_len, 3);
    assert_memory_equal(self->msg->body, "[7]", 3);
    return 0;
}

static void test_a_reply_is_forwarded_to_a_third_actor_and_a_timeout_is_known(void **state)
{
    PUPPET(asker, 'a');
    PUPPET(asked, 'b');
    PUPPET(third, 'c');

    (void)state;
    lab_spawn(&lab, &asker, NULL);
    lab_spawn(&lab, &asked, NULL);
    lab_spawn(&lab, &third, NULL);
    asker.other = &asked;
    asked.other = &third;
    third.on_note = check_note;
    lab_do(&lab, &asker, call_and_forward);
    assert_int_equal(third.notes, 1);
    assert_int_equal(asker.status, 0);
    asked.on_ask = puppet_keep;
    third.on_note = NULL;
    lab_do(&lab, &asker, call_and_forward);
    assert_int_equal(third.notes, 1);
    lab_pass(&lab, 101);
    assert_int_equal(asker.status, TROUPE_E_TIMEOUT);
    assert_int_equal(third.notes, 2);
}

/* ---- many are asked, who are no group ---- */

#define ASKED 4u
static struct puppet asked_ones[ASKED];
static int results[ASKED];

static int on_result(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct puppet *self = *(struct puppet **)memory;

    (void)ctx;
    results[reply->tag] = reply->status;
    self->replies++;
    return 0;
}

static int ask_all(troupe_ctx *ctx, struct puppet *self)
{
    for (unsigned i = 0; i < ASKED; i++) {
        int rc = troupe_call(ctx, asked_ones[i].ref, "ask", troupe_body_none(), 100, on_result, i);
        if (rc) { /* told at once: the others are asked all the same */
            results[i] = rc;
            self->replies++;
        }
    }
    return 0;
}

static void test_a_list_of_actors_is_asked_and_each_has_a_result(void **state)
{
    PUPPET(asker, 'a');
    static struct lab_request done;

    (void)state;
    lab_spawn(&lab, &asker, NULL);
    for (unsigned i = 0; i < ASKED; i++) {
        asked_ones[i] = (struct puppet){.letter = 'b'};
        results[i] = 1;
        lab_spawn(&lab, &asked_ones[i], NULL);
    }
    lab_stop(&lab, asked_ones[1].ref, TROUPE_STOP, &done, 100);
    lab_run(&lab);
    asked_ones[2].on_ask = puppet_keep;
    lab_do(&lab, &asker, ask_all);
    assert_int_equal(asker.replies, 3);
    lab_pass(&lab, 101);
    assert_int_equal(asker.replies, ASKED);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], TROUPE_E_GONE);
    assert_int_equal(results[2], TROUPE_E_TIMEOUT);
    assert_int_equal(results[3], 0);
}

/* ---- what was refused is still the sender's ---- */

static int send_what_is_refused(troupe_ctx *ctx, struct puppet *self)
{
    static const char text[] = "[7]";
    troupe_body body = troupe_body_json(text, sizeof text - 1);

    assert_int_equal(troupe_cast(ctx, self->other->ref, "note", body), 0);
    assert_int_equal(troupe_cast(ctx, self->other->ref, "note", body), TROUPE_E_FULL);
    assert_string_equal(body.ptr, "[7]");
    return troupe_timer_after(ctx, 10, "note", body, &self->number); /* later, then */
}

static int send_again(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_cast(ctx, self->other->ref, "note", troupe_body_of(self->msg));
}

static void test_a_refused_message_is_still_its_senders_to_send_again(void **state)
{
    PUPPET(sender, 'a');
    PUPPET(receiver, 'b');

    (void)state;
    lab_spawn(&lab, &sender, NULL);
    lab_spawn(&lab, &receiver, &(troupe_spawn_opts){.mailbox_messages_max = 1});
    sender.other = &receiver;
    sender.on_timer = send_again;
    receiver.on_note = check_note;
    lab_do(&lab, &sender, send_what_is_refused);
    assert_int_equal(receiver.notes, 1);
    lab_pass(&lab, 11);
    assert_int_equal(receiver.notes, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_an_actor_knows_itself_its_name_and_its_parent),
        LAB_TEST(test_a_parent_may_fall_with_a_child_that_it_was_linked_to_from_the_start),
        LAB_TEST(test_an_end_without_a_link_takes_no_parent_along),
        LAB_TEST(test_a_parent_drains_its_children_and_lives_on),
        LAB_TEST(test_a_reply_is_forwarded_to_a_third_actor_and_a_timeout_is_known),
        LAB_TEST(test_a_list_of_actors_is_asked_and_each_has_a_result),
        LAB_TEST(test_a_refused_message_is_still_its_senders_to_send_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
