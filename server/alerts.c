/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts.h"

#include <stdlib.h>
#include <string.h>

#include "api/actor_doc.h"
#include "base/clock.h"
#include "base/log.h"

enum { DEAD_BYTES = 512 };

/* How many were told in this second, and how many were not since the last one. Advisory: two may tell one more. */
static _Atomic uint64_t dead_second;
static _Atomic uint32_t dead_told, dead_suppressed;

static uint64_t wall_of(const struct api_env *env, uint64_t mono_ms)
{
    return env->started_wall_ms + (mono_ms - env->started_mono_ms);
}

json_t *alerts_alarm_doc(const struct api_env *env, const troupe_alarm *alarm)
{
    char ref[TROUPE_REF_TEXT_MAX], since[CLOCK_TEXT_BYTES];
    troupe_ref_format(alarm->actor, ref);
    clock_format(wall_of(env, alarm->since_ms), since);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "kind", troupe_alarm_word(alarm->kind), "actor", ref, "behavior",
                     alarm->behavior, "value", (json_int_t)alarm->value, "threshold", (json_int_t)alarm->threshold,
                     "since", since);
}

static void log_alarm(const troupe_alarm *alarm, bool is_set)
{
    char ref[TROUPE_REF_TEXT_MAX];
    troupe_ref_format(alarm->actor, ref);
    const struct log_field fields[] = {
        {"alarm", troupe_alarm_word(alarm->kind)}, {"actor", ref}, {"behavior", alarm->behavior}, {NULL, NULL},
    };
    log_write(is_set ? TROUPE_LOG_WARN : TROUPE_LOG_INFO, is_set ? "an alarm is set" : "an alarm is over", fields);
}

void alerts_on_alarm(const struct api_env *env, const troupe_alarm *alarm, bool is_set)
{
    log_alarm(alarm, is_set);
    if (env->events == NULL)
        return;
    json_t *doc = alerts_alarm_doc(env, alarm);
    char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (text == NULL || troupe_topic_publish(env->events, troupe_view_of(is_set ? "alarm_set" : "alarm_cleared"),
                                             troupe_body_json(text, strlen(text)), NULL) != 0)
        log_printf(TROUPE_LOG_ERROR, "an alarm could not be told: memory is exhausted");
    free(text);
}

/* May one more be told in this second? */
static bool take_dead(uint64_t now_ms)
{
    uint64_t second = now_ms / 1000;
    if (atomic_load_explicit(&dead_second, memory_order_relaxed) != second) {
        atomic_store_explicit(&dead_second, second, memory_order_relaxed);
        atomic_store_explicit(&dead_told, 0, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&dead_told, 1, memory_order_relaxed) < ALERTS_DEAD_PER_S)
        return true;
    atomic_fetch_add_explicit(&dead_suppressed, 1, memory_order_relaxed);
    return false;
}

void alerts_on_dead_letter(const struct api_env *env, troupe_ref to, troupe_ref from, const char *type, int error)
{
    char bytes[DEAD_BYTES], at[CLOCK_TEXT_BYTES];
    struct text text;
    uint64_t now_ms = clock_now_ms();
    if (env->dead == NULL || !take_dead(now_ms))
        return;
    clock_format(wall_of(env, now_ms), at);
    text_init_fixed(&text, bytes, sizeof bytes);
    text_add_str(&text, "{\"to\":");
    actor_doc_ref(&text, to);
    text_add_str(&text, ",\"from\":");
    actor_doc_ref(&text, from);
    text_add_str(&text, ",\"type\":");
    text_add_json(&text, troupe_view_of(type));
    text_printf(&text, ",\"error\":\"%s\",\"at\":\"%s\",\"suppressed\":%u}", troupe_error_lookup(error)->code, at,
                (unsigned)atomic_exchange_explicit(&dead_suppressed, 0, memory_order_relaxed));
    int rc = text.failed ? 0 : troupe_topic_publish(env->dead, troupe_view_of("dead_letter"),
                                                    troupe_body_json(bytes, text.len), NULL);
    (void)rc; /* without memory it is in the metrics alone */
}
