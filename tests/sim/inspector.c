/* SPDX-License-Identifier: Apache-2.0
 *
 * See inspector.h. What a request changes is certain from its answer on, so until then the model allows both; of what
 * was asked about the same thing again meanwhile only the last answer counts. */
#include "inspector.h"

#include <string.h>

#define REQUESTS 24u
#define CLIENT_NAMES 3u

enum ask { ASK_VIEW, ASK_SUSPEND, ASK_RESUME, ASK_TIMER, ASK_CANCEL, ASK_TIMERS };

struct asked {
    struct troupe_request request;
    bool open;
    enum ask what;
    uint32_t target, timer, name, number;
    uint64_t asked_ms;
};

static struct asked asked_all[REQUESTS];

void inspector_init(void) { memset(asked_all, 0, sizeof asked_all); }

/* ---- answers ---- */

/* The clients' timers of an actor and name, but one: over, or whether they run is not known. */
static void end_named(const struct asked *asked, bool is_known)
{
    for (uint32_t i = model.timers_from; i < model.timers.count; i++) {
        struct model_timer *timer = &model.timers.at[i];
        if (!timer->from_outside || timer->owner != asked->target || timer->name != asked->name || i == asked->timer)
            continue;
        timer->over |= is_known;
        timer->doubtful = true;
    }
}

static void on_timer_set(const struct asked *asked, int error)
{
    struct model_timer *timer = &model.timers.at[asked->timer];
    const struct model_actor *target = model_actor_at(asked->target);

    if (error == 0) {
        timer->doubtful = target->ended;
        timer->late_ms = sim_now_ms() - asked->asked_ms;
        end_named(asked, true);
    } else if (error == TROUPE_E_TIMEOUT) {
        end_named(asked, false);
    } else {
        timer->over = true;
    }
}

static void on_done(troupe_request *request, const troupe_answer *answer)
{
    struct asked *asked = request->user;
    struct model_actor *target = model_actor_at(asked->target);
    uint32_t shown;

    if (!asked->open) {
        sim_fail("a request is answered twice");
        return;
    }
    asked->open = false;
    sim_event("inspected", asked->what, asked->target, (uint64_t)(int64_t)answer->error);
    switch (asked->what) {
    case ASK_VIEW:
        memcpy(&shown, answer->body.len == sizeof shown ? answer->body.ptr : (const void *)&answer->error,
               sizeof shown);
        if (answer->error == 0 && shown != asked->target)
            sim_fail("the view of actor %u shows %u", asked->target, shown);
        if (answer->error == TROUPE_E_NO_VIEW)
            sim_fail("actor %u has a view, which was not found", asked->target);
        break;
    case ASK_SUSPEND:
        if (answer->error == 0 && asked->number == target->suspend_number && !target->drain_asked &&
            !target->stop_asked && !sim_world.ending)
            target->suspended = true;
        break;
    case ASK_RESUME:
        break;
    case ASK_TIMER:
        on_timer_set(asked, answer->error);
        break;
    case ASK_CANCEL:
        if (answer->error == 0)
            end_named(asked, true);
        else if (answer->error == TROUPE_E_TIMEOUT)
            end_named(asked, false);
        break;
    case ASK_TIMERS:
        if (answer->error == 0 && answer->timers->count > answer->timers->total)
            sim_fail("actor %u lists more timers than it has", asked->target);
        break;
    }
}

/* ---- ask ---- */

static struct asked *free_request(enum ask what, uint32_t target)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct asked *asked = &asked_all[i];
        if (asked->open)
            continue;
        *asked = (struct asked){.open = true, .what = what, .target = target, .asked_ms = sim_now_ms()};
        asked->request.user = asked;
        return asked;
    }
    return NULL;
}

bool inspector_is_busy(uint32_t target, uint32_t name)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const struct asked *asked = &asked_all[i];
        if (asked->open && (asked->what == ASK_TIMER || asked->what == ASK_CANCEL) && asked->target == target &&
            asked->name == name)
            return true;
    }
    return false;
}

static troupe_view client_name(uint32_t i)
{
    static const char *const names[CLIENT_NAMES] = {"c0", "c1", "c2"};

    return troupe_view_of(names[i]);
}

static void set_timer(troupe_worker *worker, uint32_t to, uint32_t name)
{
    struct asked *asked = free_request(ASK_TIMER, to);
    if (asked == NULL)
        return;
    uint64_t after_ms = sim_below(2) ? sim_below(5) : sim_below(150), every_ms = sim_below(3) ? 0 : 5 + sim_below(60);
    enum troupe_every missed = sim_below(2) ? TROUPE_EVERY_SKIP : TROUPE_EVERY_BURST;

    asked->name = name;
    asked->timer = model_add_timer();
    model.timers.at[asked->timer] = (struct model_timer){.owner = to,
                                                         .what = TROUPE_TIMER_MESSAGE,
                                                         .from_outside = true,
                                                         .name = (uint8_t)name,
                                                         .doubtful = true,
                                                         .due_ms = sim_now_ms() + after_ms,
                                                         .period_ms = every_ms,
                                                         .missed = missed};
    troupe_timer_opts opts = {.name = client_name(name),
                              .type = troupe_view_of("tick"),
                              .body = chaos_body(sim_random(), 0, 0, sim_below(3), 0, asked->timer),
                              .after_ms = after_ms,
                              .every_ms = every_ms,
                              .missed = missed,
                              .caller = {.subject = troupe_view_of("sim")}};
    troupe_request_timer_set(worker, &asked->request, on_done, model_actor_at(to)->ref, &opts, 0);
}

static void cancel_timer(troupe_worker *worker, uint32_t to, uint32_t name)
{
    struct asked *asked = free_request(ASK_CANCEL, to);

    if (asked == NULL)
        return;
    asked->name = name;
    troupe_request_timer_cancel(worker, &asked->request, on_done, model_actor_at(to)->ref, client_name(name), 0);
}

static void suspend(troupe_worker *worker, uint32_t to, bool suspend)
{
    struct asked *asked = free_request(suspend ? ASK_SUSPEND : ASK_RESUME, to);

    if (asked == NULL)
        return;
    asked->number = ++model_actor_at(to)->suspend_number;
    model_actor_at(to)->suspended = false; /* until it is told otherwise */
    troupe_request_suspend(worker, &asked->request, on_done, model_actor_at(to)->ref, suspend, 0);
}

/* One that is suspended, or any. */
static uint32_t choose(void)
{
    uint32_t to = chaos_target_of(sim_random());

    for (uint32_t i = 1; i < model.actors.count && sim_below(2) != 0; i++)
        if (model_actor_at(i)->is_suspended && !model_actor_at(i)->ended)
            return i;
    return to;
}

void inspector_act(troupe_worker *worker)
{
    uint32_t to = choose(), name = sim_below(CLIENT_NAMES);
    struct asked *asked;
    if (to == 0)
        return;
    troupe_ref ref = model_actor_at(to)->ref;

    switch (sim_below(12)) {
    case 0:
        asked = free_request(ASK_VIEW, to);
        if (asked != NULL)
            troupe_request_view(worker, &asked->request, on_done, ref, 0);
        break;
    case 1:
        asked = free_request(ASK_TIMERS, to);
        if (asked != NULL)
            troupe_request_timers(worker, &asked->request, on_done, ref, 0);
        break;
    case 2:
    case 3:
        suspend(worker, to, true);
        break;
    case 4:
    case 5:
    case 6:
        suspend(worker, to, false);
        break;
    case 7:
    case 8:
        if (!inspector_is_busy(to, name))
            cancel_timer(worker, to, name);
        break;
    default:
        if (!inspector_is_busy(to, name))
            set_timer(worker, to, name);
        break;
    }
}

bool inspector_rest(void)
{
    for (uint32_t i = 0; i < REQUESTS; i++)
        if (asked_all[i].open)
            return sim_fail("a request to look inside actor %u (kind %d) is not answered", asked_all[i].target,
                            (int)asked_all[i].what);
    return true;
}
