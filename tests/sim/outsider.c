/* SPDX-License-Identifier: Apache-2.0
 *
 * See outsider.h. */
#include "outsider.h"

#include <string.h>

#include "chaos.h"

enum ask { ASK_CALL, ASK_SPAWN, ASK_STOP, ASK_INFO, ASK_MONITOR };

struct asked {
    struct troupe_request request;
    bool open;
    enum ask what;
    uint32_t target, call;
    uint64_t deadline_ms;
    struct birth birth;
    bool was_gone; /* the target of a monitor */
};

static struct asked asked_all[SIM_REQUESTS_MAX];

void outsider_init(void) { memset(asked_all, 0, sizeof asked_all); }

bool outsider_rest(void)
{
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++)
        if (asked_all[i].open)
            return sim_fail("a request (kind %d) is not answered after the shutdown", (int)asked_all[i].what);
    return true;
}

bool outsider_rest_monitors(void)
{
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++)
        if (asked_all[i].open && asked_all[i].what == ASK_MONITOR && model_actor_at(asked_all[i].target)->ended)
            return sim_fail("an outsider was not told that actor %u ended", asked_all[i].target);
    return true;
}

/* A down comes once, with the cause, and behind the answers that the actor gave to this worker. */
static void on_down(const struct asked *asked, const troupe_worker *worker, const troupe_exit *exit)
{
    const struct model_actor *dead = model_actor_at(asked->target);
    enum troupe_exit_cause want = asked->was_gone ? TROUPE_EXIT_NOPROC : dead->exit.cause;

    if (!dead->ended)
        sim_fail("an outsider got the down of %u, which lives", asked->target);
    else if (exit->cause != want)
        sim_fail("an outsider's down of %u says %s instead of %s", asked->target, troupe_exit_word(exit->cause),
                 troupe_exit_word(want));
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX && !asked->was_gone; i++) {
        const struct asked *other = &asked_all[i];
        if (!other->open || other->what != ASK_CALL || other->target != asked->target ||
            other->request.worker != worker)
            continue;
        enum model_answer answer = model.calls.at[other->call].answer;
        if (answer == MODEL_REPLIED || answer == MODEL_REFUSED || answer == MODEL_APP_REFUSED)
            sim_fail("an outsider got the down of %u before its answer", asked->target);
    }
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct asked *asked = request->user;

    if (!asked->open) {
        sim_fail("a request is answered twice, or after it was cancelled");
        return;
    }
    asked->open = false;
    sim_event("done", asked->what, asked->target, (uint64_t)(int64_t)answer->error);
    switch (asked->what) {
    case ASK_CALL:
        model_call_over(asked->call, answer->error, answer->body.ptr, answer->body.len);
        break;
    case ASK_SPAWN:
        if (answer->error != 0)
            break;
        uint32_t child = model_actor_of(answer->ref);
        if (!model_actor_at(child)->inited || model_actor_at(child)->starting)
            sim_fail("a spawn was answered before the init of %u was over", child);
        break;
    case ASK_STOP:
        model_actor_at(asked->target)->end_refused |= sim_lacks_memory(answer->error);
        if (answer->error == 0 && !model_actor_at(asked->target)->ended && model_actor_at(asked->target)->inited &&
            !model_actor_at(asked->target)->finished)
            sim_fail("a stop was answered, but actor %u lives", asked->target);
        if (answer->error == TROUPE_E_TIMEOUT && sim_now_ms() < asked->deadline_ms)
            sim_fail("a stop timed out early");
        break;
    case ASK_INFO:
        if (answer->error == 0 && !troupe_ref_equal(answer->info->peek.ref, model_actor_at(asked->target)->ref))
            sim_fail("an info request was answered for another actor");
        break;
    case ASK_MONITOR:
        if (!sim_lacks_memory(answer->error))
            on_down(asked, request->worker, answer->exit);
        break;
    }
}

static struct asked *free_request(enum ask what, uint32_t target)
{
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++) {
        struct asked *asked = &asked_all[i];
        if (asked->open)
            continue;
        *asked = (struct asked){.open = true, .what = what, .target = target};
        asked->request.user = asked;
        return asked;
    }
    return NULL;
}

static void ask_call(troupe_worker *worker, uint32_t to)
{
    struct asked *asked = free_request(ASK_CALL, to);
    if (asked == NULL)
        return;
    uint32_t timeout_ms = sim_below(2) ? 0 : 1 + sim_below(300), id = model_add_call();
    uint32_t energy = 3 + sim_below(6);
    troupe_body body = chaos_body(sim_random(), 0, to, energy, id, 0);

    asked->call = id;
    model.calls.at[id] = (struct model_call){
        .callee = to, .deadline_ms = sim_now_ms() + (timeout_ms == 0 ? TROUPE_CALL_TIMEOUT_MS_DEFAULT : timeout_ms)};
    bool was_ended = model_actor_at(to)->ended;
    model_calling(0, to, id);
    model_sending(0, to);
    troupe_request_call(worker, &asked->request, on_done, model_actor_at(to)->ref, troupe_view_of("work"), body,
                        (troupe_caller){.subject = troupe_view_of("sim")}, timeout_ms);
    /* It took effect unless it was refused at once, without having been seen. */
    bool refused = !asked->open && model.calls.at[id].answer == MODEL_UNSEEN;
    model.calls.at[id].refused = refused;
    model.was_ended = was_ended; /* the actors that ran in between have sent, too */
    model_sent(0, to, refused ? TROUPE_E_FULL : 0);
}

static void ask_spawn(troupe_worker *worker)
{
    troupe_spawn_opts opts;
    if (model.living >= SIM_POPULATION)
        return;
    struct asked *asked = free_request(ASK_SPAWN, 0);
    if (asked == NULL)
        return;
    chaos_birth(sim_random(), &asked->birth, &opts);
    opts.link = false;
    troupe_request_spawn(worker, &asked->request, on_done, &opts);
}

static void ask_stop(troupe_worker *worker, uint32_t to)
{
    enum troupe_stop_mode mode = sim_below(3) != 0 ? (enum troupe_stop_mode)sim_below(2) : TROUPE_KILL;
    struct asked *asked = free_request(ASK_STOP, to);
    struct model_actor *target = model_actor_at(to);
    troupe_peek peek;
    if (asked == NULL)
        return;
    uint32_t timeout_ms = sim_below(100) + 1;

    asked->deadline_ms = sim_now_ms() + timeout_ms;
    (void)model_look(to, &peek);
    sim_event("ask stop", to, mode, 0);
    target->stop_asked |= mode == TROUPE_STOP;
    target->drain_asked |= mode == TROUPE_DRAIN;
    target->suspended = false;
    troupe_request_stop(worker, &asked->request, on_done, target->ref, mode, troupe_view_of("sim"), timeout_ms);
    target->kill_asked |= mode == TROUPE_KILL && (asked->open || target->ended);
}

static void ask_info(troupe_worker *worker, uint32_t to)
{
    struct asked *asked = free_request(ASK_INFO, to);

    if (asked != NULL)
        troupe_request_info(worker, &asked->request, on_done, model_actor_at(to)->ref, 1 + sim_below(50));
}

static void ask_monitor(troupe_worker *worker, uint32_t to)
{
    struct asked *asked = free_request(ASK_MONITOR, to);

    if (asked == NULL)
        return;
    asked->was_gone = model_actor_at(to)->ended;
    troupe_request_monitor(worker, &asked->request, on_done, model_actor_at(to)->ref);
    if (asked->was_gone && asked->open)
        sim_fail("a monitor of actor %u, which has ended, was not answered at once", to);
}

static bool may_cancel(const struct asked *asked)
{
    return asked->what == ASK_CALL || asked->what == ASK_INFO || asked->what == ASK_MONITOR;
}

void outsider_act(troupe_worker *worker)
{
    uint32_t to = chaos_target_of(sim_random());

    if (to == 0 || model.living < 8 || sim_below(20) == 0) {
        ask_spawn(worker);
        return;
    }
    switch (sim_below(26)) {
    case 0:
        ask_stop(worker, to);
        break;
    case 1:
        ask_info(worker, to);
        break;
    case 2: {
        struct asked *asked = &asked_all[sim_below(SIM_REQUESTS_MAX)];
        if (asked->open && asked->request.worker == worker && may_cancel(asked)) {
            asked->open = false;
            if (asked->what == ASK_CALL) {
                model.calls.at[asked->call].over = true;
                model.calls.at[asked->call].given_up_ms = sim_now_ms();
            }
            troupe_request_cancel(&asked->request);
        }
        break;
    }
    case 3:
        ask_monitor(worker, to);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
    case 11: {
        uint32_t energy = 3 + sim_below(6);
        troupe_body body = chaos_body(sim_random(), 0, to, energy, 0, 0);
        model_sending(0, to);
        model_sent(0, to,
                   troupe_worker_cast(worker, model_actor_at(to)->ref, troupe_view_of("note"), body,
                                      (troupe_caller){.subject = troupe_view_of("sim")}));
        break;
    }
    default:
        ask_call(worker, to);
        break;
    }
}
