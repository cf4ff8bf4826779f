/* SPDX-License-Identifier: Apache-2.0
 *
 * See topic.h: the ring and the publisher's side, and the table of the actors' topics.
 *
 * A publication makes the event outside the lock, puts it into the ring under it, frees what fell out of the ring after
 * it, and then tells the workers that wait. */
#include "core/topic.h"

#include "core/follow.h"
#include "core/group.h"
#include "core/worker.h"

#include "base/mem.h"
#include "base/plant.h"

#define RING_FIRST 16u
#define BUCKETS_FIRST 16u
#define FULL_ON_AVERAGE 2u /* topics a bucket before the table doubles */

/* ---- events ---- */

void troupe__topic_event_drop(struct topic_event *event)
{
    /* Release and acquire: what others read of it was read before it is freed. */
    if (atomic_fetch_sub_explicit(&event->holds, 1, memory_order_acq_rel) == 1)
        troupe_free(event);
}

/* Make an event, held once. */
static struct topic_event *new_event(troupe_view type, const troupe_body *body, const troupe_ref *from)
{
    size_t content_type_len = body->content_type ? strlen(body->content_type) : 0;
    size_t texts = type.len + 1 + (content_type_len ? content_type_len + 1 : 0);
    size_t body_at = (texts + 7) & ~(size_t)7;
    struct topic_event *event = troupe_alloc(sizeof *event + body_at + body->len);
    if (!event)
        return NULL;
    atomic_init(&event->holds, 1);
    event->body_len = (uint32_t)body->len;
    event->body_at = (uint16_t)body_at;
    event->type_len = (uint8_t)type.len;
    event->has_content_type = content_type_len > 0;
    event->next_out = NULL;
    event->from = from ? *from : (troupe_ref){0};
    memcpy(event->bytes, type.ptr, type.len);
    event->bytes[type.len] = '\0';
    if (content_type_len)
        memcpy(event->bytes + type.len + 1, body->content_type, content_type_len + 1);
    if (body->len)
        memcpy(event->bytes + body_at, body->ptr, body->len);
    return event;
}

/* ---- a topic ---- */

struct troupe_topic *troupe__topic_make(troupe_system *system, struct group *group)
{
    size_t bytes = sizeof(struct troupe_topic) + troupe__workers_all(system) * sizeof(struct topic_place *);
    struct troupe_topic *topic = troupe_alloc(bytes);
    if (!topic)
        return NULL;
    memset(topic, 0, bytes);
    topic->system = system;
    topic->group = group;
    topic->oldest = 1;
    topic->follow_notice.what = NOTICE_FOLLOW;
    atomic_init(&topic->holds, 1);
    /* Another one each time, also after a restart of the node, whose home and seed are new then. */
    uint64_t state = system->config.seed ^ system->home.low ^ atomic_add_relaxed(&system->topics.made, 1) << 32;
    do
        topic->epoch = rng_mix(&state);
    while (topic->epoch == 0);
    return topic;
}

void troupe__topic_drop(struct troupe_topic *topic)
{
    if (topic->group) {
        troupe__group_topic_drop(topic);
        return;
    }
    if (atomic_fetch_sub_explicit(&topic->holds, 1, memory_order_acq_rel) != 1)
        return;
    uint64_t newest = atomic_load_relaxed(&topic->newest);
    for (uint64_t seq = topic->oldest; seq <= newest; seq++)
        troupe__topic_event_drop(topic->ring[seq & (topic->capacity - 1)]);
    for (uint32_t i = 0; i < troupe__workers_all(topic->system); i++)
        troupe_free(topic->places[i]); /* without subscribers their caches are empty */
    troupe_free(topic->ring);
    troupe_free(topic);
}

/* Under the lock: room for one more. */
static bool make_room(struct troupe_topic *topic)
{
    uint64_t newest = atomic_load_relaxed(&topic->newest);
    uint32_t count = (uint32_t)(newest + 1 - topic->oldest);
    if (count < topic->capacity)
        return true;
    uint32_t capacity = topic->capacity ? topic->capacity * 2 : RING_FIRST;
    struct topic_event **ring = troupe_alloc(capacity * sizeof *ring);
    if (!ring)
        return false;
    for (uint64_t seq = topic->oldest; seq <= newest; seq++)
        ring[seq & (capacity - 1)] = topic->ring[seq & (topic->capacity - 1)];
    troupe_free(topic->ring);
    topic->ring = ring;
    topic->capacity = capacity;
    return true;
}

/* Under the lock: take out what must go so that one with so many bytes fits. Returns it as a list. */
static struct topic_event *take_old(struct troupe_topic *topic, uint32_t body_len)
{
    struct topic_event *out = NULL;
    uint64_t newest = atomic_load_relaxed(&topic->newest);
    while (topic->oldest <= newest && (newest + 1 - topic->oldest >= TROUPE_TOPIC_EVENTS_MAX ||
                                       topic->body_bytes + body_len > TROUPE_TOPIC_BYTES_MAX)) {
        struct topic_event *event = topic->ring[topic->oldest & (topic->capacity - 1)];
        topic->oldest++;
        topic->body_bytes -= event->body_len;
        event->next_out = out;
        out = event;
    }
    return out;
}

static void drop_list(struct topic_event *list)
{
    while (list) {
        struct topic_event *next = list->next_out;
        troupe__topic_event_drop(list);
        list = next;
    }
}

/* Put a notice into the inbox of each worker that waits. */
static void tell_waiting(struct troupe_topic *topic)
{
    if (atomic_load_seq(&topic->waiting) == 0) /* behind the store of newest or ended: pairs with the reader's arming */
        return;
    uint64_t bits = atomic_exchange_explicit(&topic->waiting, 0, memory_order_seq_cst);
    for (; bits; bits &= bits - 1) {
        uint32_t worker = (uint32_t)__builtin_ctzll(bits);
        topic_hold(topic); /* for the notice */
        troupe__worker_post(topic->system, worker, &topic->places[worker]->notice);
    }
}

int troupe__topic_publish(troupe_topic *topic, troupe_worker *worker, troupe_view type, const troupe_body *body,
                          const troupe_ref *from, troupe_event_id *ret_id)
{
    if (!troupe__is_word(type) || (body->content_type && strlen(body->content_type) > TROUPE_CONTENT_TYPE_BYTES_MAX))
        return TROUPE_E_INVALID;
    if (body->len > TROUPE_TOPIC_BYTES_MAX)
        return TROUPE_E_TOO_LARGE;
    struct topic_event *event = new_event(type, body, from), *out = NULL;
    if (!event)
        return TROUPE_E_NO_MEMORY;
    int rc = TROUPE_E_GONE;
    bool tell = false;
    troupe__lock_acquire(&topic->lock);
    if (!atomic_load_relaxed(&topic->ended)) {
        out = take_old(topic, event->body_len);
        rc = make_room(topic) ? 0 : TROUPE_E_NO_MEMORY;
    }
    if (rc == 0) {
        event->seq = atomic_load_relaxed(&topic->newest) + 1;
        if (ret_id)
            *ret_id = (troupe_event_id){topic->epoch, event->seq};
        topic->ring[event->seq & (topic->capacity - 1)] = event;
        topic->body_bytes += event->body_len;
        atomic_store_seq(&topic->newest, event->seq); /* before the bits are looked at */
        tell = troupe__follow_begin_telling(topic);
    }
    troupe__lock_release(&topic->lock);
    drop_list(out);
    if (rc)
        troupe__topic_event_drop(event);
    else
        tell_waiting(topic);
    if (tell)
        troupe__follow_tell(topic, worker);
    return rc;
}

int troupe_topic_publish(troupe_topic *topic, troupe_view type, troupe_body body, troupe_event_id *ret_id)
{
    return troupe__topic_publish(topic, NULL, type, &body, NULL, ret_id);
}

static void end_topic(struct troupe_topic *topic)
{
    troupe__lock_acquire(&topic->lock);
    atomic_store_seq(&topic->ended, true); /* before the bits are looked at */
    bool tell = troupe__follow_begin_telling(topic);
    troupe__lock_release(&topic->lock);
    if (!TROUPE_PLANTED(11))
        tell_waiting(topic);
    if (tell)
        troupe__follow_tell(topic, NULL);
}

/* ---- topics of the system's own ---- */

int troupe_topic_new(troupe_system *system, troupe_topic **ret_topic)
{
    struct troupe_topic *topic = troupe__topic_make(system, NULL);
    if (!topic)
        return TROUPE_E_NO_MEMORY;
    *ret_topic = topic;
    return 0;
}

void troupe_topic_drop(troupe_topic *topic)
{
    if (!topic)
        return;
    end_topic(topic);
    troupe__topic_drop(topic);
}

/* ---- the topics of actors ---- */

static struct topic_shard *shard_of(struct topic_table *table, uint32_t slot)
{
    return &table->shards[slot % TOPIC_SHARDS];
}

/* Under the lock: the link that holds the topic, or the end of its chain. */
static struct troupe_topic **find_link(const struct topic_shard *shard, uint32_t slot, uint32_t generation)
{
    struct troupe_topic **at = &shard->buckets[slot / TOPIC_SHARDS & (shard->buckets_count - 1)];
    while (*at && ((*at)->slot != slot || (*at)->generation != generation))
        at = &(*at)->next;
    return at;
}

/* Under the lock: the topic, held for the caller; or NULL. */
static struct troupe_topic *find(const struct topic_shard *shard, uint32_t slot, uint32_t generation)
{
    struct troupe_topic *topic = shard->buckets ? *find_link(shard, slot, generation) : NULL;
    if (topic)
        topic_hold(topic);
    return topic;
}

/* Under the lock. */
static bool make_room_in(struct topic_shard *shard)
{
    if (shard->count < shard->buckets_count * FULL_ON_AVERAGE)
        return true;
    uint32_t count = shard->buckets_count ? shard->buckets_count * 2 : BUCKETS_FIRST;
    struct troupe_topic **buckets = troupe__port_alloc_zeroed(count * sizeof *buckets);
    if (!buckets)
        return shard->buckets_count > 0; /* longer chains then */
    for (uint32_t i = 0; i < shard->buckets_count; i++) {
        for (struct troupe_topic *topic = shard->buckets[i], *next; topic; topic = next) {
            next = topic->next;
            struct troupe_topic **bucket = &buckets[topic->slot / TOPIC_SHARDS & (count - 1)];
            topic->next = *bucket;
            *bucket = topic;
        }
    }
    if (shard->buckets)
        troupe__port_free(shard->buckets, shard->buckets_count * sizeof shard->buckets[0]);
    shard->buckets = buckets;
    shard->buckets_count = count;
    return true;
}

/* Mark the actor as one that has a topic, unless it has shut its system lane meanwhile, or is another one already: a
 * successor opens the lane after it took its generation. */
static bool mark(struct actor *actor, uint32_t generation)
{
    atomic_fetch_or_explicit(&actor->marks, ACTOR_HAS_TOPIC, memory_order_seq_cst); /* pairs with shut in life.c */
    return atomic_load_seq(&actor->system_lane) != SYSTEM_LANE_SHUT && actor_generation(actor) == generation;
}

int troupe__topic_of(troupe_system *system, struct actor *actor, uint32_t generation, struct troupe_topic **ret_topic)
{
    struct topic_shard *shard = shard_of(&system->topics, actor->slot);
    troupe__lock_acquire(&shard->lock);
    struct troupe_topic *topic = find(shard, actor->slot, generation);
    troupe__lock_release(&shard->lock);
    if (topic) {
        *ret_topic = topic;
        return 0;
    }
    struct troupe_topic *fresh = troupe__topic_make(system, NULL);
    if (!fresh)
        return TROUPE_E_NO_MEMORY;
    fresh->slot = actor->slot;
    fresh->generation = generation;
    int rc = 0;
    troupe__lock_acquire(&shard->lock);
    topic = find(shard, actor->slot, generation); /* another one may have been quicker */
    if (!topic && !make_room_in(shard)) {
        rc = TROUPE_E_NO_MEMORY;
    } else if (!topic && !mark(actor, generation)) {
        rc = TROUPE_E_GONE;
    } else if (!topic) {
        *find_link(shard, actor->slot, generation) = fresh;
        shard->count++;
        topic = fresh;
        topic_hold(topic); /* for the table; the first was the caller's */
    }
    troupe__lock_release(&shard->lock);
    if (topic != fresh)
        troupe__topic_drop(fresh);
    if (rc == 0)
        *ret_topic = topic;
    return rc;
}

void troupe__topic_on_end(troupe_system *system, const struct actor *actor, uint32_t generation)
{
    struct topic_shard *shard = shard_of(&system->topics, actor->slot);
    struct troupe_topic *topic = NULL;
    troupe__lock_acquire(&shard->lock);
    if (shard->buckets) {
        struct troupe_topic **at = find_link(shard, actor->slot, generation);
        topic = *at;
        if (topic) {
            *at = topic->next;
            shard->count--;
        }
    }
    troupe__lock_release(&shard->lock);
    if (!topic)
        return; /* who set the mark came too late, and meant a predecessor */
    end_topic(topic);
    troupe__topic_drop(topic);
}

void troupe__topics_fini(struct topic_table *table)
{
    for (uint32_t i = 0; i < TOPIC_SHARDS; i++) { /* their topics have gone with the actors */
        struct topic_shard *shard = &table->shards[i];
        if (shard->buckets)
            troupe__port_free(shard->buckets, shard->buckets_count * sizeof shard->buckets[0]);
        *shard = (struct topic_shard){0};
    }
}

/* ---- what behaviors call ---- */

static char *put_number(char *at, uint64_t number)
{
    char reversed[20];
    size_t n = 0;
    do
        reversed[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n > 0)
        *at++ = reversed[--n];
    return at;
}

static void put_id(char *at, troupe_event_id id)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[id.epoch >> shift & 15];
    *at++ = '.';
    *put_number(at, id.seq) = '\0';
}

_Static_assert(16 + 1 + 20 + 1 <= TROUPE_EVENT_ID_TEXT_MAX, "an id fits");

static int publish(troupe_ctx *ctx, const char *type, const troupe_body *body, troupe_event_id *ret_id)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (actor->ending)
        return TROUPE_E_STATE;
    struct extra *extra = troupe__extra(&worker->pool, actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (!extra->topic) {
        int rc = troupe__topic_of(worker->system, actor, actor_generation(actor), &extra->topic);
        if (rc)
            return rc;
    }
    return troupe__topic_publish(extra->topic, worker, troupe_view_of(type), body, NULL, ret_id);
}

int troupe_publish(troupe_ctx *ctx, const char *type, troupe_body body) { return publish(ctx, type, &body, NULL); }

int troupe_publish_id(troupe_ctx *ctx, const char *type, troupe_body body, char *ret_id)
{
    troupe_event_id id;
    int rc = publish(ctx, type, &body, &id);
    if (rc == 0)
        put_id(ret_id, id);
    return rc;
}
