/* SPDX-License-Identifier: Apache-2.0 */
#include "api/actor_doc.h"

#include "base/clock.h"

static const char *policy_word(enum troupe_mailbox_policy policy)
{
    switch (policy) {
    case TROUPE_DROP_OLDEST: return "drop_oldest";
    case TROUPE_DROP_NEWEST: return "drop_newest";
    default:                 return "refuse";
    }
}

/* ---- members: `key` comes with all that stands before the value, so that it is one literal ---- */

static inline void add_count(struct text *text, const char *key, uint64_t value)
{
    text_add_str(text, key);
    text_add_u64(text, value);
}

static inline void add_string(struct text *text, const char *key, const char *value)
{
    text_add_str(text, key);
    text_add_json(text, troupe_view_of(value));
}

static inline void add_ref(struct text *text, const char *key, troupe_ref ref)
{
    text_add_str(text, key);
    actor_doc_ref(text, ref);
}

static void add_refs(struct text *text, const char *key, const troupe_ref *refs, uint32_t count)
{
    text_add_str(text, key);
    for (uint32_t i = 0; i < count && i < TROUPE_INFO_REFS_MAX; i++)
        add_ref(text, i == 0 ? "" : ",", refs[i]);
    text_add_str(text, "]");
}

/* ---- documents ---- */

void actor_doc_ref(struct text *text, troupe_ref ref)
{
    char id[TROUPE_REF_TEXT_MAX];
    if (!troupe_ref_is_actor(ref)) {
        text_add_str(text, "null");
        return;
    }
    size_t len = troupe_ref_format(ref, id);
    text_add_str(text, "\"");
    text_add(text, id, len);
    text_add_str(text, "\"");
}

static void add_short(struct text *text, const struct api_env *env, const troupe_peek *peek, uint64_t now_ms)
{
    char started_at[CLOCK_TEXT_BYTES];
    clock_format(env->started_wall_ms + (peek->started_ms - env->started_mono_ms), started_at);
    add_ref(text, "{\"ref\":", peek->ref);
    if (peek->name[0] != '\0')
        add_string(text, ",\"name\":", peek->name);
    else
        text_add_str(text, ",\"name\":null");
    add_string(text, ",\"behavior\":", peek->behavior->name);
    add_string(text, ",\"version\":", peek->behavior->version);
    add_string(text, ",\"host\":\"native\",\"node\":", env->node);
    add_string(text, ",\"state\":", troupe_actor_state_word(peek->state));
    add_count(text, ",\"mailbox\":{\"depth\":", peek->mailbox_depth);
    add_count(text, ",\"bytes\":", peek->mailbox_bytes);
    add_count(text, ",\"messages_max\":", peek->mailbox_messages_max);
    add_count(text, ",\"bytes_max\":", peek->mailbox_bytes_max);
    add_string(text, ",\"policy\":", policy_word(peek->mailbox_policy));
    add_count(text, "},\"processed\":", peek->processed);
    add_count(text, ",\"uptime_ms\":", now_ms > peek->started_ms ? now_ms - peek->started_ms : 0);
    add_string(text, ",\"started_at\":", started_at);
    add_ref(text, ",\"parent\":", peek->parent);
    text_add_str(text, peek->is_suspended ? ",\"suspended\":true" : ",\"suspended\":false");
    text_add_str(text, peek->is_traced ? ",\"traced\":true" : ",\"traced\":false");
}

static void add_last_error(struct text *text, const struct api_env *env, const troupe_info *info)
{
    char at[CLOCK_TEXT_BYTES];
    if (info->last_error == 0) {
        text_add_str(text, ",\"last_error\":null");
        return;
    }
    clock_format(env->started_wall_ms + (info->last_error_ms - env->started_mono_ms), at);
    add_string(text, ",\"last_error\":{\"code\":", troupe_error_lookup(info->last_error)->code);
    add_string(text, ",\"detail\":", info->last_error_detail);
    add_string(text, ",\"at\":", at);
    text_add_str(text, "}");
}

void actor_doc_short(struct text *text, const struct api_env *env, const troupe_peek *peek, uint64_t now_ms)
{
    add_short(text, env, peek, now_ms);
    text_add_str(text, "}");
}

void actor_doc_full(struct text *text, const struct api_env *env, const troupe_info *info, uint64_t now_ms)
{
    add_short(text, env, &info->peek, now_ms);
    add_refs(text, ",\"links\":[", info->links, info->links_count);
    add_count(text, ",\"links_count\":", info->links_count);
    add_refs(text, ",\"children\":[", info->children, info->children_count);
    add_count(text, ",\"children_count\":", info->children_count);
    add_count(text, ",\"monitors\":", info->monitors_count);
    add_count(text, ",\"monitored_by\":", info->monitored_by_count);
    add_count(text, ",\"timers\":", info->timers_count);
    add_count(text, ",\"open_calls\":", info->calls_count);
    add_count(text, ",\"kept_calls\":", info->kept_count);
    add_count(text, ",\"restarts\":", info->restarts);
    add_last_error(text, env, info);
    add_count(text, ",\"mailbox_bytes\":", info->mailbox_bytes);
    add_count(text, ",\"memory_bytes\":", info->memory_bytes);
    text_add_str(text, "}");
}
