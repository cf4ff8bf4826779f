/* SPDX-License-Identifier: Apache-2.0
 *
 * See lab.h. Events in the log: i init, n note, q ask, t timer, d down, r reply, l name lost, s stop hook, f fini,
 * x end. */
#include "lib/lab.h"

#include <stdio.h>

#define START_NS UINT64_C(1000000000)

struct state {
    struct puppet *puppet;
};

static void note(struct puppet *puppet, char event)
{
    size_t len = strlen(puppet->lab->log);

    if (len + 3 < sizeof puppet->lab->log) {
        puppet->lab->log[len] = puppet->letter;
        puppet->lab->log[len + 1] = event;
        puppet->lab->log[len + 2] = '\0';
    }
}

static int run_fn(puppet_fn fn, troupe_ctx *ctx, struct puppet *puppet) { return fn != NULL ? fn(ctx, puppet) : 0; }

/* ---- the behavior ---- */

static int init(troupe_ctx *ctx, void *memory, const troupe_msg *args)
{
    struct state *state = memory;

    assert_null(state->puppet);
    assert_int_equal(args->kind, TROUPE_MSG_ARGS);
    assert_int_equal(args->body_len, sizeof state->puppet);
    memcpy(&state->puppet, args->body, sizeof state->puppet);
    state->puppet->ref = troupe_self(ctx);
    state->puppet->inits++;
    note(state->puppet, 'i');
    return run_fn(state->puppet->on_init, ctx, state->puppet);
}

static int receive(troupe_ctx *ctx, void *memory, const troupe_msg *msg)
{
    struct puppet *puppet = ((struct state *)memory)->puppet;
    puppet_fn fn;

    puppet->msg = msg;
    if (msg->kind == TROUPE_MSG_TIMER) {
        puppet->timers++;
        note(puppet, 't');
        return run_fn(puppet->on_timer, ctx, puppet);
    }
    if (msg->kind == TROUPE_MSG_WRITABLE) {
        puppet->writables++;
        return 0;
    }
    if (msg->kind == TROUPE_MSG_NAME_LOST) {
        puppet->names_lost++;
        note(puppet, 'l');
        return run_fn(puppet->on_note, ctx, puppet);
    }
    if (msg->kind == TROUPE_MSG_EVENT || msg->kind == TROUPE_MSG_GROUP) {
        assert_non_null(puppet->on_event);
        return puppet->on_event(ctx, puppet);
    }
    switch (msg->op) {
    case 0: /* do */
        memcpy(&fn, msg->body, sizeof fn);
        return fn(ctx, puppet);
    case 1: /* note */
        puppet->notes++;
        note(puppet, 'n');
        return run_fn(puppet->on_note, ctx, puppet);
    case 2: /* ask */
        puppet->asks++;
        note(puppet, 'q');
        if (puppet->on_ask != NULL)
            return puppet->on_ask(ctx, puppet);
        return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_of(msg)) : 0;
    default:
        fail_msg("a type that is not in the table came in");
        return 0;
    }
}

static int down(troupe_ctx *ctx, void *memory, const troupe_down *event)
{
    struct puppet *puppet = ((struct state *)memory)->puppet;

    puppet->downs++;
    puppet->down = *event;
    puppet->down.exit.detail = troupe_view_of("");
    note(puppet, 'd');
    return run_fn(puppet->on_down, ctx, puppet);
}

static int child(troupe_ctx *ctx, void *memory, const troupe_child_event *event)
{
    struct puppet *puppet = ((struct state *)memory)->puppet;

    puppet->started += event->what == TROUPE_CHILD_STARTED;
    puppet->restarting += event->what == TROUPE_CHILD_RESTARTING;
    puppet->ended += event->what == TROUPE_CHILD_ENDED;
    puppet->child = *event;
    puppet->child.exit.detail = troupe_view_of("");
    return run_fn(puppet->on_child, ctx, puppet);
}

static void stop(troupe_ctx *ctx, void *memory, const troupe_exit *exit)
{
    struct puppet *puppet = ((struct state *)memory)->puppet;

    (void)exit;
    puppet->stops++;
    note(puppet, 's');
    (void)run_fn(puppet->on_stop, ctx, puppet);
}

static void fini(void *memory)
{
    struct puppet *puppet = ((struct state *)memory)->puppet;

    if (puppet == NULL)
        return; /* init never ran */
    puppet->finis++;
    note(puppet, 'f');
}

static const troupe_type types[] = {
    {.name = "do", .flags = TROUPE_TYPE_CAST, .summary = "run a function"},
    {.name = "note", .flags = TROUPE_TYPE_CAST, .summary = "be counted"},
    {.name = "ask", .summary = "be answered"},
};

#define BEHAVIOR(word, bits)                                                                                           \
    {                                                                                                                  \
        TROUPE_BEHAVIOR_HEAD, .name = word, .version = "1.0.0", .summary = "does what the test says", .types = types,  \
                              .types_count = 3, .state_bytes = sizeof(struct state), .flags = bits, .init = init,      \
                              .receive = receive, .down = down, .child = child, .stop = stop, .fini = fini             \
    }
static const troupe_behavior puppet_behavior = BEHAVIOR("puppet", TROUPE_BEHAVIOR_WRITABLE | TROUPE_BEHAVIOR_NAME_LOST);
static const troupe_behavior trap_behavior = BEHAVIOR("trap", TROUPE_BEHAVIOR_TRAP_EXIT);

/* ---- the system ---- */

static void on_ended(void *user, troupe_ref ref, const char *behavior, const troupe_exit *exit)
{
    struct lab *lab = user;

    (void)behavior;
    for (struct puppet *puppet = lab->puppets; puppet != NULL; puppet = puppet->next)
        if (troupe_ref_equal(puppet->ref, ref)) {
            puppet->ends++;
            puppet->exit = *exit;
            puppet->exit.detail = troupe_view_of("");
            note(puppet, 'x');
        }
}

static void on_dead_letter(void *user, troupe_ref to, troupe_ref from, const char *type, int error)
{
    struct lab *lab = user;

    (void)to, (void)type, (void)error;
    lab->dead_letters++;
    lab->dead_letter_from = from;
}

void lab_open_with(struct lab *lab, troupe_system_config config)
{
    troupe_stats stats;

    memset(lab, 0, sizeof *lab);
    lab->now_ns = START_NS;
    config.node = 1;
    config.seed = 1;
    config.user = lab;
    config.ended = on_ended;
    config.dead_letter = on_dead_letter;
    assert_int_equal(troupe_system_new(&config, &lab->system), 0);
    assert_int_equal(troupe_system_add_behavior(lab->system, &puppet_behavior), 0);
    assert_int_equal(troupe_system_add_behavior(lab->system, &trap_behavior), 0);
    lab->worker = troupe_system_worker(lab->system, 0);
    troupe_worker_set_now(lab->worker, lab->now_ns);
    lab_run(lab);
    troupe_system_stats(lab->system, &stats);
    lab->baseline = stats.memory_bytes;
}

void lab_open(struct lab *lab) { lab_open_with(lab, (troupe_system_config){.no_inline = true, .actors_max = 4096}); }

void lab_close(struct lab *lab)
{
    troupe_stats stats;

    troupe_system_shutdown(lab->worker, TROUPE_STOP, 1000);
    lab_run(lab);
    lab_pass(lab, 2000);
    troupe_system_stats(lab->system, &stats);
    assert_int_equal(stats.actors, 0);
    assert_int_equal(stats.names, 0);
    assert_true(stats.memory_bytes <= lab->baseline); /* the node's own supervisor has ended too */
    troupe_system_free(lab->system);
}

int lab_set_up(void **lab)
{
    lab_open(*lab);
    return 0;
}

int lab_tear_down(void **lab)
{
    lab_close(*lab);
    return 0;
}

void lab_run(struct lab *lab)
{
    for (unsigned polls = 0; troupe_worker_poll(lab->worker, lab->now_ns, 8) == 0; polls++)
        assert_in_range(polls, 0, 100000);
}

void lab_pass(struct lab *lab, uint64_t ms)
{
    uint64_t until_ns = lab->now_ns + ms * 1000000u;

    for (unsigned steps = 0;; steps++) {
        lab_run(lab);
        uint64_t delay_ns = troupe_worker_poll(lab->worker, lab->now_ns, 8);
        assert_in_range(steps, 0, 1000000);
        if (delay_ns == TROUPE_NEVER || delay_ns > until_ns - lab->now_ns)
            break;
        lab->now_ns += delay_ns;
    }
    lab->now_ns = until_ns;
    lab_run(lab);
}

/* ---- asking ---- */

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct lab_request *asked = request->user;

    asked->done = true;
    asked->times++;
    asked->error = answer->error;
    asked->ref = answer->ref;
    size_t len = answer->body.len < sizeof asked->body ? answer->body.len : sizeof asked->body - 1;
    if (len > 0)
        memcpy(asked->body, answer->body.ptr, len);
    if (answer->exit != NULL) {
        asked->cause = answer->exit->cause;
        len = answer->exit->detail.len < sizeof asked->detail ? answer->exit->detail.len : sizeof asked->detail - 1;
        if (len > 0)
            memcpy(asked->detail, answer->exit->detail.ptr, len);
    }
    if (answer->info != NULL) {
        asked->info_monitors = answer->info->monitored_by_count;
        asked->info_timers = answer->info->timers_count;
        asked->info_children = answer->info->children_count;
    }
}

static troupe_request *fresh(struct lab_request *request)
{
    memset(request, 0, sizeof *request);
    request->request.user = request;
    return &request->request;
}

/* The args of a puppet are its address. Spawn copies them, so one place serves all. */
troupe_spawn_opts lab_opts(struct lab *lab, struct puppet *puppet, const troupe_spawn_opts *opts)
{
    static struct puppet *address;
    troupe_spawn_opts all = opts != NULL ? *opts : (troupe_spawn_opts){0};

    if (puppet->lab == NULL) {
        puppet->lab = lab;
        puppet->next = lab->puppets;
        lab->puppets = puppet;
    }
    address = puppet;
    all.args = troupe_body_bytes(&address, sizeof address, "application/octet-stream");
    if (all.behavior == NULL)
        all.behavior = "puppet";
    return all;
}

void lab_spawn_later(struct lab *lab, struct puppet *puppet, const troupe_spawn_opts *opts, struct lab_request *request)
{
    troupe_spawn_opts all = lab_opts(lab, puppet, opts);

    troupe_request_spawn(lab->worker, fresh(request), on_done, &all);
}

void lab_spawn(struct lab *lab, struct puppet *puppet, const troupe_spawn_opts *opts)
{
    struct lab_request request;

    lab_spawn_later(lab, puppet, opts, &request);
    lab_run(lab);
    assert_true(request.done);
    assert_int_equal(request.error, 0);
    assert_true(troupe_ref_equal(request.ref, puppet->ref));
}

int puppet_spawn(troupe_ctx *ctx, struct puppet *self, struct puppet *child, const troupe_spawn_opts *opts)
{
    troupe_spawn_opts all = lab_opts(self->lab, child, opts);

    return troupe_spawn(ctx, &all, &child->ref);
}

int lab_do_later(struct lab *lab, struct puppet *puppet, puppet_fn fn)
{
    return troupe_worker_cast(lab->worker, puppet->ref, troupe_view_of("do"),
                              troupe_body_bytes(&fn, sizeof fn, "application/octet-stream"), (troupe_caller){0});
}

void lab_do(struct lab *lab, struct puppet *puppet, puppet_fn fn)
{
    assert_int_equal(lab_do_later(lab, puppet, fn), 0);
    lab_run(lab);
}

int lab_note(struct lab *lab, struct puppet *puppet)
{
    return troupe_worker_cast(lab->worker, puppet->ref, troupe_view_of("note"), troupe_body_none(), (troupe_caller){0});
}

void lab_ask_type(struct lab *lab, struct puppet *puppet, const char *type, struct lab_request *request,
                  uint32_t timeout_ms)
{
    troupe_request_call(lab->worker, fresh(request), on_done, puppet->ref, troupe_view_of(type),
                        troupe_body_json("1", 1), (troupe_caller){0}, timeout_ms);
}

void lab_ask(struct lab *lab, struct puppet *puppet, struct lab_request *request, uint32_t timeout_ms)
{
    lab_ask_type(lab, puppet, "ask", request, timeout_ms);
}

void lab_stop(struct lab *lab, troupe_ref ref, enum troupe_stop_mode mode, struct lab_request *request,
              uint32_t timeout_ms)
{
    troupe_request_stop(lab->worker, fresh(request), on_done, ref, mode, troupe_view_of("the test says so"),
                        timeout_ms);
}

void lab_info(struct lab *lab, struct puppet *puppet, struct lab_request *request)
{
    troupe_request_info(lab->worker, fresh(request), on_done, puppet->ref, 1000);
}

void lab_monitor(struct lab *lab, troupe_ref ref, struct lab_request *request)
{
    troupe_request_monitor(lab->worker, fresh(request), on_done, ref);
}

/* ---- looking ---- */

bool lab_is_alive(struct lab *lab, const struct puppet *puppet)
{
    troupe_peek peek;

    return troupe_system_peek(lab->system, puppet->ref, &peek) == 0;
}

enum troupe_actor_state lab_state(struct lab *lab, const struct puppet *puppet)
{
    troupe_peek peek;

    return troupe_system_peek(lab->system, puppet->ref, &peek) == 0 ? peek.state : TROUPE_STATE_STOPPED;
}

bool lab_holds(struct lab *lab, const char *name, const struct puppet *puppet)
{
    troupe_ref ref;

    return troupe_system_whereis(lab->system, troupe_view_of(name), &ref) == 0 && troupe_ref_equal(ref, puppet->ref);
}

/* ---- common turns ---- */

int puppet_fail(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    return troupe_fail(ctx, TROUPE_E_INTERNAL, "the test says so");
}

int puppet_end(troupe_ctx *ctx, struct puppet *self)
{
    (void)self;
    troupe_stop_self(ctx, "the test says so");
    return 0;
}

int puppet_spawn_other(troupe_ctx *ctx, struct puppet *self) { return puppet_spawn(ctx, self, self->other, NULL); }

int puppet_monitor_other(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_monitor(ctx, self->other->ref, &self->number);
}

int puppet_link_other(troupe_ctx *ctx, struct puppet *self) { return troupe_link(ctx, self->other->ref); }

int puppet_kill_other(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_stop(ctx, self->other->ref, TROUPE_KILL, "the test says so");
}

int puppet_stop_other(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_stop(ctx, self->other->ref, TROUPE_STOP, "the test says so");
}

static int on_reply(troupe_ctx *ctx, void *memory, const troupe_msg *reply)
{
    struct puppet *puppet = ((struct state *)memory)->puppet;

    (void)ctx;
    puppet->replies++;
    puppet->status = reply->status;
    note(puppet, 'r');
    return 0;
}

int puppet_ask_other(troupe_ctx *ctx, struct puppet *self)
{
    return troupe_call(ctx, self->other->ref, "ask", troupe_body_none(), 1000, on_reply, 0);
}

int puppet_keep(troupe_ctx *ctx, struct puppet *self) { return troupe_reply_keep(ctx, &self->handle); }
