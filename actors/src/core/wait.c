/* SPDX-License-Identifier: Apache-2.0
 *
 * What an actor waits for: a table of entries with a binary heap over their deadlines. An entry is known by its index
 * and a generation, so that an id is never taken for a later one. Only the earliest deadline is told to a worker's
 * timer wheel, and it is not taken back when its entry goes: an actor that makes and ends many calls touches the wheel
 * once in a timeout, not once a call.
 *
 * Timers. A timer owns its message. When it is due the message goes into the actor's own mailbox (no room needed) and
 * is handled in its order; a cancel meanwhile removes the entry, and the message is dropped when it reaches the front.
 * A periodic timer has one message: the next tick is sent after the last was handled (skip), or at once for each tick
 * that was missed (burst).
 *
 * Thread: the actor's owner. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

#define TABLE_FIRST 4u
#define ASKERS_LOOK_NS (50 * NS_PER_MS)

/* ---- the heap ---- */

static void heap_set(struct wait_table *table, uint32_t at, uint32_t index)
{
    table->heap[at] = index;
    table->entries[index].heap_at = at;
}

static uint64_t deadline_at(const struct wait_table *table, uint32_t at)
{
    return table->entries[table->heap[at]].deadline_ns;
}

/* Put an entry where `at` is free, or above it. Returns where. */
static uint32_t heap_up(struct wait_table *table, uint32_t at, uint32_t index)
{
    uint64_t deadline_ns = table->entries[index].deadline_ns;
    for (uint32_t above; at > 0 && deadline_ns < deadline_at(table, above = (at - 1) / 2); at = above)
        heap_set(table, at, table->heap[above]);
    heap_set(table, at, index);
    return at;
}

/* The same below it. */
static void heap_down(struct wait_table *table, uint32_t at, uint32_t index)
{
    uint64_t deadline_ns = table->entries[index].deadline_ns;
    for (;;) {
        uint32_t below = 2 * at + 1;
        if (below + 1 < table->heap_count && deadline_at(table, below + 1) < deadline_at(table, below))
            below++;
        if (below >= table->heap_count || deadline_at(table, below) >= deadline_ns)
            break;
        heap_set(table, at, table->heap[below]);
        at = below;
    }
    heap_set(table, at, index);
}

static void heap_insert(struct wait_table *table, uint32_t index) { heap_up(table, table->heap_count++, index); }

static void heap_remove(struct wait_table *table, struct wait *wait)
{
    uint32_t at = wait->heap_at, last = --table->heap_count;
    wait->heap_at = WAIT_NOT_IN_HEAP;
    if (at == last)
        return;
    uint32_t index = table->heap[last];
    if (heap_up(table, at, index) == at)
        heap_down(table, at, index);
}

/* ---- the table ---- */

static size_t table_bytes(uint32_t capacity) { return capacity * (sizeof(struct wait) + sizeof(uint32_t)); }

static bool grow(struct pool *pool, struct wait_table *table)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : TABLE_FIRST;
    struct wait *entries = troupe__pool_alloc(pool, table_bytes(capacity));
    if (!entries)
        return false;
    uint32_t *heap = (uint32_t *)(void *)(entries + capacity);
    if (table->capacity) {
        memcpy(entries, table->entries, table->capacity * sizeof *entries);
        memcpy(heap, table->heap, table->heap_count * sizeof *heap);
        troupe__pool_free(pool, table->entries, table_bytes(table->capacity));
    }
    memset(entries + table->capacity, 0, (capacity - table->capacity) * sizeof *entries);
    table->entries = entries;
    table->heap = heap;
    table->capacity = capacity;
    return true;
}

static uint32_t *count_of(struct wait_table *table, uint8_t kind)
{
    return kind == WAIT_CALL    ? &table->calls
           : kind == WAIT_KEPT  ? &table->kept
           : kind == WAIT_TIMER ? &table->timers
                                : NULL;
}

uint64_t troupe__wait_add(struct pool *pool, struct wait_table *table, enum wait_kind kind, uint64_t deadline_ns)
{
    uint32_t index;
    if (table->free_first) {
        index = table->free_first - 1;
        table->free_first = table->entries[index].heap_at;
    } else {
        if (table->used == table->capacity && !grow(pool, table))
            return 0;
        index = table->used++;
    }
    struct wait *wait = &table->entries[index];
    uint32_t generation = wait->generation + 1;
    *wait = (struct wait){.deadline_ns = deadline_ns, .generation = generation ? generation : 1, .kind = (uint8_t)kind};
    uint32_t *count = count_of(table, (uint8_t)kind);
    if (count)
        ++*count;
    if (deadline_ns == UINT64_MAX)
        wait->heap_at = WAIT_NOT_IN_HEAP;
    else
        heap_insert(table, index);
    return troupe__wait_id(table, wait);
}

uint64_t troupe__wait_id(const struct wait_table *table, const struct wait *wait)
{
    return (uint64_t)wait->generation << 32 | (uint32_t)(wait - table->entries);
}

struct wait *troupe__wait_find(struct wait_table *table, uint64_t id, enum wait_kind kind)
{
    uint32_t index = (uint32_t)id;
    if (index >= table->used)
        return NULL;
    struct wait *wait = &table->entries[index];
    return wait->generation == (uint32_t)(id >> 32) && wait->kind == kind ? wait : NULL;
}

void troupe__wait_remove(struct wait_table *table, struct wait *wait)
{
    if (wait->heap_at != WAIT_NOT_IN_HEAP)
        heap_remove(table, wait);
    uint32_t *count = count_of(table, wait->kind);
    if (count)
        --*count;
    wait->kind = WAIT_FREE;
    wait->heap_at = table->free_first;
    table->free_first = (uint32_t)(wait - table->entries) + 1;
}

void troupe__wait_set_deadline(struct wait_table *table, struct wait *wait, uint64_t deadline_ns)
{
    if (wait->heap_at != WAIT_NOT_IN_HEAP)
        heap_remove(table, wait);
    wait->deadline_ns = deadline_ns;
    if (deadline_ns != UINT64_MAX)
        heap_insert(table, (uint32_t)(wait - table->entries));
}

uint64_t troupe__wait_earliest(const struct wait_table *table)
{
    return table->heap_count ? table->entries[table->heap[0]].deadline_ns : UINT64_MAX;
}

void troupe__wait_fini(struct pool *pool, struct wait_table *table)
{
    for (uint32_t i = 0; i < table->used; i++) {
        struct wait *wait = &table->entries[i];
        if (wait->kind == WAIT_KEPT || (wait->kind == WAIT_TIMER && !wait->in_mailbox))
            troupe__message_free(pool, wait->message);
    }
    if (table->capacity)
        troupe__pool_free(pool, table->entries, table_bytes(table->capacity));
    *table = (struct wait_table){0};
}

void troupe__wait_release_overdue(struct wait_table *table)
{
    for (uint32_t i = 0; i < table->used && table->has_overdue; i++) {
        struct wait *wait = &table->entries[i];
        if (wait->kind == WAIT_CALL && wait->overdue) {
            wait->overdue = false;
            troupe__wait_set_deadline(table, wait, 0);
        }
    }
    table->has_overdue = false;
}

/* ---- due ---- */

static void send_tick(troupe_ctx *ctx, struct wait *wait)
{
    struct message *message = wait->message;
    message->target_generation = actor_generation(ctx->actor);
    message->call_id = troupe__wait_id(&ctx->actor->extra->waits, wait);
    message->droppable = false;
    wait->in_mailbox = mailbox_push(ctx->actor, message) == PUSH_QUEUED; /* the actor is running, so it is claimed */
    if (!wait->in_mailbox) /* it is so full that the count ends; what is in it goes first */
        troupe__wait_set_deadline(&ctx->actor->extra->waits, wait, ctx->worker->now_ns + NS_PER_MS);
}

static int end_delay(troupe_ctx *ctx, struct wait *wait)
{
    troupe_msg reply = {.op = TROUPE_OP_NONE, .from = troupe_self(ctx), .type = "", .body = ""};
    return troupe__call_end(ctx, wait, &reply);
}

static int end_call_late(troupe_ctx *ctx, struct wait *wait)
{
    static const char text[] = "no reply before the deadline";
    counter_add(&ctx->worker->stats.timeouts, 1);
    troupe_msg reply = {.op = TROUPE_OP_NONE,
                        .status = TROUPE_E_TIMEOUT,
                        .from = {.home = ctx->worker->system->home},
                        .type = "",
                        .body = text,
                        .body_len = sizeof text - 1};
    return troupe__call_end(ctx, wait, &reply);
}

static int on_due(troupe_ctx *ctx, struct wait *wait)
{
    struct wait_table *table = &ctx->actor->extra->waits;
    struct child *child = wait->child;
    uint32_t slot;
    switch (wait->kind) {
    case WAIT_CALL:
        if ((ctx->actor->pause & PAUSE_SUSPENDED) ||
            ((ctx->actor->pause & PAUSE_CALL) && !wait->pauses)) { /* its continuation must wait as well */
            wait->overdue = table->has_overdue = true;
            troupe__wait_set_deadline(table, wait, UINT64_MAX);
            return 0;
        }
        return wait->is_delay ? end_delay(ctx, wait) : end_call_late(ctx, wait);
    case WAIT_KEPT: /* the caller has been told by its own deadline */
        troupe__message_free(&ctx->worker->pool, wait->message);
        troupe__wait_remove(table, wait);
        return 0;
    case WAIT_TIMER:
        if (wait->message->what == SYSTEM_STOP) {
            struct message *stop = wait->message;
            troupe__wait_remove(table, wait);
            troupe__timer_end_other(ctx, stop);
            return 0;
        }
        troupe__wait_set_deadline(table, wait, UINT64_MAX);
        send_tick(ctx, wait);
        return 0;
    case WAIT_START:
        troupe__life_on_start_due(ctx);
        return 0;
    case WAIT_RESTART:
        troupe__wait_remove(table, wait);
        troupe__restart_on_due(ctx, child);
        return 0;
    default: /* WAIT_SHUTDOWN */
        slot = (uint32_t)wait->tag_or_period;
        troupe__wait_remove(table, wait);
        troupe__supervisor_on_shutdown_due(ctx, slot);
        return 0;
    }
}

int troupe__wait_on_due(troupe_ctx *ctx)
{
    troupe__worker_disarm(ctx->worker, ctx->actor);
    struct extra *extra = ctx->actor->extra;
    int rc = 0;
    while (rc == 0 && extra && extra->waits.heap_count && !ctx->stop_self &&
           ctx->deadlines < TROUPE_TURN_MESSAGES_MAX) {
        struct wait *wait = &extra->waits.entries[extra->waits.heap[0]];
        if (wait->deadline_ns > ctx->worker->now_ns)
            break;
        ctx->deadlines += wait->kind != WAIT_TIMER; /* whose message counts */
        rc = on_due(ctx, wait);
        if (actor_is_killed(ctx->actor))
            break;
    }
    return rc;
}

/* When the next tick of a periodic timer is due, seen from `now`. */
static uint64_t next_tick_ns(const struct wait *wait, uint64_t last_ns, uint64_t now_ns)
{
    uint64_t period_ns = wait->tag_or_period, next_ns = last_ns + period_ns;
    if (wait->every == TROUPE_EVERY_SKIP && next_ns <= now_ns)
        next_ns += (now_ns - next_ns) / period_ns * period_ns + period_ns;
    return next_ns;
}

int troupe__wait_on_timer(troupe_ctx *ctx, struct message *message)
{
    troupe_worker *worker = ctx->worker;
    struct extra *extra = ctx->actor->extra;
    uint64_t id = message->call_id;
    struct wait *wait = extra ? troupe__wait_find(&extra->waits, id, WAIT_TIMER) : NULL;
    if (!wait) { /* cancelled meanwhile */
        troupe__message_free(&worker->pool, message);
        return 0;
    }
    bool once = wait->tag_or_period == 0;
    if (once) { /* over before it is handled: a cancel inside finds nothing */
        wait->kind = WAIT_FIRED;
        extra->waits.timers--;
    }
    if (message->msg.kind == TROUPE_MSG_TIMER) /* a client's is a cast */
        message->msg.tag = id;
    ctx->timer = CTX_TIMER_RUNS;
    counter_add(&worker->stats.messages, 1);
    counter_add(&ctx->actor->processed, 1);
    int rc = actor_kind(ctx->actor)->behavior->receive(ctx, actor_state(ctx->actor), &message->msg);
    uint8_t said = ctx->timer;
    ctx->timer = CTX_TIMER_NONE;
    wait = troupe__wait_find(&extra->waits, id, once ? WAIT_FIRED : WAIT_TIMER);
    if (wait && said >= CTX_TIMER_POSTPONED && !ctx->actor->ending) {
        wait->kind = WAIT_TIMER; /* again: a cancel finds it as long as its message waits */
        extra->waits.timers += once;
        troupe__postpone_add(ctx->actor, message);
    } else if (wait && !once) {
        wait->in_mailbox = false;
        message->deadline_ns = next_tick_ns(wait, message->deadline_ns, worker->now_ns);
        troupe__wait_set_deadline(&extra->waits, wait, message->deadline_ns);
    } else {
        if (wait)
            troupe__wait_remove(&extra->waits, wait);
        troupe__message_free(&worker->pool, message);
    }
    if (said == CTX_TIMER_RETURNS)
        troupe_unpostpone(ctx);
    return rc;
}

void troupe__wait_look_for_askers(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    struct wait_table *table = &extra->waits;
    if (table->kept == 0 || ctx->worker->now_ns < extra->askers_look_ns)
        return;
    extra->askers_look_ns = ctx->worker->now_ns + ASKERS_LOOK_NS;
    for (uint32_t i = 0; i < table->used; i++) {
        struct wait *wait = &table->entries[i];
        if (wait->kind != WAIT_KEPT || wait->message->reply_to != REPLY_REQUEST ||
            troupe__request_is_open(ctx->worker->system, wait->message->reply_worker, wait->message->call_id))
            continue;
        troupe__message_free(&ctx->worker->pool, wait->message);
        troupe__wait_remove(table, wait);
    }
}

void troupe__wait_stop_all(troupe_ctx *ctx, enum troupe_exit_cause cause)
{
    static const char kept_words[] = "the call was kept when the actor ended";
    struct wait_table *table = &ctx->actor->extra->waits;
    troupe_ref self = actor_ref(ctx->worker->system, ctx->actor);
    int error = cause == TROUPE_EXIT_KILLED ? TROUPE_E_KILLED
                : troupe_exit_is_abnormal(cause) ? TROUPE_E_ACTOR_FAILED : TROUPE_E_ENDED;
    for (uint32_t i = 0; i < table->used; i++) {
        struct wait *wait = &table->entries[i];
        if (wait->kind == WAIT_KEPT && !TROUPE_PLANTED(8)) {
            struct message *asked = wait->message;
            troupe__wait_remove(table, wait);
            troupe__answer_with_error(ctx->worker, asked, self, error,
                                      (troupe_view){kept_words, sizeof kept_words - 1});
        } else if (wait->kind == WAIT_CALL || wait->kind == WAIT_START) {
            troupe__wait_remove(table, wait);
        } else if (wait->kind == WAIT_TIMER && wait->in_mailbox) {
            troupe__wait_remove(table, wait); /* its message went with the mailbox, or is at hand */
        } else if (wait->kind == WAIT_TIMER) {
            troupe__wait_set_deadline(table, wait, UINT64_MAX); /* freed at the end */
        }
    }
}
