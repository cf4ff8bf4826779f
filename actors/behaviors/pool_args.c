/* SPDX-License-Identifier: Apache-2.0
 *
 * The args of a pool; docs/pools.md describes them.
 *
 *   {"worker": {"behavior", "args", "start_timeout_ms", "shutdown_timeout_ms"}, "size", "concurrency",
 *    "routing", "key", "priority", "aging_ms", "queue_max", "shed", "rate": {"per_second", "burst"},
 *    "job_timeout_ms", "retries", "dead_man_ms", "capacity": {"min", "max", "interval_ms", "idle_ms"}} */
#include "pool_inside.h"

#define RATE_MAX 1000000
#define RETRIES_MAX 10
#define DEAD_MAN_MS_MIN 30
#define INTERVAL_MS_MIN 10
#define DAY_MS 86400000

/* Read a word as its place in a list that NULL ends. */
static uint8_t read_word(troupe_json_reader *reader, const char *const *words, const char *reason)
{
    troupe_json_string text = troupe_json_read_string(reader);

    for (uint8_t i = 0; words[i] != NULL; i++)
        if (troupe_json_string_equal(&text, troupe_view_of(words[i])))
            return i;
    troupe_json_fail(reader, TROUPE_E_SCHEMA, reason);
    return 0;
}

struct worker_args {
    char behavior[TROUPE_TYPE_BYTES_MAX + 1];
    size_t behavior_len;
    troupe_view args;
};

static void read_worker(troupe_json_reader *reader, struct pool_config *config, struct worker_args *worker)
{
    troupe_json_string key;

    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, "behavior"))
            worker->behavior_len = troupe_json_read_text(reader, worker->behavior, sizeof worker->behavior);
        else if (troupe_json_key_is(&key, "args"))
            worker->args = troupe_json_read_raw(reader);
        else if (troupe_json_key_is(&key, "start_timeout_ms"))
            config->start_timeout_ms = (uint32_t)troupe_json_read_int(reader, 1, DAY_MS);
        else if (troupe_json_key_is(&key, "shutdown_timeout_ms"))
            config->shutdown_timeout_ms = (uint32_t)troupe_json_read_int(reader, 1, DAY_MS);
        else
            support_unknown_member(reader);
    }
}

static void read_rate(troupe_json_reader *reader, struct pool_config *config)
{
    troupe_json_string key;

    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, "per_second"))
            config->rate_per_second = (uint32_t)troupe_json_read_int(reader, 1, RATE_MAX);
        else if (troupe_json_key_is(&key, "burst"))
            config->rate_burst = (uint32_t)troupe_json_read_int(reader, 1, RATE_MAX);
        else
            support_unknown_member(reader);
    }
    if (config->rate_per_second == 0)
        troupe_json_fail(reader, TROUPE_E_SCHEMA, "per_second is missing");
    if (config->rate_burst == 0)
        config->rate_burst = config->rate_per_second;
}

static void read_capacity(troupe_json_reader *reader, struct pool_config *config)
{
    troupe_json_string key;

    config->capacity_min = 1;
    config->capacity_interval_ms = 1000;
    config->capacity_idle_ms = 10000;
    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, "min"))
            config->capacity_min = (uint32_t)troupe_json_read_int(reader, 1, TROUPE_POOL_SIZE_MAX);
        else if (troupe_json_key_is(&key, "max"))
            config->capacity_max = (uint32_t)troupe_json_read_int(reader, 1, TROUPE_POOL_SIZE_MAX);
        else if (troupe_json_key_is(&key, "interval_ms"))
            config->capacity_interval_ms = (uint32_t)troupe_json_read_int(reader, INTERVAL_MS_MIN, DAY_MS);
        else if (troupe_json_key_is(&key, "idle_ms"))
            config->capacity_idle_ms = (uint32_t)troupe_json_read_int(reader, 0, DAY_MS);
        else
            support_unknown_member(reader);
    }
    if (config->capacity_max == 0)
        troupe_json_fail(reader, TROUPE_E_SCHEMA, "max is missing");
    else if (config->capacity_min > config->capacity_max)
        troupe_json_fail(reader, TROUPE_E_SCHEMA, "min is more than max");
}

static void read_member(troupe_json_reader *reader, const troupe_json_string *key, struct pool_config *config,
                        struct worker_args *worker)
{
    static const char *const routings[] = {"queue", "key", "sticky", "round_robin", "custom", NULL};
    static const char *const sheds[] = {"refuse", "oldest", "newest", NULL};

    if (troupe_json_key_is(key, "worker"))
        read_worker(reader, config, worker);
    else if (troupe_json_key_is(key, "size"))
        config->size = (uint32_t)troupe_json_read_int(reader, 1, TROUPE_POOL_SIZE_MAX);
    else if (troupe_json_key_is(key, "concurrency"))
        config->concurrency = (uint32_t)troupe_json_read_int(reader, 1, 1000);
    else if (troupe_json_key_is(key, "routing"))
        config->routing = read_word(reader, routings, "must be queue, key, sticky, round_robin or custom");
    else if (troupe_json_key_is(key, "key"))
        config->key_len = (uint8_t)troupe_json_read_text(reader, config->key, sizeof config->key);
    else if (troupe_json_key_is(key, "priority"))
        config->priority_len = (uint8_t)troupe_json_read_text(reader, config->priority, sizeof config->priority);
    else if (troupe_json_key_is(key, "aging_ms"))
        config->aging_ms = (uint32_t)troupe_json_read_int(reader, 0, DAY_MS);
    else if (troupe_json_key_is(key, "queue_max"))
        config->queue_max = (uint32_t)troupe_json_read_int(reader, 0, TROUPE_POOL_QUEUE_MAX);
    else if (troupe_json_key_is(key, "shed"))
        config->shed = read_word(reader, sheds, "must be refuse, oldest or newest");
    else if (troupe_json_key_is(key, "rate"))
        read_rate(reader, config);
    else if (troupe_json_key_is(key, "job_timeout_ms"))
        config->job_timeout_ms = (uint32_t)troupe_json_read_int(reader, 1, TROUPE_CALL_TIMEOUT_MS_MAX);
    else if (troupe_json_key_is(key, "retries"))
        config->retries = (uint32_t)troupe_json_read_int(reader, 0, RETRIES_MAX);
    else if (troupe_json_key_is(key, "dead_man_ms"))
        config->dead_man_ms = (uint32_t)troupe_json_read_int(reader, DEAD_MAN_MS_MIN, TROUPE_CALL_TIMEOUT_MS_MAX);
    else if (troupe_json_key_is(key, "capacity"))
        read_capacity(reader, config);
    else
        support_unknown_member(reader);
}

/* What the members say of each other. */
static const char *disagreement(const struct pool_config *config, bool has_custom_route)
{
    bool needs_key = config->routing == ROUTE_KEY || config->routing == ROUTE_STICKY;
    uint32_t most = config->capacity_max > config->size ? config->capacity_max : config->size;

    if (needs_key && config->key_len == 0)
        return "key is missing: the member of a job's body by which it is routed";
    if (!needs_key && config->key_len != 0)
        return "key: only for the routings key and sticky";
    if (config->routing == ROUTE_CUSTOM && !has_custom_route)
        return "routing: custom is for behaviors that bring a router of their own";
    if ((uint64_t)most * config->concurrency > TROUPE_POOL_IN_FLIGHT_MAX)
        return "concurrency: size (or capacity.max) x concurrency is more than 15000";
    if (config->capacity_max && (config->size < config->capacity_min || config->size > config->capacity_max))
        return "size: not in capacity.min ... capacity.max";
    return NULL;
}

static int copy_worker(struct pool_config *config, const struct worker_args *worker)
{
    config->worker = troupe_alloc(worker->behavior_len + 1 + worker->args.len);
    if (config->worker == NULL)
        return TROUPE_E_NO_MEMORY;
    memcpy(config->worker, worker->behavior, worker->behavior_len + 1);
    config->worker_args_at = (uint32_t)worker->behavior_len + 1;
    config->worker_args_len = (uint32_t)worker->args.len;
    if (worker->args.len)
        memcpy(config->worker + config->worker_args_at, worker->args.ptr, worker->args.len);
    return 0;
}

int pool_args_read(troupe_ctx *ctx, struct pool_config *config, const troupe_msg *args, bool has_custom_route)
{
    struct worker_args worker = {.behavior_len = 0};
    troupe_json_reader reader;
    troupe_json_string key;

    *config = (struct pool_config){.concurrency = 1,
                                   .queue_max = TROUPE_POOL_QUEUE_DEFAULT,
                                   .aging_ms = 1000,
                                   .job_timeout_ms = TROUPE_POOL_JOB_TIMEOUT_MS_DEFAULT};
    support_read(&reader, args);
    while (troupe_json_next_member(&reader, &key))
        read_member(&reader, &key, config, &worker);
    if (worker.behavior_len == 0)
        support_missing_member(&reader, "worker is missing: {\"behavior\": ..., \"args\": ...}");
    if (troupe_json_read_end(&reader) != 0)
        return support_fail_args(ctx, &reader);
    if (config->size == 0)
        config->size = config->capacity_max ? config->capacity_min : 1;
    const char *words = disagreement(config, has_custom_route);
    if (words != NULL)
        return troupe_fail(ctx, TROUPE_E_SCHEMA, words);
    return copy_worker(config, &worker);
}
