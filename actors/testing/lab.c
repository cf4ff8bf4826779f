/* SPDX-License-Identifier: Apache-2.0
 *
 * See troupe/testing.h. Public headers only: the lab is a host like any other. */
#include <troupe/testing.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/behaviors.h>
#include <troupe/system.h>

enum {
    ENDS_KEPT = 64, POLLS_MAX = 1000000, /* without time passing: then something spins */
    ANSWER_MS = 5000, SHUTDOWN_MS = 10000
};

#define START_NS UINT64_C(1000000000)
#define NS_IN_MS UINT64_C(1000000)

struct end {
    troupe_ref ref;
    troupe_exit exit;
    char detail[TROUPE_REASON_BYTES_MAX + 1];
};

struct troupe_lab {
    troupe_system *system;
    troupe_worker *worker;
    uint64_t now_ns;
    uint64_t memory_at_start;
    struct end ends[ENDS_KEPT];  /* a ring */
    unsigned ends_count;
    bool is_answered;
    int error;                   /* of a spawn or stop */
    troupe_ref spawned;
    troupe_lab_answer answer;
    char code[TROUPE_TYPE_BYTES_MAX + sizeof "app."], detail[TROUPE_REASON_BYTES_MAX + 1], content_type[128];
    char *body;                  /* owned, of the answer */
    troupe_subscription subscription;
    troupe_lab_event event;
    char event_type[TROUPE_TYPE_BYTES_MAX + 1];
    char *event_body;            /* owned */
};

void troupe_lab_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}

#define FAIL(...) troupe_lab_fail("the lab", __LINE__, __VA_ARGS__)

/* A copy of a view as a C string; replaces what *text was. */
static char *keep(char **text, troupe_view view)
{
    free(*text);
    *text = malloc(view.len + 1);
    if (*text == NULL)
        FAIL("memory is exhausted");
    if (view.len > 0)
        memcpy(*text, view.ptr, view.len);
    (*text)[view.len] = '\0';
    return *text;
}

static void cut(char *text, size_t cap, troupe_view view)
{
    size_t len = view.len < cap ? view.len : cap - 1;
    if (len > 0)
        memcpy(text, view.ptr, len);
    text[len] = '\0';
}

static troupe_body body_of(const char *json)
{
    return json != NULL ? troupe_body_json(json, strlen(json)) : troupe_body_none();
}

/* ---- make and drive ---- */

static void on_ended(void *user, troupe_ref ref, const char *behavior, const troupe_exit *why)
{
    troupe_lab *lab = user;
    struct end *end = &lab->ends[lab->ends_count++ % ENDS_KEPT];
    (void)behavior;
    end->ref = ref;
    end->exit = *why;
    cut(end->detail, sizeof end->detail, why->detail);
    end->exit.detail = troupe_view_of(end->detail);
}

static void on_log(void *user, enum troupe_log_level level, troupe_ref ref, const char *behavior, const char *text)
{
    (void)user, (void)ref;
    if (level >= TROUPE_LOG_WARN)
        fprintf(stderr, "%s: %s\n", behavior, text);
}

static void run(troupe_lab *lab)
{
    for (unsigned polls = 0; troupe_worker_poll(lab->worker, lab->now_ns, 64) == 0; polls++) {
        if (polls == POLLS_MAX)
            FAIL("the actors do not come to rest: do two of them send to each other for ever?");
    }
}

/* The next deadline, or until_ns. False: that is where time is. */
static bool step(troupe_lab *lab, uint64_t until_ns)
{
    run(lab);
    uint64_t delay_ns = troupe_worker_poll(lab->worker, lab->now_ns, 64), left_ns = until_ns - lab->now_ns;
    if (left_ns == 0)
        return false;
    lab->now_ns += delay_ns < left_ns ? delay_ns : left_ns;
    return true;
}

void troupe_lab_advance(troupe_lab *lab, uint64_t ms)
{
    uint64_t until_ns = lab->now_ns + ms * NS_IN_MS;
    while (step(lab, until_ns))
        ;
    run(lab);
}

static void await(troupe_lab *lab, uint64_t ms)
{
    uint64_t until_ns = lab->now_ns + ms * NS_IN_MS;
    run(lab);
    while (!lab->is_answered && step(lab, until_ns))
        ;
    if (!lab->is_answered)
        FAIL("no answer came");
}

static void add_exported(troupe_lab *lab, const troupe_export *exported)
{
    if (exported->magic != TROUPE_EXPORT_MAGIC || exported->abi != TROUPE_BEHAVIOR_ABI)
        FAIL("the behaviors were exported for another version of the headers");
    for (uint32_t i = 0; i < exported->count; i++) {
        const troupe_behavior *behavior = exported->behaviors[i];
        int error = troupe_system_add_behavior(lab->system, behavior);
        if (error != 0)
            FAIL("behavior %u (%s) is refused: %s", i + 1, behavior->name != NULL ? behavior->name : "without a name",
                 error == TROUPE_E_NAME_TAKEN ? "there is one of this name"
                                              : "its head, name, version, receive or a message type is not right");
    }
}

troupe_lab *troupe_lab_new(const troupe_export *exported)
{
    troupe_stats stats;
    troupe_lab *lab = calloc(1, sizeof *lab);
    if (lab == NULL)
        FAIL("memory is exhausted");
    lab->now_ns = START_NS;
    const troupe_system_config config = {
        .workers = 1, .node = 1, .seed = 1, .actors_max = 65536, .user = lab, .ended = on_ended, .log = on_log,
    };
    if (troupe_system_new(&config, &lab->system) != 0)
        FAIL("memory is exhausted");
    const troupe_behavior *standard;
    for (unsigned i = 0; (standard = troupe_behaviors_at(i)) != NULL; i++) {
        if (troupe_system_add_behavior(lab->system, standard) != 0)
            FAIL("the standard behavior %s is refused", standard->name);
    }
    if (exported != NULL)
        add_exported(lab, exported);
    lab->worker = troupe_system_worker(lab->system, 0);
    troupe_worker_set_now(lab->worker, lab->now_ns);
    run(lab);
    troupe_system_stats(lab->system, &stats);
    lab->memory_at_start = stats.memory_bytes;
    return lab;
}

int troupe_lab_free(troupe_lab *lab)
{
    troupe_stats stats;
    int status = 0;
    troupe_unsubscribe(&lab->subscription);
    troupe_system_shutdown(lab->worker, TROUPE_STOP, SHUTDOWN_MS / 2);
    troupe_lab_advance(lab, SHUTDOWN_MS);
    troupe_system_stats(lab->system, &stats);
    if (stats.actors > 0 || stats.memory_bytes > lab->memory_at_start) {
        fprintf(stderr, "%llu actors did not end and %lld bytes were not given back: does fini free all that the state "
                        "owns?\n", (unsigned long long)stats.actors,
                (long long)(stats.memory_bytes - lab->memory_at_start));
        status = 1;
    }
    troupe_system_free(lab->system);
    free(lab->body);
    free(lab->event_body);
    free(lab);
    return status;
}

/* ---- actors ---- */

static void on_result(troupe_request *request, const troupe_answer *answer)
{
    troupe_lab *lab = request->user;
    lab->is_answered = true;
    lab->error = answer->error;
    lab->spawned = answer->ref;
    cut(lab->detail, sizeof lab->detail, answer->detail);
}

int troupe_lab_try_spawn(troupe_lab *lab, const troupe_spawn_opts *opts, troupe_ref *ret_ref)
{
    troupe_request request = {.user = lab};
    lab->is_answered = false;
    troupe_request_spawn(lab->worker, &request, on_result, opts);
    await(lab, (opts->start_timeout_ms != 0 ? opts->start_timeout_ms : TROUPE_START_TIMEOUT_MS_DEFAULT) + ANSWER_MS);
    if (lab->error == 0)
        *ret_ref = lab->spawned;
    return lab->error;
}

troupe_ref troupe_lab_spawn(troupe_lab *lab, const char *behavior, const char *args)
{
    troupe_ref ref = {0};
    const troupe_spawn_opts opts = {.behavior = behavior, .args = body_of(args)};
    int error = troupe_lab_try_spawn(lab, &opts, &ref);
    if (error != 0)
        FAIL("%s does not start with the args %s: %s (%s)", behavior, args != NULL ? args : "(none)",
             troupe_error_lookup(error)->code, lab->detail);
    return ref;
}

int troupe_lab_stop(troupe_lab *lab, troupe_ref ref, enum troupe_stop_mode mode)
{
    troupe_request request = {.user = lab};
    lab->is_answered = false;
    troupe_request_stop(lab->worker, &request, on_result, ref, mode, troupe_view_of("the test says so"), ANSWER_MS);
    await(lab, 2 * ANSWER_MS);
    return lab->error;
}

bool troupe_lab_is_alive(troupe_lab *lab, troupe_ref ref)
{
    troupe_peek peek;
    return troupe_system_peek(lab->system, ref, &peek) == 0;
}

const troupe_exit *troupe_lab_end(troupe_lab *lab, troupe_ref ref)
{
    for (unsigned i = 0; i < ENDS_KEPT && i < lab->ends_count; i++) {
        if (troupe_ref_equal(lab->ends[i].ref, ref))
            return &lab->ends[i].exit;
    }
    return NULL;
}

/* ---- messages ---- */

static void on_answer(troupe_request *request, const troupe_answer *answer)
{
    troupe_lab *lab = request->user;
    lab->is_answered = true;
    lab->code[0] = '\0';
    if (answer->error == TROUPE_E_APP)
        snprintf(lab->code, sizeof lab->code, "app.%.*s", (int)answer->app_code.len, answer->app_code.ptr);
    else if (answer->error != 0)
        snprintf(lab->code, sizeof lab->code, "%s", troupe_error_lookup(answer->error)->code);
    cut(lab->detail, sizeof lab->detail, answer->detail);
    cut(lab->content_type, sizeof lab->content_type, troupe_view_of(answer->content_type));
    lab->answer = (troupe_lab_answer){
        .error = answer->error, .app_status = answer->app_status, .code = lab->code, .detail = lab->detail,
        .body = keep(&lab->body, answer->body), .body_len = answer->body.len,
        .content_type = answer->content_type != NULL ? lab->content_type : NULL,
    };
}

const troupe_lab_answer *troupe_lab_call(troupe_lab *lab, troupe_ref ref, const char *type, const char *body)
{
    troupe_request request = {.user = lab};
    lab->is_answered = false;
    troupe_request_call(lab->worker, &request, on_answer, ref, troupe_view_of(type), body_of(body), (troupe_caller){0},
                        ANSWER_MS);
    await(lab, 2 * ANSWER_MS);
    return &lab->answer;
}

int troupe_lab_cast(troupe_lab *lab, troupe_ref ref, const char *type, const char *body)
{
    int error = troupe_worker_cast(lab->worker, ref, troupe_view_of(type), body_of(body), (troupe_caller){0});
    run(lab);
    return error;
}

/* ---- events ---- */

static void on_event(troupe_subscription *subscription) { (void)subscription; /* it is read when the test asks */ }

void troupe_lab_follow(troupe_lab *lab, troupe_ref ref)
{
    troupe_unsubscribe(&lab->subscription);
    lab->subscription = (troupe_subscription){.user = lab, .ready = on_event};
    int error = troupe_subscribe(lab->worker, &lab->subscription, ref, TROUPE_FROM_NOW, (troupe_event_id){0});
    if (error != 0)
        FAIL("the actor cannot be followed: %s", troupe_error_lookup(error)->code);
}

const troupe_lab_event *troupe_lab_next_event(troupe_lab *lab)
{
    troupe_event event;
    run(lab);
    if (lab->subscription.topic == NULL || troupe_subscription_read(&lab->subscription, &event) != 1)
        return NULL;
    cut(lab->event_type, sizeof lab->event_type, event.type);
    lab->event = (troupe_lab_event){.type = lab->event_type, .body = keep(&lab->event_body, event.body)};
    return &lab->event;
}

/* ---- what must hold ---- */

static const char *shown(const char *body) { return body != NULL ? body : "(no body)"; }

void troupe_lab_expect_reply(const char *file, int line, troupe_lab *lab, troupe_ref ref, const char *type,
                             const char *body, const char *reply)
{
    const troupe_lab_answer *answer = troupe_lab_call(lab, ref, type, body);
    if (answer->error != 0)
        troupe_lab_fail(file, line, "%s %s is answered with the error %s (%s), not with %s", type, shown(body),
                        answer->code, answer->detail, shown(reply));
    if (strcmp(answer->body, reply != NULL ? reply : "") != 0)
        troupe_lab_fail(file, line, "%s %s is answered with %s, not with %s", type, shown(body), answer->body,
                        shown(reply));
}

void troupe_lab_expect_error(const char *file, int line, troupe_lab *lab, troupe_ref ref, const char *type,
                             const char *body, const char *code)
{
    const troupe_lab_answer *answer = troupe_lab_call(lab, ref, type, body);
    if (answer->error == 0)
        troupe_lab_fail(file, line, "%s %s is answered with %s, not with the error %s", type, shown(body),
                        answer->body, code);
    if (strcmp(answer->code, code) != 0)
        troupe_lab_fail(file, line, "%s %s is answered with the error %s (%s), not with %s", type, shown(body),
                        answer->code, answer->detail, code);
}
