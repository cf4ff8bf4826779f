/* SPDX-License-Identifier: Apache-2.0
 *
 * See follow.h. */
#include "core/follow.h"

#include "base/mem.h"
#include "base/plant.h"
#include "core/group.h"
#include "core/mailbox.h"
#include "core/worker.h"

#define TABLE_FIRST 4u
#define NOTES_PER_LOCK 32u

/* ---- the topic's list; under its lock ---- */

static void list_note(struct troupe_topic *topic, struct follow_note *note, uint64_t wanted)
{
    note->wanted = wanted + TROUPE_PLANTED(18);
    note->listed = true;
    note->next = NULL;
    note->prev = topic->followers_last;
    if (note->prev)
        note->prev->next = note;
    else
        topic->followers = note;
    topic->followers_last = note;
}

static void unlist_note(struct troupe_topic *topic, struct follow_note *note)
{
    if (note->prev)
        note->prev->next = note->next;
    else
        topic->followers = note->next;
    if (note->next)
        note->next->prev = note->prev;
    else
        topic->followers_last = note->prev;
    note->listed = false;
}

/* The first who is to be told, or NULL. */
static struct follow_note *first_due(struct troupe_topic *topic)
{
    struct follow_note *note = topic->followers;
    bool has_news = note && (note->wanted <= atomic_load_relaxed(&topic->newest) || atomic_load_relaxed(&topic->ended));
    return has_news ? note : NULL;
}

/* ---- tell ---- */

bool troupe__follow_begin_telling(struct troupe_topic *topic)
{
    if (topic->telling || !first_due(topic))
        return false;
    topic->telling = true;
    return true;
}

void troupe__follow_tell(struct troupe_topic *topic, troupe_worker *worker)
{
    uint32_t workers = topic->system->config.workers;
    uint32_t teller = worker && worker->index < workers ? worker->index : (uint32_t)(topic->epoch % workers);
    topic_hold(topic); /* for the notice, then for the worker's list */
    troupe__worker_post(topic->system, teller, &topic->follow_notice);
}

static void queue_topic(troupe_worker *worker, struct troupe_topic *topic)
{
    topic->telling_next = NULL;
    if (worker->telling_last)
        worker->telling_last->telling_next = topic;
    else
        worker->telling = topic;
    worker->telling_last = topic;
}

void troupe__follow_on_notice(troupe_worker *worker, struct message *notice)
{
    queue_topic(worker, (struct troupe_topic *)(void *)((char *)notice - offsetof(struct troupe_topic, follow_notice)));
}

/* Tell some followers of one topic. Returns how many; *ret_over: there are no more to be told. */
static uint32_t tell_some(troupe_worker *worker, struct troupe_topic *topic, uint32_t max, bool *ret_over)
{
    struct follow_note *notes[NOTES_PER_LOCK];
    uint32_t count = 0;
    troupe__lock_acquire(&topic->lock);
    while (count < NOTES_PER_LOCK && count < max && (notes[count] = first_due(topic))) {
        unlist_note(topic, notes[count]);
        count++;
    }
    *ret_over = !first_due(topic);
    if (*ret_over)
        topic->telling = false;
    troupe__lock_release(&topic->lock);
    for (uint32_t i = 0; i < count; i++) /* the room is reserved; who has ended meanwhile needs it no more */
        troupe__send_reserved(worker, notes[i]->follower, &notes[i]->message);
    return count;
}

void troupe__follows_run(troupe_worker *worker)
{
    uint32_t share = FOLLOW_NOTES_PER_POLL;
    while (share > 0 && worker->telling) {
        struct troupe_topic *topic = worker->telling;
        worker->telling = topic->telling_next;
        if (!worker->telling)
            worker->telling_last = NULL;
        bool over = false;
        while (share > 0 && !over)
            share -= tell_some(worker, topic, share, &over);
        if (over)
            troupe__topic_drop(topic);
        else
            queue_topic(worker, topic);
    }
}

/* ---- the table ---- */

static struct follow *find(struct extra *extra, uint64_t id)
{
    struct follow_table *table = extra ? extra->follows : NULL;
    uint32_t index = (uint32_t)id;
    if (!table || index >= table->used)
        return NULL;
    struct follow *follow = &table->entries[index];
    return follow->topic && follow->generation == (uint32_t)(id >> 32) ? follow : NULL;
}

static uint64_t id_of(const struct follow_table *table, const struct follow *follow)
{
    return (uint64_t)follow->generation << 32 | (uint32_t)(follow - table->entries);
}

static bool grow(struct pool *pool, struct follow_table *table)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : TABLE_FIRST;
    struct follow *entries = troupe__pool_alloc_zeroed(pool, capacity * sizeof *entries);
    if (!entries)
        return false;
    if (table->capacity) {
        memcpy(entries, table->entries, table->used * sizeof *entries);
        troupe__pool_free(pool, table->entries, table->capacity * sizeof *entries);
    }
    table->entries = entries;
    table->capacity = capacity;
    return true;
}

/* A free entry, not taken yet; NULL when memory is exhausted. */
static struct follow *free_entry(struct pool *pool, struct extra *extra)
{
    if (!extra->follows && !(extra->follows = troupe__pool_alloc_zeroed(pool, sizeof *extra->follows)))
        return NULL;
    struct follow_table *table = extra->follows;
    if (table->free_first)
        return &table->entries[table->free_first - 1];
    return table->used < table->capacity || grow(pool, table) ? &table->entries[table->used] : NULL;
}

static void take_entry(struct follow_table *table, struct follow *follow)
{
    uint32_t generation = follow->generation + 1;
    if (table->free_first)
        table->free_first = follow->next_free;
    else
        table->used++;
    *follow = (struct follow){.generation = generation ? generation : 1};
    table->count++;
}

/* End a follow. The note, when it is on its way, belongs to who has it. */
static void end_follow(troupe_worker *worker, struct follow_table *table, struct follow *follow)
{
    struct troupe_topic *topic = follow->topic;
    troupe__lock_acquire(&topic->lock);
    bool listed = follow->note->listed;
    if (listed)
        unlist_note(topic, follow->note);
    troupe__lock_release(&topic->lock);
    if (listed)
        troupe__message_free(&worker->pool, &follow->note->message);
    if (follow->filter)
        troupe__pool_free(&worker->pool, follow->filter, follow->filter_bytes);
    follow->topic = NULL;
    follow->next_free = table->free_first;
    table->free_first = (uint32_t)(follow - table->entries) + 1;
    table->count--;
    troupe__topic_drop(topic);
}

void troupe__follow_stop_all(troupe_ctx *ctx)
{
    struct follow_table *table = ctx->actor->extra ? ctx->actor->extra->follows : NULL;
    struct pool *pool = &ctx->worker->pool;
    if (!table)
        return;
    ctx->actor->extra->follows = NULL;
    for (uint32_t i = 0; i < table->used; i++)
        if (table->entries[i].topic)
            end_follow(ctx->worker, table, &table->entries[i]);
    if (table->capacity)
        troupe__pool_free(pool, table->entries, table->capacity * sizeof *table->entries);
    troupe__pool_free(pool, table, sizeof *table);
}

/* ---- read ---- */

/* The actor's own mailbox; it is running, so the note waits there behind what came before. */
static void send_to_self(troupe_ctx *ctx, struct follow_note *note)
{
    note->message.target_generation = actor_generation(ctx->actor);
    troupe__send_reserved(ctx->worker, actor_ref(ctx->worker->system, ctx->actor), &note->message);
}

/* Go on: at once if there is news, else when there is. */
static void rest(troupe_ctx *ctx, struct follow *follow)
{
    struct troupe_topic *topic = follow->topic;
    struct follow_note *note = follow->note;
    troupe__lock_acquire(&topic->lock);
    uint64_t newest = atomic_load_relaxed(&topic->newest);
    bool has_news =
        follow->next.epoch != topic->epoch || follow->next.seq <= newest || atomic_load_relaxed(&topic->ended);
    if (!has_news)
        list_note(topic, note, follow->next.seq);
    troupe__lock_release(&topic->lock);
    if (has_news)
        send_to_self(ctx, note);
}

enum read_result { READ_NOTHING, READ_EVENT, READ_END };

/* Read the event at the cursor, which moves; *ret_event is held. */
static enum read_result read_next(struct follow *follow, struct topic_event **ret_event)
{
    struct troupe_topic *topic = follow->topic;
    enum read_result result = READ_NOTHING;
    troupe__lock_acquire(&topic->lock);
    uint64_t newest = atomic_load_relaxed(&topic->newest);
    bool knows_epoch = follow->next.epoch == topic->epoch;
    uint64_t wanted = knows_epoch ? follow->next.seq : 1;
    if (wanted <= newest) {
        uint64_t seq = wanted < topic->oldest ? topic->oldest : wanted;
        uint64_t lagged = seq - wanted;
        *ret_event = topic->ring[seq & (topic->capacity - 1)];
        topic_event_hold(*ret_event);
        /* What it missed of another epoch is not known: at least it is told that there was something. */
        follow->lagged += !knows_epoch && lagged == 0 ? 1 : lagged;
        follow->next = (troupe_event_id){topic->epoch, seq + 1};
        result = READ_EVENT;
    } else {
        follow->next = (troupe_event_id){topic->epoch, wanted};
        if (atomic_load_relaxed(&topic->ended))
            result = READ_END;
    }
    troupe__lock_release(&topic->lock);
    return result;
}

static troupe_ref publisher_of(const troupe_worker *worker, const struct troupe_topic *topic)
{
    return (troupe_ref){worker->system->home, topic->slot, topic->generation};
}

static int32_t take_lagged(struct follow *follow)
{
    uint64_t lagged = follow->lagged;
    follow->lagged = 0;
    return lagged < INT32_MAX ? (int32_t)lagged : INT32_MAX;
}

/* Give an event, or the end when event is NULL, to the behavior. */
static int deliver(troupe_ctx *ctx, uint64_t id, troupe_ref from, bool is_watch, int32_t lagged,
                   const struct topic_event *event)
{
    struct actor *actor = ctx->actor;
    struct kind *kind = actor_kind(actor);
    static const char nothing[8] = "";
    troupe_msg msg = {.kind = is_watch ? TROUPE_MSG_GROUP : TROUPE_MSG_EVENT,
                      .op = TROUPE_OP_NONE,
                      .status = lagged,
                      .from = from,
                      .tag = id,
                      .type = nothing,
                      .body = nothing};
    if (event) {
        msg.type = event->bytes;
        msg.type_len = event->type_len;
        msg.content_type = event->has_content_type ? event->bytes + event->type_len + 1 : NULL;
        msg.body = event->bytes + event->body_at;
        msg.body_len = event->body_len;
        if (!is_watch)
            msg.op = (uint16_t)troupe__kind_find(kind, troupe_msg_type(&msg));
    }
    counter_add(&ctx->worker->stats.messages, 1);
    counter_add(&actor->processed, 1);
    return kind->behavior->receive(ctx, actor_state(actor), &msg);
}

/* The actor drains: it is given what was published until it first looked, or it would never be done. */
static bool is_past_drain(const troupe_ctx *ctx, struct follow *follow)
{
    if (actor_state_now(ctx->actor) != TROUPE_STATE_DRAINING)
        return false;
    uint64_t newest = atomic_load_acquire(&follow->topic->newest);
    if (follow->last == 0)
        follow->last = newest ? newest : 1;
    return follow->next.epoch == follow->topic->epoch && follow->next.seq > follow->last;
}

/* Read the next event that is wanted, passing over some that are not. */
static enum read_result read_wanted(struct follow *follow, struct topic_event **ret_event)
{
    for (uint32_t passed = 0; passed < FOLLOW_SCAN_MAX; passed++) {
        struct topic_event *event = NULL;
        enum read_result result = read_next(follow, &event);
        if (result == READ_EVENT &&
            !troupe_filter_takes(follow->filter, (troupe_view){event->bytes, event->type_len})) {
            troupe__topic_event_drop(event);
            continue;
        }
        *ret_event = event;
        return result;
    }
    return READ_NOTHING; /* its other messages first */
}

int troupe__follow_on_note(troupe_ctx *ctx, struct message *message)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    uint64_t id = message->call_id;
    struct follow *follow = find(extra, id);
    if (!follow) { /* it was ended meanwhile */
        troupe__message_free(&worker->pool, message);
        return 0;
    }
    struct topic_event *event = NULL;
    bool past = is_past_drain(ctx, follow);
    enum read_result result = past ? READ_END : read_wanted(follow, &event);
    if (result == READ_NOTHING) {
        rest(ctx, follow);
        return 0;
    }
    troupe_ref from = event && troupe_ref_is_actor(event->from) ? event->from : publisher_of(worker, follow->topic);
    bool is_watch = follow->is_watch;
    int32_t lagged = take_lagged(follow);
    if (result == READ_END) {
        end_follow(worker, extra->follows, follow);
        troupe__message_free(&worker->pool, message);
        return past ? 0 : deliver(ctx, id, from, is_watch, lagged, NULL);
    }
    int rc = deliver(ctx, id, from, is_watch, lagged, event);
    troupe__topic_event_drop(event);
    follow = find(extra, id);
    if (follow)
        rest(ctx, follow);
    else
        troupe__message_free(&worker->pool, message); /* the behavior has ended it */
    return rc;
}

/* ---- what behaviors call ---- */

/* Copy a filter into one block with its text. */
static troupe_filter *copy_filter(struct pool *pool, const troupe_filter *filter, size_t *ret_bytes)
{
    size_t bytes = sizeof *filter;
    for (uint32_t i = 0; i < filter->count; i++)
        bytes += filter->types[i].len;
    troupe_filter *copy = troupe__pool_alloc(pool, bytes);
    if (!copy)
        return NULL;
    char *text = (char *)(copy + 1);
    copy->count = filter->count;
    for (uint32_t i = 0; i < filter->count; i++) {
        memcpy(text, filter->types[i].ptr, filter->types[i].len);
        copy->types[i] = (troupe_view){text, filter->types[i].len};
        text += filter->types[i].len;
    }
    *ret_bytes = bytes;
    return copy;
}

int troupe__follow_topic(troupe_ctx *ctx, struct troupe_topic *topic, const troupe_filter *filter,
                         enum troupe_from from, troupe_event_id after, bool is_watch, uint64_t *ret_follow)
{
    struct pool *pool = &ctx->worker->pool;
    struct extra *extra = troupe__extra(pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->follows && extra->follows->count >= TROUPE_FOLLOWS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    struct follow *follow = free_entry(pool, extra);
    struct message *message =
        follow ? troupe__message_new_bare(pool, MESSAGE_EVENT, sizeof(struct follow_note) - sizeof(struct message))
               : NULL;
    if (!message)
        return TROUPE_E_NO_MEMORY;
    size_t filter_bytes = 0;
    troupe_filter *copy = filter && filter->count ? copy_filter(pool, filter, &filter_bytes) : NULL;
    if (filter && filter->count && !copy) {
        troupe__message_free(pool, message);
        return TROUPE_E_NO_MEMORY;
    }
    struct follow_note *note = (struct follow_note *)message;
    take_entry(extra->follows, follow);
    follow->topic = topic;
    follow->note = note;
    follow->filter = copy;
    follow->filter_bytes = filter_bytes;
    follow->is_watch = is_watch;
    follow->next = troupe__topic_first_wanted(topic, from, after);
    note->listed = false;
    note->follower = actor_ref(ctx->worker->system, ctx->actor);
    message->call_id = *ret_follow = id_of(extra->follows, follow);
    message->msg.kind = is_watch ? TROUPE_MSG_GROUP : TROUPE_MSG_EVENT;
    message->msg.body_len = 0; /* what is behind it is not for a trace to show */
    rest(ctx, follow);
    return 0;
}

int troupe_follow(troupe_ctx *ctx, troupe_ref publisher, const troupe_filter *filter, enum troupe_from from,
                  troupe_event_id after, uint64_t *ret_follow)
{
    troupe_system *system = ctx->worker->system;
    struct actor *actor;
    struct troupe_topic *topic;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (ctx->actor->ending)
        return TROUPE_E_STATE;
    if ((unsigned)from > TROUPE_FROM_AFTER || (filter && !troupe_filter_is_valid(filter)))
        return TROUPE_E_INVALID;
    int rc = troupe__find(system, publisher, &actor);
    if (rc == 0)
        rc = troupe__topic_of(system, actor, publisher.generation, &topic);
    if (rc)
        return rc;
    rc = troupe__follow_topic(ctx, topic, filter, from, after, false, ret_follow);
    if (rc)
        troupe__topic_drop(topic);
    return rc;
}

static int end_by_id(troupe_ctx *ctx, uint64_t id, bool is_watch)
{
    struct follow *follow = find(ctx->actor->extra, id);
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (!follow || follow->is_watch != is_watch)
        return TROUPE_E_NOT_FOUND;
    end_follow(ctx->worker, ctx->actor->extra->follows, follow);
    return 0;
}

int troupe_unfollow(troupe_ctx *ctx, uint64_t follow) { return end_by_id(ctx, follow, false); }

int troupe_group_unwatch(troupe_ctx *ctx, uint64_t watch) { return end_by_id(ctx, watch, true); }
