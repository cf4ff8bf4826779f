/* SPDX-License-Identifier: Apache-2.0 */
#include "aside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model model;

/* Entries never move: a pointer to one outlives whatever the core does meanwhile. Unused pages cost nothing. */
static uint32_t add(void **at, uint32_t *count, uint32_t room, size_t size)
{
    if (*at == NULL)
        *at = malloc(room * size);
    if (*at == NULL || *count == room) {
        fprintf(stderr, "the model is full: run fewer steps\n");
        abort();
    }
    memset((char *)*at + *count * size, 0, size);
    return (*count)++;
}

#define ADD(list, room) add((void **)&(list).at, &(list).count, (room), sizeof *(list).at)

uint32_t model_add_call(void) { return ADD(model.calls, MODEL_EVENTS_MAX); }
uint32_t model_add_timer(void) { return ADD(model.timers, MODEL_EVENTS_MAX); }
uint32_t model_add_monitor(void) { return ADD(model.monitors, MODEL_EVENTS_MAX); }
uint32_t model_add_link(void) { return ADD(model.links, MODEL_EVENTS_MAX); }
uint32_t model_add_spec(void) { return ADD(model.specs, MODEL_EVENTS_MAX); }

void model_init(void)
{
    memset(&model, 0, sizeof model);
    ADD(model.actors, MODEL_ACTORS_MAX);
    ADD(model.calls, MODEL_EVENTS_MAX);
    ADD(model.timers, MODEL_EVENTS_MAX);
    ADD(model.monitors, MODEL_EVENTS_MAX);
    ADD(model.links, MODEL_EVENTS_MAX);
    ADD(model.specs, MODEL_EVENTS_MAX);
    model.calls_from = model.timers_from = model.monitors_from = model.links_from = 1;
}

void model_fini(void)
{
    free(model.actors.at);
    free(model.calls.at);
    free(model.timers.at);
    free(model.monitors.at);
    free(model.links.at);
    free(model.specs.at);
    table_fini(&model.by_ref);
    table_fini(&model.call_at);
    table_fini(&model.sent);
    table_fini(&model.received);
    table_fini(&model.fulls);
    table_fini(&model.writables);
    table_fini(&model.owed);
}

uint32_t model_actor_of(troupe_ref ref)
{
    if (!troupe_ref_is_actor(ref))
        return 0;
    uint64_t *index = table_at(&model.by_ref, (uint64_t)ref.slot << 32 | ref.generation);
    if (*index == 0) {
        *index = ADD(model.actors, MODEL_ACTORS_MAX);
        struct model_actor *actor = model_actor_at((uint32_t)*index);
        actor->ref = ref;
        actor->intensity = TROUPE_RESTARTS_DEFAULT;
        actor->period_ms = TROUPE_RESTART_PERIOD_MS_DEFAULT;
        actor->messages_max = TROUPE_MAILBOX_MESSAGES_DEFAULT;
        model.living++;
    }
    return (uint32_t)*index;
}

uint32_t model_find(troupe_ref ref)
{
    return troupe_ref_is_actor(ref) ? (uint32_t)*table_at(&model.by_ref, (uint64_t)ref.slot << 32 | ref.generation) : 0;
}

/* ---- messages ---- */

static uint64_t pair(uint32_t from, uint32_t to) { return (uint64_t)from << 32 | to; }

/* Thousands of actors, a million messages of a pair: more than a run has. */
static uint64_t at_pair(uint32_t from, uint32_t to, uint64_t sequence)
{
    return (uint64_t)from << 42 | (uint64_t)to << 21 | sequence;
}

int model_look(uint32_t self, troupe_peek *ret_peek)
{
    struct model_actor *actor = model_actor_at(self);
    int rc = troupe_system_peek(sim_world.system, actor->ref, ret_peek);

    if (rc == 0 && ret_peek->state < actor->state)
        sim_fail("the state of actor %u went back from %s to %s", self, troupe_actor_state_word(actor->state),
                 troupe_actor_state_word(ret_peek->state));
    if (rc == 0) {
        actor->state = ret_peek->state;
        actor->is_suspended = ret_peek->is_suspended;
    }
    return rc;
}

uint64_t model_sequence(uint32_t from, uint32_t to) { return *table_at(&model.sent, pair(from, to)) + 1; }

void model_calling(uint32_t from, uint32_t to, uint32_t call)
{
    *table_at(&model.call_at, at_pair(from, to, model_sequence(from, to))) = call;
}

void model_sending(uint32_t from, uint32_t to)
{
    ++*table_at(&model.sent, pair(from, to));
    model_actor_at(to)->queued++;
    model.was_ended = model_actor_at(to)->ended;
}

bool model_sent(uint32_t from, uint32_t to, int rc)
{
    struct model_actor *actor = model_actor_at(to);

    sim_event("sent", pair(from, to), (uint64_t)(int64_t)rc, 0);
    if (rc == 0 && model.was_ended)
        return sim_fail("actor %u accepted a message of %u after its end", to, from);
    uint32_t most = actor->messages_max + (actor->aside_queued != 0); /* see postpone.c: one may have slipped in */
    if (rc == 0 && actor->policy == TROUPE_REFUSE && actor->queued > most) {
        model_expire(to);
        aside_expire(to);
    }
    if (rc == 0 && actor->policy == TROUPE_REFUSE && actor->queued > most)
        return sim_fail("the mailbox of actor %u holds %u messages of at most %u", to, actor->queued,
                        actor->messages_max);
    if (rc == 0)
        return true;
    --*table_at(&model.sent, pair(from, to));
    if (actor->queued > 0)
        actor->queued--;
    if (rc == TROUPE_E_FULL) {
        ++*table_at(&model.fulls, pair(from, to));
        *table_at(&model.owed, pair(from, to)) = 1;
    }
    troupe_peek peek;
    if (rc == TROUPE_E_GONE && model_look(to, &peek) == 0 && peek.state < TROUPE_STATE_STOPPING)
        return sim_fail("actor %u is called gone while it lives", to);
    return true;
}

/* One of the missing messages: a call that came too late may be skipped. */
static bool skip(uint32_t from, uint32_t to, uint64_t sequence)
{
    struct model_actor *actor = model_actor_at(to);
    uint32_t id = (uint32_t)*table_at(&model.call_at, at_pair(from, to, sequence));
    struct model_call *call = &model.calls.at[id];

    if (id != 0 && call->group)
        return true; /* it may have been refused */
    if (id != 0 && call->answer == MODEL_UNSEEN && sim_now_ms() >= call->deadline_ms) {
        call->answer = MODEL_EXPIRED;
        if (actor->queued > 0)
            actor->queued--;
        return true;
    }
    return id != 0 && call->answer == MODEL_EXPIRED;
}

bool model_skipped(uint32_t from, uint32_t to, uint64_t last)
{
    if (model_actor_at(to)->policy != TROUPE_REFUSE)
        return true;
    for (uint64_t missing = *table_at(&model.received, pair(from, to)) + 1; missing <= last; missing++)
        if (!skip(from, to, missing))
            return sim_fail("actor %u lost message %llu of %u", to, (unsigned long long)missing, from);
    return true;
}

void model_expire(uint32_t self)
{
    for (uint32_t i = 1; i < model.calls.count; i++) {
        struct model_call *call = &model.calls.at[i];
        if (call->callee != self || call->answer != MODEL_UNSEEN || sim_now_ms() < call->deadline_ms || call->refused ||
            call->group)
            continue;
        call->answer = MODEL_EXPIRED;
        if (model_actor_at(self)->queued > 0)
            model_actor_at(self)->queued--;
    }
}

bool model_drains(uint32_t self)
{
    while (self != 0 && !model_actor_at(self)->drain_asked)
        self = model_actor_at(self)->parent;
    return self != 0 || sim_world.ending;
}

bool model_may_run(uint32_t self, const char *what)
{
    const struct model_actor *actor = model_actor_at(self);

    if (actor->waits)
        return sim_fail("actor %u got a %s while it waits for a call", self, what);
    if (actor->suspended && !model_drains(self))
        return sim_fail("actor %u got a %s while it is suspended", self, what);
    return true;
}

bool model_received(uint32_t self, const struct note *note, const troupe_msg *msg)
{
    struct model_actor *actor = model_actor_at(self);
    uint64_t last = *table_at(&model.received, pair(note->sender, self));

    sim_event("receive", pair(note->sender, self), note->sequence, msg->kind);
    model.messages++;
    if (note->magic != NOTE_MAGIC || note->size != msg->body_len)
        return sim_fail("actor %u got a body that nobody sent", self);
    if (!troupe_ref_equal(msg->from, model_actor_at(note->sender)->ref) && note->sender != 0)
        return sim_fail("actor %u got a message with a wrong sender", self);
    if (!model_may_run(self, "message"))
        return false;
    if (note->sequence <= last)
        return sim_fail("actor %u got message %llu of %u after message %llu", self, (unsigned long long)note->sequence,
                        note->sender, (unsigned long long)last);
    if (!model_skipped(note->sender, self, note->sequence - 1))
        return false;
    *table_at(&model.received, pair(note->sender, self)) = note->sequence;
    struct model_call *call = &model.calls.at[note->call];
    if ((note->call != 0) != (msg->kind == TROUPE_MSG_CALL))
        return sim_fail("actor %u got a message of the wrong kind", self);
    /* One that might have been dropped, in its last moment, counts no more. */
    if (actor->queued > 0 && (note->call == 0 || (!call->group && call->answer != MODEL_EXPIRED)))
        actor->queued--;
    if (note->call == 0)
        return true;
    if (call->callee != self || (call->answer != MODEL_UNSEEN && call->answer != MODEL_EXPIRED))
        return sim_fail("call %u came to actor %u twice, or to the wrong one", note->call, self);
    call->answer = MODEL_OPEN;
    return true;
}

bool model_writable(uint32_t self, uint32_t from)
{
    uint64_t *writables = table_at(&model.writables, pair(self, from));

    sim_event("writable", self, from, 0);
    ++*writables;
    *table_at(&model.owed, pair(self, from)) = 0;
    if (*writables > *table_at(&model.fulls, pair(self, from)))
        return sim_fail("actor %u was told more often that %u is writable than that it is full", self, from);
    return true;
}

/* ---- calls ---- */

enum model_answer model_answering(uint32_t id, enum model_answer answer)
{
    enum model_answer before = model.calls.at[id].answer;

    model.calls.at[id].answer = answer;
    return before;
}

bool model_answered(uint32_t id, enum model_answer before, int rc)
{
    struct model_call *call = &model.calls.at[id];

    sim_event("answer", id, call->answer, (uint64_t)(int64_t)rc);
    if (rc != 0)
        call->answer = before;
    else if (before != MODEL_OPEN && before != MODEL_KEPT)
        return sim_fail("call %u could be answered twice", id);
    return true;
}

void model_turn_over(uint32_t id)
{
    if (model.calls.at[id].answer == MODEL_OPEN)
        model.calls.at[id].answer = MODEL_DROPPED;
}

/* Does the status agree with what the callee did? */
static bool status_fits(const struct model_call *call, int status)
{
    const struct model_actor *callee = model_actor_at(call->callee);

    if (status == TROUPE_E_TIMEOUT)
        return sim_now_ms() >= call->deadline_ms;
    if (sim_lacks_memory(status))
        return true;
    switch (call->answer) {
    case MODEL_REPLIED:
        return status == 0;
    case MODEL_APP_REFUSED:
        return status == TROUPE_E_APP;
    case MODEL_REFUSED:
        return status == TROUPE_E_LIMIT;
    case MODEL_DROPPED:
        return status == TROUPE_E_NO_REPLY || status == TROUPE_E_ACTOR_FAILED || status == TROUPE_E_KILLED;
    case MODEL_OPEN:
        return status == TROUPE_E_KILLED || status == TROUPE_E_ACTOR_FAILED || status == TROUPE_E_NO_REPLY;
    case MODEL_KEPT:
        return status < 0 && status != TROUPE_E_NO_REPLY &&
               troupe_error_lookup(status)->outcome == TROUPE_OUTCOME_UNKNOWN; /* it was seen: perhaps it was done */
    case MODEL_EXPIRED:
    case MODEL_UNSEEN:
    case MODEL_ASIDE:
        break;
    }
    if (status == TROUPE_E_SHED)
        return callee->policy != TROUPE_REFUSE;
    if (status == TROUPE_E_KILLED)
        return callee->kill_asked || callee->kill_later || sim_world.ending ||
               (callee->ended && callee->exit.cause == TROUPE_EXIT_KILLED) || callee->state >= TROUPE_STATE_STOPPING ||
               callee->parent != 0;
    return status < 0 && status != TROUPE_E_APP && status != TROUPE_E_NO_REPLY;
}

bool model_call_over(uint32_t id, int status, const void *body, size_t body_len)
{
    struct model_call *call = &model.calls.at[id];
    struct note echo;

    sim_event("call over", id, (uint64_t)(int64_t)status, call->caller);
    if (call->over)
        return sim_fail("call %u ended twice", id);
    call->over = true;
    if (call->caller != 0 && call->wait)
        model_actor_at(call->caller)->waits = false;
    if (!status_fits(call, status))
        return sim_fail("call %u of %u to %u ended with %s, but its callee did %d", id, call->caller, call->callee,
                        status == 0 ? "a reply" : troupe_error_lookup(status)->code, (int)call->answer);
    if (status != 0)
        return true;
    if (body_len < sizeof echo)
        return sim_fail("the reply of call %u is short", id);
    memcpy(&echo, body, sizeof echo);
    if (echo.magic != NOTE_MAGIC || echo.call != id)
        return sim_fail("call %u got the reply of another", id);
    return true;
}
