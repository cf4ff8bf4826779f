/* SPDX-License-Identifier: Apache-2.0
 *
 * See group.h: the table of groups by name, and their topics. */
#include "core/group.h"

#include "base/mem.h"
#include "base/siphash.h"
#include "core/worker.h"

#define BUCKETS_FIRST 16u
#define FULL_ON_AVERAGE 2u /* groups a bucket before a shard doubles */

bool troupe__group_words(troupe_view scope, troupe_view name, bool whole)
{
    return (scope.len == 0 || troupe__is_word(scope)) && ((whole && name.len == 0) || troupe__is_word(name));
}

/* ---- the table ---- */

/* Clients choose the names: the hash is keyed. */
static uint64_t hash_of(const troupe_system *system, troupe_view scope, troupe_view name)
{
    char text[2 * TROUPE_TYPE_BYTES_MAX + 1];
    if (scope.len)
        memcpy(text, scope.ptr, scope.len);
    text[scope.len] = '\0';
    if (name.len)
        memcpy(text + scope.len + 1, name.ptr, name.len);
    return siphash13(system->names.key, text, scope.len + 1 + name.len);
}

static struct group_shard *shard_of(troupe_system *system, uint64_t hash)
{
    return &system->groups.by_name[hash >> (64 - GROUP_SHARD_BITS)];
}

struct group_shard *troupe__group_shard(const struct group *group) { return shard_of(group->system, group->hash); }

/* Under the lock: the link that holds it, or the end of its chain; NULL without buckets. */
static struct group **find_link(const struct group_shard *shard, uint64_t hash, troupe_view scope, troupe_view name)
{
    if (!shard->buckets)
        return NULL;
    struct group **at = &shard->buckets[hash & (shard->buckets_count - 1)];
    while (*at && ((*at)->hash != hash || !troupe_view_equal(group_scope(*at), scope) ||
                   !troupe_view_equal(group_name(*at), name)))
        at = &(*at)->next;
    return at;
}

/* Under the lock. */
static bool make_room(struct group_shard *shard)
{
    if (shard->count < shard->buckets_count * FULL_ON_AVERAGE)
        return true;
    uint32_t count = shard->buckets_count ? shard->buckets_count * 2 : BUCKETS_FIRST;
    struct group **buckets = troupe__port_alloc_zeroed(count * sizeof *buckets);
    if (!buckets)
        return shard->buckets_count > 0; /* longer chains then */
    for (uint32_t i = 0; i < shard->buckets_count; i++) {
        for (struct group *group = shard->buckets[i], *next; group; group = next) {
            next = group->next;
            struct group **bucket = &buckets[group->hash & (count - 1)];
            group->next = *bucket;
            *bucket = group;
        }
    }
    if (shard->buckets)
        troupe__port_free(shard->buckets, shard->buckets_count * sizeof shard->buckets[0]);
    shard->buckets = buckets;
    shard->buckets_count = count;
    return true;
}

/* A group that is in no table yet. */
static struct group *new_group(troupe_system *system, uint64_t hash, troupe_view scope, troupe_view name)
{
    size_t bytes = sizeof(struct group) + scope.len + name.len + 2;
    struct group *group = troupe_alloc(bytes);
    if (!group)
        return NULL;
    memset(group, 0, bytes);
    group->system = system;
    group->hash = hash;
    group->holds = 1;
    group->scope_len = (uint8_t)scope.len;
    group->name_len = (uint8_t)name.len;
    if (scope.len)
        memcpy(group->text, scope.ptr, scope.len);
    if (name.len)
        memcpy(group->text + scope.len + 1, name.ptr, name.len);
    return group;
}

/* It is out of the table, and nobody has it. */
static void free_group(struct group *group)
{
    struct troupe_topic *topic = atomic_load_relaxed(&group->topic);
    struct group *scope = group->scope;
    if (topic) {
        topic->group = NULL;
        troupe__topic_drop(topic);
    }
    for (uint32_t i = 0; i < group->blocks_count; i++)
        troupe_free(group->blocks[i]);
    troupe_free(group->blocks);
    troupe_free(group);
    if (scope)
        troupe__group_release(scope);
}

/* Under the lock: take it out of the table if nobody needs it any more; true when the caller is to free it. */
static bool take_unused(struct group *group)
{
    struct troupe_topic *topic = atomic_load_relaxed(&group->topic);
    bool has_readers = topic && atomic_load_acquire(&topic->holds) > 1;
    if (group->holds > 0 || group->blocks_count > 0 || group->changes || has_readers)
        return false;
    struct group_shard *shard = troupe__group_shard(group);
    struct group **at = find_link(shard, group->hash, group_scope(group), group_name(group));
    *at = group->next;
    shard->count--;
    atomic_sub_relaxed(&group->system->groups.count, 1);
    return true;
}

void troupe__group_release(struct group *group)
{
    struct group_shard *shard = troupe__group_shard(group);
    troupe__lock_acquire(&shard->lock);
    group->holds--;
    bool unused = take_unused(group);
    troupe__lock_release(&shard->lock);
    if (unused)
        free_group(group);
}

static struct group *find_and_hold(troupe_system *system, uint64_t hash, troupe_view scope, troupe_view name)
{
    struct group_shard *shard = shard_of(system, hash);
    troupe__lock_acquire(&shard->lock);
    struct group **at = find_link(shard, hash, scope, name), *group = at ? *at : NULL;
    if (group)
        group->holds++;
    troupe__lock_release(&shard->lock);
    return group;
}

/* Put a fresh one into the table, unless another one was quicker: then that is held and returned. NULL: no memory. */
static struct group *insert(troupe_system *system, struct group *fresh)
{
    struct group_shard *shard = shard_of(system, fresh->hash);
    troupe__lock_acquire(&shard->lock);
    struct group **at = find_link(shard, fresh->hash, group_scope(fresh), group_name(fresh));
    struct group *group = at ? *at : NULL;
    if (group) {
        group->holds++;
    } else if (make_room(shard)) {
        at = find_link(shard, fresh->hash, group_scope(fresh), group_name(fresh));
        fresh->next = NULL;
        *at = group = fresh;
        shard->count++;
        atomic_add_relaxed(&system->groups.count, 1);
    }
    troupe__lock_release(&shard->lock);
    return group;
}

int troupe__group_hold(troupe_system *system, troupe_view scope, troupe_view name, bool make, struct group **ret_group)
{
    uint64_t hash = hash_of(system, scope, name);
    struct group *group = find_and_hold(system, hash, scope, name), *parent = NULL;
    if (group) {
        *ret_group = group;
        return 0;
    }
    if (!make)
        return TROUPE_E_NOT_FOUND;
    if (atomic_load_relaxed(&system->groups.count) >= TROUPE_GROUPS_MAX)
        return TROUPE_E_LIMIT;
    int rc = name.len ? troupe__group_hold(system, scope, (troupe_view){"", 0}, true, &parent) : 0;
    if (rc)
        return rc;
    struct group *fresh = new_group(system, hash, scope, name);
    if (fresh) {
        fresh->scope = parent;
        group = insert(system, fresh);
    }
    if (fresh && group != fresh)
        troupe_free(fresh);
    if (parent && group != fresh)
        troupe__group_release(parent); /* the other one holds it */
    if (!group) {
        if (parent && !fresh)
            troupe__group_release(parent);
        return TROUPE_E_NO_MEMORY;
    }
    *ret_group = group;
    return 0;
}

void troupe__groups_fini(struct group_table *table)
{
    for (uint32_t i = 0; i < GROUP_SHARDS; i++) { /* their groups have gone with the actors and the subscribers */
        struct group_shard *names = &table->by_name[i];
        struct member_shard *slots = &table->by_slot[i];
        if (names->buckets)
            troupe__port_free(names->buckets, names->buckets_count * sizeof names->buckets[0]);
        if (slots->buckets)
            troupe__port_free(slots->buckets, slots->buckets_count * sizeof slots->buckets[0]);
        *names = (struct group_shard){0};
        *slots = (struct member_shard){0};
    }
}

/* ---- topics ---- */

int troupe__group_topic(troupe_system *system, troupe_view scope, troupe_view name, struct troupe_topic **ret_topic)
{
    struct group *group;
    int rc = troupe__group_hold(system, scope, name, true, &group);
    if (rc)
        return rc;
    struct group_shard *shard = troupe__group_shard(group);
    struct troupe_topic *fresh = NULL;
    if (!atomic_load_acquire(&group->topic) && !(fresh = troupe__topic_make(system, NULL))) {
        troupe__group_release(group);
        return TROUPE_E_NO_MEMORY;
    }
    troupe__lock_acquire(&shard->lock);
    struct troupe_topic *topic = atomic_load_relaxed(&group->topic);
    if (!topic) { /* it is never taken back while the group lives */
        topic = fresh;
        fresh = NULL;
        topic->group = group;
        atomic_store_release(&group->topic, topic);
    }
    topic_hold(topic);
    troupe__lock_release(&shard->lock);
    if (fresh) /* another one was quicker */
        troupe__topic_drop(fresh);
    troupe__group_release(group);
    *ret_topic = topic;
    return 0;
}

void troupe__group_topic_drop(struct troupe_topic *topic)
{
    struct group *group = topic->group; /* it lives as long as somebody holds its topic */
    struct group_shard *shard = troupe__group_shard(group);
    troupe__lock_acquire(&shard->lock);
    /* Release and acquire: what others read of it was read before it is freed. */
    atomic_fetch_sub_explicit(&topic->holds, 1, memory_order_acq_rel);
    bool unused = take_unused(group);
    troupe__lock_release(&shard->lock);
    if (unused)
        free_group(group);
}

int troupe_system_group_topic(troupe_system *system, troupe_view scope, troupe_view group,
                              struct troupe_topic **ret_topic)
{
    if (!troupe__group_words(scope, group, true))
        return TROUPE_E_INVALID;
    return troupe__group_topic(system, scope, group, ret_topic);
}

int troupe_group_subscribe(troupe_worker *worker, troupe_subscription *subscription, troupe_view scope,
                           troupe_view group, enum troupe_from from, troupe_event_id after)
{
    struct troupe_topic *topic;
    int rc = troupe_system_group_topic(worker->system, scope, group, &topic);
    if (rc)
        return rc;
    rc = troupe_subscribe_to(worker, subscription, topic, from, after);
    troupe__topic_drop(topic);
    return rc;
}

int troupe_group_watch(troupe_ctx *ctx, const char *scope, const char *group, uint64_t *ret_watch)
{
    troupe_view scope_view = troupe_view_of(scope), group_view = troupe_view_of(group);
    struct troupe_topic *topic;
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (ctx->actor->ending)
        return TROUPE_E_STATE;
    if (!troupe__group_words(scope_view, group_view, group == NULL))
        return TROUPE_E_INVALID;
    int rc = troupe__group_topic(ctx->worker->system, scope_view, group_view, &topic);
    if (rc)
        return rc;
    rc = troupe__follow_topic(ctx, topic, NULL, TROUPE_FROM_NOW, (troupe_event_id){0, 0}, true, ret_watch);
    if (rc)
        troupe__topic_drop(topic);
    return rc;
}

/* ---- look ---- */

uint32_t troupe_system_group_size(troupe_system *system, troupe_view scope, troupe_view group)
{
    struct group *found;
    if (!troupe__group_words(scope, group, false) || troupe__group_hold(system, scope, group, false, &found))
        return 0;
    uint32_t size = atomic_load_relaxed(&found->size);
    troupe__group_release(found);
    return size;
}

uint32_t troupe_group_size(troupe_ctx *ctx, const char *scope, const char *group)
{
    return troupe_system_group_size(ctx->worker->system, troupe_view_of(scope), troupe_view_of(group));
}
