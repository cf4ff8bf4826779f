/* SPDX-License-Identifier: Apache-2.0
 *
 * The core and the standard behaviors as a wasm module: what a JavaScript host sees of them.
 *
 * An instance is one system with one worker. The host drives it: it says what time it is and is told when to come
 * again. Nothing in here waits, and no export may be called from inside an import.
 *
 *   imports, all of them
 *     env.done(request, error, head, head_len, body, body_len)   a request has ended; the bytes live during the call
 *     env.log(level, text, text_len)                             an actor said something
 *
 *   exports                                               (texts and bodies are pointer and length)
 *     troupe_wasm_new(seed, actors_max, memory_max)       make the system; 0 or an error
 *     troupe_wasm_end()                                   end all actors and free everything; open requests are dropped
 *     troupe_wasm_alloc(len), troupe_wasm_free(ptr, len)  room for what the host passes in; 0: no memory
 *     troupe_wasm_spawn(request, json, timeout_ms)        {"behavior", "name", "args", "restart"}
 *     troupe_wasm_call(request, to, type, content_type, body, timeout_ms)
 *     troupe_wasm_stop(request, to, mode, timeout_ms)     mode: enum troupe_stop_mode
 *     troupe_wasm_cast(to, type, content_type, body)      0 or an error
 *     troupe_wasm_poll(now_ms)                            run what is due; ms until the next deadline, 0: more to do,
 *                                                         infinity: nothing is waiting
 *     troupe_wasm_error_code(error)                       a row of the error table: its code, with a zero ...
 *     troupe_wasm_error_status(error)                     ... and its HTTP status
 *     troupe_wasm_actors(), troupe_wasm_heap_bytes()      living actors; heap bytes in use
 *     troupe_wasm_fail_after(n)                           tests: the n-th allocation from now fails
 *
 * The host numbers its requests as it likes, as `done` may run before the export that began the request returns. An
 * error from spawn, call or stop itself means that the request did not begin and `done` will not run. `head` is a JSON
 * object: {"ref"} of a spawned actor, {"content_type"} of a reply, or {"code", "status", "detail"} of an error, in the
 * words of the REST edge ("app.conflict", 409). Times are milliseconds on any monotonic clock, as doubles.
 *
 * Thread: the instance's only one. */
#include <troupe/behaviors.h>
#include <troupe/json.h>
#include <troupe/mem.h>
#include <troupe/system.h>

#include "port/port_wasm.h"

#define EXPORT(name) __attribute__((export_name(#name), visibility("default")))
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

#define TURNS_PER_POLL 1000u
#define NS_PER_MS 1e6
#define SEED_LIMIT 9007199254740992.0 /* 2^53: the integers that a double holds exactly */
#define MEMORY_LIMIT 4294967296.0     /* bytes that wasm32 can address */
#define HEAD_BYTES_MAX (6u * TROUPE_REASON_BYTES_MAX + 2u * TROUPE_CONTENT_TYPE_BYTES_MAX + 128u)

IMPORT(done)
void host_done(uint32_t request, int error, const char *head, size_t head_len, const char *body, size_t body_len);
IMPORT(log)
void host_log(int level, const char *text, size_t text_len);

struct request {
    troupe_request base;
    uint32_t id;                    /* the host's number */
    struct request *next, *previous; /* in the list of open requests */
};

static troupe_system *the_system;
static troupe_worker *the_worker;
static struct request *open_requests; /* owned */

/* ---- answers ---- */

static void write_error(troupe_json_writer *writer, const troupe_answer *answer)
{
    const troupe_error_info *info = troupe_error_lookup(answer->error);
    char code[TROUPE_TYPE_BYTES_MAX + sizeof "app."];
    size_t len = answer->app_code.len < TROUPE_TYPE_BYTES_MAX ? answer->app_code.len : TROUPE_TYPE_BYTES_MAX;

    troupe_json_write_key(writer, "code");
    if (answer->error == TROUPE_E_APP) {
        memcpy(code, "app.", 4);
        memcpy(code + 4, answer->app_code.ptr, len);
        troupe_json_write_string(writer, (troupe_view){.ptr = code, .len = len + 4});
    } else {
        troupe_json_write_text(writer, info->code);
    }
    troupe_json_write_key(writer, "status");
    troupe_json_write_int(writer, answer->error == TROUPE_E_APP ? answer->app_status : info->http_status);
    troupe_json_write_key(writer, "detail");
    troupe_json_write_string(writer, answer->detail);
}

static size_t write_head(char *buf, const troupe_answer *answer)
{
    troupe_json_writer writer;
    char ref[TROUPE_REF_TEXT_MAX];

    troupe_json_write_init(&writer, buf, HEAD_BYTES_MAX);
    troupe_json_write_object_begin(&writer);
    if (answer->error != 0)
        write_error(&writer, answer);
    if (troupe_ref_is_actor(answer->ref)) {
        troupe_json_write_key(&writer, "ref");
        troupe_json_write_string(&writer, (troupe_view){.ptr = ref, .len = troupe_ref_format(answer->ref, ref)});
    }
    if (answer->content_type != NULL) {
        troupe_json_write_key(&writer, "content_type");
        troupe_json_write_text(&writer, answer->content_type);
    }
    troupe_json_write_object_end(&writer);
    if (troupe_json_write_end(&writer) != 0) { /* a detail that is not UTF-8: words are worth less than an answer */
        memcpy(buf, "{}", 2);
        return 2;
    }
    return troupe_json_write_length(&writer);
}

static void request_free(struct request *request)
{
    if (request->next != NULL)
        request->next->previous = request->previous;
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        open_requests = request->next;
    troupe__port_free(request, sizeof *request);
}

static void on_done(troupe_request *base, const troupe_answer *answer)
{
    struct request *request = base->user;
    uint32_t id = request->id;
    char head[HEAD_BYTES_MAX];
    size_t head_len = write_head(head, answer);

    request_free(request);
    host_done(id, answer->error, head, head_len, answer->body.ptr, answer->body.len);
}

static struct request *request_new(uint32_t id)
{
    struct request *request = troupe__port_alloc_zeroed(sizeof *request);

    if (request == NULL)
        return NULL;
    request->base.user = request;
    request->id = id;
    request->next = open_requests;
    if (open_requests != NULL)
        open_requests->previous = request;
    open_requests = request;
    return request;
}

static void on_log(void *user, enum troupe_log_level level, troupe_ref actor, const char *behavior, const char *text)
{
    (void)user;
    (void)actor;
    (void)behavior;
    host_log((int)level, text, strlen(text));
}

/* ---- arguments ---- */

/* "@name" or the text of a reference. */
static int resolve(const char *to, size_t to_len, troupe_ref *ret_ref)
{
    if (to_len > 1 && to[0] == '@')
        return troupe_system_whereis(the_system, (troupe_view){.ptr = to + 1, .len = to_len - 1}, ret_ref);
    return troupe_ref_parse(to, to_len, ret_ref);
}

static bool copy_content_type(const char *ptr, size_t len, char *buf)
{
    if (len > TROUPE_CONTENT_TYPE_BYTES_MAX)
        return false;
    memcpy(buf, ptr, len);
    buf[len] = '\0';
    return true;
}

/* The strings that a spawn's options point to. */
struct spawn_texts {
    char behavior[TROUPE_TYPE_BYTES_MAX + 1];
    char name[TROUPE_NAME_BYTES_MAX + 1];
    char restart[16];
};

static int read_spawn(const char *json, size_t json_len, struct spawn_texts *texts, troupe_spawn_opts *opts)
{
    troupe_json_reader reader;
    troupe_json_string key;
    troupe_view args = {0}, restart;

    troupe_json_read_init(&reader, json, json_len);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "behavior"))
            troupe_json_read_text(&reader, texts->behavior, sizeof texts->behavior);
        else if (troupe_json_key_is(&key, "name"))
            opts->name = (troupe_view){.ptr = texts->name,
                                       .len = troupe_json_read_text(&reader, texts->name, sizeof texts->name)};
        else if (troupe_json_key_is(&key, "args"))
            args = troupe_json_read_raw(&reader);
        else if (troupe_json_key_is(&key, "restart"))
            troupe_json_read_text(&reader, texts->restart, sizeof texts->restart);
        else
            troupe_json_fail(&reader, TROUPE_E_SCHEMA, "there is no such member");
    }
    restart = troupe_view_of(texts->restart);
    if (troupe_view_equal(restart, troupe_view_of("permanent")))
        opts->restart = TROUPE_PERMANENT;
    else if (troupe_view_equal(restart, troupe_view_of("transient")))
        opts->restart = TROUPE_TRANSIENT;
    opts->behavior = texts->behavior;
    opts->args = troupe_body_json(args.ptr != NULL ? args.ptr : "", args.len);
    return troupe_json_read_end(&reader);
}

/* ---- life ---- */

EXPORT(troupe_wasm_new)
int wasm_new(double seed, uint32_t actors_max, double memory_max)
{
    troupe_system_config config = {.workers = 1, .actors_max = actors_max, .log = on_log};
    int rc;

    if (the_system != NULL || !(seed >= 1 && seed < SEED_LIMIT) || !(memory_max >= 0 && memory_max < MEMORY_LIMIT))
        return TROUPE_E_INVALID;
    config.node = config.seed = (uint64_t)seed;
    config.memory_max = (uint64_t)memory_max;
    rc = troupe_system_new(&config, &the_system);
    if (rc != 0)
        return rc;
    the_worker = troupe_system_worker(the_system, 0);
    for (unsigned i = 0; rc == 0 && troupe_behaviors_at(i) != NULL; i++)
        rc = troupe_system_add_behavior(the_system, troupe_behaviors_at(i));
    if (rc != 0) {
        troupe_system_free(the_system);
        the_system = NULL;
    }
    return rc;
}

EXPORT(troupe_wasm_end)
void wasm_end(void)
{
    while (open_requests != NULL) {
        troupe_request_cancel(&open_requests->base);
        request_free(open_requests);
    }
    troupe_system_free(the_system);
    the_system = NULL;
}

EXPORT(troupe_wasm_alloc)
void *wasm_alloc(size_t len) { return troupe__port_alloc(len); }

EXPORT(troupe_wasm_free)
void wasm_free(void *ptr, size_t len) { troupe__port_free(ptr, len); }

EXPORT(troupe_wasm_fail_after)
void wasm_fail_after(uint32_t n) { troupe__port_fail_after(n); }

/* ---- ask ---- */

EXPORT(troupe_wasm_spawn)
int wasm_spawn(uint32_t id, const char *json, size_t json_len, uint32_t timeout_ms)
{
    struct spawn_texts texts = {0};
    troupe_spawn_opts opts = {.start_timeout_ms = timeout_ms};
    int rc = read_spawn(json, json_len, &texts, &opts);
    struct request *request;

    if (rc != 0)
        return rc;
    request = request_new(id);
    if (request == NULL)
        return TROUPE_E_NO_MEMORY;
    troupe_request_spawn(the_worker, &request->base, on_done, &opts);
    return 0;
}

EXPORT(troupe_wasm_call)
int wasm_call(uint32_t id, const char *to, size_t to_len, const char *type, size_t type_len, const char *content_type,
              size_t content_type_len, const char *body, size_t body_len, uint32_t timeout_ms)
{
    char content_type_text[TROUPE_CONTENT_TYPE_BYTES_MAX + 1];
    struct request *request;
    troupe_ref ref;
    int rc = resolve(to, to_len, &ref);

    if (rc != 0)
        return rc;
    if (!copy_content_type(content_type, content_type_len, content_type_text))
        return TROUPE_E_TOO_LARGE;
    request = request_new(id);
    if (request == NULL)
        return TROUPE_E_NO_MEMORY;
    troupe_request_call(the_worker, &request->base, on_done, ref, (troupe_view){.ptr = type, .len = type_len},
                        troupe_body_bytes(body, body_len, content_type_len != 0 ? content_type_text : NULL),
                        (troupe_caller){0}, timeout_ms);
    return 0;
}

EXPORT(troupe_wasm_stop)
int wasm_stop(uint32_t id, const char *to, size_t to_len, uint32_t mode, uint32_t timeout_ms)
{
    struct request *request;
    troupe_ref ref;
    int rc = mode <= TROUPE_KILL ? resolve(to, to_len, &ref) : TROUPE_E_INVALID;

    if (rc != 0)
        return rc;
    request = request_new(id);
    if (request == NULL)
        return TROUPE_E_NO_MEMORY;
    troupe_request_stop(the_worker, &request->base, on_done, ref, (enum troupe_stop_mode)mode, (troupe_view){0},
                        timeout_ms);
    return 0;
}

EXPORT(troupe_wasm_cast)
int wasm_cast(const char *to, size_t to_len, const char *type, size_t type_len, const char *content_type,
              size_t content_type_len, const char *body, size_t body_len)
{
    char content_type_text[TROUPE_CONTENT_TYPE_BYTES_MAX + 1];
    troupe_ref ref;
    int rc = resolve(to, to_len, &ref);

    if (rc != 0)
        return rc;
    if (!copy_content_type(content_type, content_type_len, content_type_text))
        return TROUPE_E_TOO_LARGE;
    return troupe_worker_cast(the_worker, ref, (troupe_view){.ptr = type, .len = type_len},
                              troupe_body_bytes(body, body_len, content_type_len != 0 ? content_type_text : NULL),
                              (troupe_caller){0});
}

/* ---- drive and observe ---- */

EXPORT(troupe_wasm_poll)
double wasm_poll(double now_ms)
{
    uint64_t delay_ns = troupe_worker_poll(the_worker, (uint64_t)(now_ms * NS_PER_MS), TURNS_PER_POLL);

    return delay_ns == TROUPE_NEVER ? __builtin_inf() : (double)delay_ns / NS_PER_MS;
}

EXPORT(troupe_wasm_error_code)
const char *wasm_error_code(int error) { return troupe_error_lookup(error)->code; }

EXPORT(troupe_wasm_error_status)
int wasm_error_status(int error) { return troupe_error_lookup(error)->http_status; }

EXPORT(troupe_wasm_actors)
uint32_t wasm_actors(void)
{
    troupe_stats stats;

    troupe_system_stats(the_system, &stats);
    return (uint32_t)stats.actors;
}

EXPORT(troupe_wasm_heap_bytes)
uint32_t wasm_heap_bytes(void) { return troupe__port_in_use(); }
