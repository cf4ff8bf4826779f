/* SPDX-License-Identifier: Apache-2.0 */
#include "api/actor_doc.h"

#include "base/clock.h"

const char *actor_doc_policy(enum troupe_mailbox_policy policy)
{
    switch (policy) {
    case TROUPE_DROP_OLDEST: return "drop_oldest";
    case TROUPE_DROP_NEWEST: return "drop_newest";
    default:                 return "refuse";
    }
}

json_t *actor_doc_ref(troupe_ref ref)
{
    char text[TROUPE_REF_TEXT_MAX];
    if (!troupe_ref_is_actor(ref))
        return json_null();
    troupe_ref_format(ref, text);
    return json_string(text);
}

json_t *actor_doc_short(const struct api_env *env, const troupe_peek *peek, uint64_t now_ms)
{
    char started_at[CLOCK_TEXT_BYTES];
    uint64_t since_start = peek->started_ms - env->started_mono_ms;
    uint64_t uptime_ms = now_ms > peek->started_ms ? now_ms - peek->started_ms : 0;
    clock_format(env->started_wall_ms + since_start, started_at);
    json_t *mailbox = json_pack("{s:I, s:I, s:I, s:I, s:s}",
                                "depth", (json_int_t)peek->mailbox_depth, "bytes", (json_int_t)peek->mailbox_bytes,
                                "messages_max", (json_int_t)peek->mailbox_messages_max,
                                "bytes_max", (json_int_t)peek->mailbox_bytes_max,
                                "policy", actor_doc_policy(peek->mailbox_policy));
    json_t *doc = json_pack("{s:o, s:s?, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:s}",
                            "ref", actor_doc_ref(peek->ref), "name", peek->name[0] != '\0' ? peek->name : NULL,
                            "behavior", peek->behavior->name, "version", peek->behavior->version,
                            "host", "native", "node", env->node, "state", troupe_actor_state_word(peek->state),
                            "mailbox", mailbox, "processed", (json_int_t)peek->processed,
                            "uptime_ms", (json_int_t)uptime_ms, "started_at", started_at);
    return doc;
}

static json_t *refs_doc(const troupe_ref *refs, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < count && i < TROUPE_INFO_REFS_MAX; i++) {
        if (json_array_append_new(list, actor_doc_ref(refs[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *actor_doc_full(const struct api_env *env, const troupe_info *info, uint64_t now_ms)
{
    json_t *doc = actor_doc_short(env, &info->peek, now_ms);
    json_t *more = json_pack("{s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                             "parent", actor_doc_ref(info->parent),
                             "links", refs_doc(info->links, info->links_count),
                             "links_count", (json_int_t)info->links_count,
                             "children", refs_doc(info->children, info->children_count),
                             "children_count", (json_int_t)info->children_count,
                             "monitors", (json_int_t)info->monitors_count,
                             "monitored_by", (json_int_t)info->monitored_by_count,
                             "timers", (json_int_t)info->timers_count, "open_calls", (json_int_t)info->calls_count,
                             "kept_calls", (json_int_t)info->kept_count, "restarts", (json_int_t)info->restarts,
                             "memory_bytes", (json_int_t)info->memory_bytes);
    int failed = doc == NULL || more == NULL || json_object_update(doc, more) != 0;
    json_decref(more);
    if (failed) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}
