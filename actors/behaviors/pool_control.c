/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pool says of itself, and how it is steered: the types pool.*. They are answered in their order among the jobs,
 * and are never refused for a full queue, a rate or a drain. */
#include "pool_inside.h"

#define STATS_BYTES 1024
#define WORKERS_DEFAULT 100
#define WORKERS_MAX 1000
#define WORKER_BYTES (TROUPE_REF_TEXT_MAX + 192) /* of one in the list */

enum { TYPE_STATS, TYPE_WORKERS, TYPE_RESIZE, TYPE_DRAIN, TYPE_RESUME }; /* the order of the table below */

#define COUNT "{\"type\":\"integer\",\"minimum\":0}"

const troupe_type troupe_pool_types[TROUPE_POOL_TYPES] = {
    [TYPE_STATS] = {.name = "pool.stats",
                    .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                    .summary = "Tell the pool's size, load and counters",
                    .reply_schema = "{\"type\":\"object\",\"properties\":{\"size\":" COUNT ",\"ready\":" COUNT
                                    ",\"waiting\":" COUNT ",\"in_flight\":" COUNT ",\"accepted\":" COUNT
                                    ",\"completed\":" COUNT ",\"failed\":" COUNT ",\"shed\":" COUNT
                                    "},\"required\":[\"size\",\"ready\",\"waiting\",\"in_flight\"]}"},
    [TYPE_WORKERS] = {.name = "pool.workers",
                      .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                      .summary = "List the workers",
                      .body_schema = "{\"type\":\"object\",\"properties\":{\"from\":" COUNT
                                     ",\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}},"
                                     "\"additionalProperties\":false}",
                      .reply_schema = "{\"type\":\"object\",\"properties\":{\"workers\":{\"type\":\"array\"},"
                                      "\"more\":{\"type\":\"boolean\"}},\"required\":[\"workers\",\"more\"]}"},
    [TYPE_RESIZE] = {.name = "pool.resize",
                     .flags = TROUPE_TYPE_IDEMPOTENT,
                     .summary = "Have so many workers; those that go finish what they have",
                     .body_schema = "{\"type\":\"object\",\"properties\":{\"size\":{\"type\":\"integer\","
                                    "\"minimum\":1,\"maximum\":10000}},\"required\":[\"size\"],"
                                    "\"additionalProperties\":false}",
                     .reply_schema = "{\"type\":\"object\",\"properties\":{\"size\":" COUNT ",\"before\":" COUNT
                                     "},\"required\":[\"size\",\"before\"],\"additionalProperties\":false}"},
    [TYPE_DRAIN] = {.name = "pool.drain",
                    .flags = TROUPE_TYPE_IDEMPOTENT,
                    .summary = "Refuse new jobs; the answer comes when none waits or runs",
                    .body_schema = "{\"type\":\"object\",\"properties\":{\"stop\":{\"type\":\"boolean\"}},"
                                   "\"additionalProperties\":false}",
                    .reply_schema = "{\"type\":\"object\",\"properties\":{\"drained\":{\"type\":\"boolean\"}},"
                                    "\"required\":[\"drained\"],\"additionalProperties\":false}"},
    [TYPE_RESUME] = {.name = "pool.resume",
                     .flags = TROUPE_TYPE_IDEMPOTENT,
                     .summary = "Take jobs again after pool.drain",
                     .reply_schema = "{\"type\":\"null\"}"},
};

/* ---- figures ---- */

static void write_figure(troupe_json_writer *writer, const char *name, uint64_t value)
{
    troupe_json_write_key(writer, name);
    troupe_json_write_uint(writer, value);
}

static void write_stats(troupe_json_writer *ret_writer, const troupe_pool *pool, char *buf)
{
    const troupe_pool_stats *stats = &pool->stats;
    troupe_json_writer writer;
    uint64_t done = stats->completed + stats->failed;

    troupe_json_write_init(&writer, buf, STATS_BYTES);
    troupe_json_write_object_begin(&writer);
    write_figure(&writer, "size", stats->size);
    write_figure(&writer, "ready", stats->ready);
    write_figure(&writer, "waiting", stats->waiting);
    write_figure(&writer, "in_flight", stats->in_flight);
    write_figure(&writer, "accepted", stats->accepted);
    write_figure(&writer, "completed", stats->completed);
    write_figure(&writer, "failed", stats->failed);
    write_figure(&writer, "shed", stats->shed);
    write_figure(&writer, "expired", stats->expired);
    write_figure(&writer, "abandoned", stats->abandoned);
    write_figure(&writer, "refused_full", stats->refused_full);
    write_figure(&writer, "refused_rate", stats->refused_rate);
    write_figure(&writer, "refused_draining", stats->refused_draining);
    write_figure(&writer, "refused_invalid", stats->refused_invalid);
    write_figure(&writer, "retried", stats->retried);
    write_figure(&writer, "crashes", stats->crashes);
    write_figure(&writer, "killed", stats->killed);
    write_figure(&writer, "wait_ms_mean", done ? stats->wait_ms_sum / done : 0);
    write_figure(&writer, "wait_ms_max", stats->wait_ms_max);
    write_figure(&writer, "run_ms_mean", done ? stats->run_ms_sum / done : 0);
    write_figure(&writer, "run_ms_max", stats->run_ms_max);
    troupe_json_write_key(&writer, "draining");
    troupe_json_write_bool(&writer, pool->is_draining);
    troupe_json_write_object_end(&writer);
    *ret_writer = writer;
}

static int answer_stats(troupe_ctx *ctx, const troupe_pool *pool, const troupe_msg *msg)
{
    char buf[STATS_BYTES];
    troupe_json_writer writer;

    write_stats(&writer, pool, buf);
    return support_answer(ctx, msg, &writer, buf);
}

int troupe_pool_view(troupe_ctx *ctx, const void *state)
{
    char buf[STATS_BYTES];
    troupe_json_writer writer;
    const troupe_pool *pool = *(troupe_pool *const *)state;
    int rc;

    if (pool == NULL) /* init has not run */
        return troupe_reply(ctx, troupe_body_json("null", 4));
    write_stats(&writer, pool, buf);
    rc = troupe_json_write_end(&writer);
    return rc ? rc : troupe_reply(ctx, troupe_body_json(buf, troupe_json_write_length(&writer)));
}

static void write_worker(troupe_json_writer *writer, const troupe_pool *pool, uint32_t index)
{
    static const char *const words[] = {"empty", "starting", "ready", "stopping", "lost", "waiting"};
    const struct pool_worker *worker = &pool->workers[index];
    bool leaves = worker->state == WORKER_READY && index >= pool->stats.size;
    char ref[TROUPE_REF_TEXT_MAX];
    size_t ref_len = troupe_ref_format(worker->ref, ref);

    troupe_json_write_object_begin(writer);
    write_figure(writer, "index", index);
    troupe_json_write_key(writer, "ref");
    if (worker->state == WORKER_WAITING || worker->state == WORKER_EMPTY)
        troupe_json_write_null(writer);
    else
        troupe_json_write_string(writer, (troupe_view){ref, ref_len});
    troupe_json_write_key(writer, "state");
    troupe_json_write_text(writer, leaves ? "leaving" : words[worker->state]);
    write_figure(writer, "in_flight", worker->in_flight);
    write_figure(writer, "waiting", worker->queue.count);
    write_figure(writer, "done", worker->done);
    write_figure(writer, "restarts", worker->restarts);
    troupe_json_write_object_end(writer);
}

static int answer_workers(troupe_ctx *ctx, const troupe_pool *pool, const troupe_msg *msg)
{
    troupe_json_reader reader;
    troupe_json_string key;
    troupe_json_writer writer;
    uint32_t from = 0, limit = WORKERS_DEFAULT, end;
    char *buf;
    int rc;

    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "from"))
            from = (uint32_t)troupe_json_read_uint(&reader, TROUPE_POOL_SIZE_MAX);
        else if (troupe_json_key_is(&key, "limit"))
            limit = (uint32_t)troupe_json_read_int(&reader, 1, WORKERS_MAX);
        else
            support_unknown_member(&reader);
    }
    if (troupe_json_read_end(&reader) != 0)
        return support_refuse_body(ctx, msg, &reader);
    from = from < pool->places ? from : pool->places;
    end = pool->places - from < limit ? pool->places : from + limit;
    size_t bytes = (size_t)(end - from) * WORKER_BYTES + 64;
    buf = troupe_alloc(bytes);
    if (buf == NULL)
        return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "memory is out");
    troupe_json_write_init(&writer, buf, bytes);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "workers");
    troupe_json_write_array_begin(&writer);
    for (uint32_t i = from; i < end; i++)
        write_worker(&writer, pool, i);
    troupe_json_write_array_end(&writer);
    troupe_json_write_key(&writer, "more");
    troupe_json_write_bool(&writer, end < pool->places);
    troupe_json_write_object_end(&writer);
    rc = support_answer(ctx, msg, &writer, buf);
    troupe_free(buf);
    return rc;
}

/* ---- steering ---- */

static int resize(troupe_ctx *ctx, troupe_pool *pool, const troupe_msg *msg)
{
    troupe_json_reader reader;
    troupe_json_string key;
    troupe_json_writer writer;
    uint32_t size = 0, before = pool->stats.size;
    char buf[64];
    int rc;

    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "size"))
            size = (uint32_t)troupe_json_read_int(&reader, 1, TROUPE_POOL_SIZE_MAX);
        else
            support_unknown_member(&reader);
    }
    if (size == 0)
        support_missing_member(&reader, "size is missing");
    if (troupe_json_read_end(&reader) != 0)
        return support_refuse_body(ctx, msg, &reader);
    rc = troupe_pool_resize(ctx, pool, size);
    if (rc == TROUPE_E_INVALID)
        return support_refuse(ctx, msg, rc, "size x concurrency is more than 15000");
    if (rc == TROUPE_E_NO_MEMORY)
        return support_refuse(ctx, msg, rc, "memory is out");
    if (rc != 0)
        return rc;
    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    write_figure(&writer, "size", pool->stats.size);
    write_figure(&writer, "before", before);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

static const char drained_text[] = "{\"drained\":true}";

void pool_control_drained(troupe_ctx *ctx, troupe_pool *pool)
{
    while (pool->drains_count != 0) {
        int rc = troupe_reply_to(ctx, pool->drains[--pool->drains_count],
                                 troupe_body_json(drained_text, sizeof drained_text - 1));
        (void)rc; /* who asked may have gone */
    }
    if (pool->stops_when_drained)
        troupe_stop_self(ctx, "the pool was drained");
}

static int drain(troupe_ctx *ctx, troupe_pool *pool, const troupe_msg *msg)
{
    troupe_json_reader reader;
    troupe_json_string key;
    bool stops = false;

    support_read(&reader, msg);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "stop"))
            stops = troupe_json_read_bool(&reader);
        else
            support_unknown_member(&reader);
    }
    if (troupe_json_read_end(&reader) != 0)
        return support_refuse_body(ctx, msg, &reader);
    if (msg->kind == TROUPE_MSG_CALL) {
        if (pool->drains_count == TROUPE_POOL_DRAINS_MAX) { /* some of them may have gone */
            uint32_t kept = 0;
            for (uint32_t i = 0; i < pool->drains_count; i++)
                if (troupe_kept_msg(ctx, pool->drains[i]) != NULL)
                    pool->drains[kept++] = pool->drains[i];
            pool->drains_count = kept;
        }
        if (pool->drains_count == TROUPE_POOL_DRAINS_MAX)
            return support_refuse(ctx, msg, TROUPE_E_LIMIT, "as many wait for the end of the drain as may");
        int rc = troupe_reply_keep(ctx, &pool->drains[pool->drains_count]);
        if (rc != 0)
            return support_refuse(ctx, msg, rc, "the call cannot be kept");
        pool->drains_count++;
    }
    pool->is_draining = true;
    pool->stops_when_drained |= stops;
    if (pool->stats.waiting == 0 && pool->stats.in_flight == 0)
        pool_control_drained(ctx, pool);
    return 0;
}

static int resume(troupe_ctx *ctx, troupe_pool *pool, const troupe_msg *msg)
{
    pool->is_draining = pool->stops_when_drained = false;
    while (pool->drains_count != 0) {
        int rc = troupe_reply_app_error_to(ctx, pool->drains[--pool->drains_count], "resumed", 409,
                                           "the pool was resumed before it was drained");
        (void)rc; /* who asked may have gone */
    }
    return msg->kind == TROUPE_MSG_CALL ? support_replied(troupe_reply(ctx, troupe_body_json("null", 4))) : 0;
}

int pool_control(troupe_ctx *ctx, troupe_pool *pool, const troupe_msg *msg)
{
    troupe_view type = troupe_msg_type(msg);
    uint32_t which = 0;

    while (which < TROUPE_POOL_TYPES && !troupe_view_equal(type, troupe_view_of(troupe_pool_types[which].name)))
        which++;
    switch (which) {
    case TYPE_STATS:
        return answer_stats(ctx, pool, msg);
    case TYPE_WORKERS:
        return answer_workers(ctx, pool, msg);
    case TYPE_RESIZE:
        return resize(ctx, pool, msg);
    case TYPE_DRAIN:
        return drain(ctx, pool, msg);
    case TYPE_RESUME:
        return resume(ctx, pool, msg);
    default:
        return support_refuse(ctx, msg, TROUPE_E_UNKNOWN_TYPE, "types that begin with pool. are the pool's own");
    }
}
