/* SPDX-License-Identifier: Apache-2.0
 *
 * The processes. What the driver of a node does (names of the core, the crossing from workers to the control thread, a
 * spawn under a name) is here in small; all else is the real thing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

struct world world;

static const char *const names[WORLD_NAMES] = {"ant", "bee", "cat", "dog", "eel", "fox"};

troupe_view world_name(int i) { return troupe_view_of(names[i]); }

int world_name_index(troupe_view name)
{
    for (int i = 0; i < WORLD_NAMES; i++) {
        if (troupe_view_equal(name, world_name(i)))
            return i;
    }
    abort();
}

const struct registry_secret *world_secret(uint32_t cluster)
{
    static struct registry_secret secrets[16];
    struct registry_secret *secret = &secrets[cluster % 16];
    secret->len = 32;
    memset(secret->bytes, (int)(cluster + 1), secret->len);
    return secret;
}

void world_cluster_text(uint32_t cluster, char text[static REGISTRY_CLUSTER_BYTES])
{
    snprintf(text, REGISTRY_CLUSTER_BYTES, "cluster-%u", cluster);
}

static void fill_record(struct process *process)
{
    process->record = (struct registry_record){
        .node = process->home, .revision = 1, .state = REGISTRY_UP, .protocol_min = 1, .protocol_max = 1,
        .version = "1", .started_at_ms = world.now_ms, .endpoints_count = 1,
        .endpoints = {{.purpose = "api", .scheme = "http", .host = "127.0.0.1",
                       .port = (uint16_t)(process->address + 1), .bound_port = (uint16_t)(process->address + 1)}},
    };
}

static void begin(struct process *process, enum process_kind kind, int address)
{
    const struct registry_service_config service = {
        .lease_ms = WORLD_LEASE_MS, .renew_ms = WORLD_RENEW_MS,
        .now_wall_ms = 1700000000000u + rng_next(&world.rng) % 1000000000u, /* clocks need not agree */
        .now_ms = world.now_ms,
    };
    memset(process, 0, sizeof *process);
    process->kind = kind;
    process->incarnation = ++world.incarnations;
    process->address = address;
    process->home.low = rng_next(&world.rng) | 1;
    fill_record(process);
    struct registry_service_config config = service;
    config.node = process->home;
    if (registry_service_new(&config, &process->service) != 0)
        abort();
    world.at[address] = process;
}

void process_end(struct process *process)
{
    if (process->kind == PROCESS_NONE)
        return;
    process->is_dying = true;
    registry_client_free(process->client);
    registry_service_free(process->service);
    registry_free(process->registry);
    if (world.at[process->address] == process)
        world.at[process->address] = NULL;
    memset(process, 0, sizeof *process);
    world_sign(1);
}

/* ---- time ---- */

struct tick {
    struct process *process;
    uint64_t incarnation, number;
};

static void on_tick(void *data)
{
    const struct tick *tick = data;
    if (tick->process->incarnation == tick->incarnation && tick->process->ticks == tick->number)
        process_tick(tick->process);
}

void process_tick(struct process *process)
{
    uint64_t delay_ms = UINT64_MAX;
    if (process->kind == PROCESS_REGISTRY) {
        delay_ms = registry_tick(process->registry, world.now_ms);
        uint64_t service_ms = registry_service_tick(process->service, world.now_ms);
        delay_ms = service_ms < delay_ms ? service_ms : delay_ms;
    } else if (process->kind == PROCESS_NODE) {
        delay_ms = registry_client_tick(process->client, world.now_ms);
    }
    process->ticks++;
    if (delay_ms == UINT64_MAX)
        return;
    struct tick *tick = malloc(sizeof *tick);
    if (tick == NULL)
        abort();
    *tick = (struct tick){process, process->incarnation, process->ticks};
    events_at(world.now_ms + delay_ms + world_below(10), on_tick, tick); /* a busy machine is late */
}

/* ---- the registry ---- */

static int put_name(void *user, troupe_view name, troupe_ref ref, troupe_ref *ret_holder)
{
    troupe_ref *holder = &((struct process *)user)->names[world_name_index(name)];
    if (troupe_ref_is_actor(*holder) && !troupe_ref_equal(*holder, ref)) {
        *ret_holder = *holder;
        return TROUPE_E_NAME_TAKEN;
    }
    *holder = ref;
    return 0;
}

static int drop_name(void *user, troupe_view name, troupe_ref ref)
{
    troupe_ref *holder = &((struct process *)user)->names[world_name_index(name)];
    if (!troupe_ref_equal(*holder, ref))
        return TROUPE_E_NOT_FOUND;
    *holder = (troupe_ref){0};
    return 0;
}

static int find_name(void *user, troupe_view name, troupe_ref *ret_ref)
{
    const struct process *process = user;
    *ret_ref = process->names[world_name_index(name)];
    if (process->names_closed)
        return TROUPE_E_REGISTRY_LOST;
    return troupe_ref_is_actor(*ret_ref) ? 0 : TROUPE_E_NOT_FOUND;
}

static void close_names(void *user, bool closed) { ((struct process *)user)->names_closed = closed; }

static void on_changed(void *user, const struct registry_event *event)
{
    struct process *process = user;
    uint64_t node = event->record->node.low;
    bool is_end = event->what == REGISTRY_NODE_LEFT || event->what == REGISTRY_NODE_DOWN;
    world_trace("registry: %s %016llx", registry_what_word(event->what), (unsigned long long)node);
    world_sign(node ^ event->what);
    for (uint32_t i = 0; i < process->ended_count; i++) {
        if (process->ended[i].node == node)
            world_fail("the registry tells %s of a node whose end it has told", registry_what_word(event->what));
    }
    if (is_end && process->ended_count < WORLD_TOLD_MAX)
        process->ended[process->ended_count++].node = node;
    world.stats.downs += event->what == REGISTRY_NODE_DOWN;
    world.stats.lefts += event->what == REGISTRY_NODE_LEFT;
    if (process == &world.registry && node != process->home.low)
        world.has_mark = true;
    registry_service_changed(process->service);
}

static void on_verify(void *user, const struct registry_record *record)
{
    (void)user;
    network_verify(record);
}

static void start_registry(struct process *process, uint32_t cluster, bool was_used)
{
    char text[REGISTRY_CLUSTER_BYTES];
    world_cluster_text(cluster, text);
    process->cluster = cluster;
    snprintf(process->epoch, sizeof process->epoch, "%016llx", (unsigned long long)rng_next(&world.rng));
    const struct registry_config config = {
        .cluster = text, .epoch = process->epoch, .lease_ms = WORLD_LEASE_MS, .renew_ms = WORLD_RENEW_MS,
        .was_used = was_used, .own = process->record,
        .ops = {.user = process, .name_put = put_name, .name_drop = drop_name, .name_find = find_name,
                .names_close = close_names, .changed = on_changed, .verify = on_verify},
    };
    if (registry_new(&config, world.now_ms, &process->registry) != 0)
        abort();
    registry_service_serve(process->service, text, process->epoch, world_secret(cluster), process->registry);
    process_tick(process);
}

void process_start_registry(void)
{
    begin(&world.registry, PROCESS_REGISTRY, WORLD_REGISTRY_ADDRESS);
    world_trace("the registry starts, cluster %u%s", world.cluster, world.has_mark ? ", silent" : "");
    start_registry(&world.registry, world.cluster, world.has_mark);
}

void process_start_foreign(int address)
{
    process_end(&world.foreign);
    begin(&world.foreign, PROCESS_FOREIGN, address);
    start_registry(&world.foreign, WORLD_FOREIGN_CLUSTER, false);
}

/* ---- a node ---- */

enum post_kind { POST_TAKEN = 1, POST_GIVEN, POST_CLAIM };

/* What a worker tells the control thread, in its order. */
struct post {
    struct process *process;
    uint64_t incarnation;
    enum post_kind kind;
    int name;
    troupe_ref ref;
};

static void ask(struct process *process, int kind, int name, troupe_ref ref)
{
    for (int i = 0; i < WORLD_TICKETS_MAX; i++) {
        struct ticket *ticket = &process->tickets[i];
        if (ticket->id != 0)
            continue;
        *ticket = (struct ticket){.id = ++process->next_ticket, .until_ms = world.now_ms + 5000 + 100, .kind = kind,
                                  .name = name, .ref = ref};
        int error = kind == TICKET_FIND
                  ? registry_client_find(process->client, ticket->id, world_name(name), world.now_ms)
                  : registry_client_claim(process->client, ticket->id, world_name(name), ref, world.now_ms);
        if (error != 0)
            ticket->id = 0;
        return;
    }
}

static void on_post(void *data)
{
    const struct post *post = data;
    struct process *process = post->process;
    if (process->incarnation != post->incarnation)
        return;
    if (post->kind == POST_CLAIM)
        ask(process, TICKET_CLAIM, post->name, post->ref);
    else if (registry_client_named(process->client, world_name(post->name), post->ref, post->kind == POST_TAKEN,
                                   world.now_ms) != 0)
        abort();
    process_tick(process);
}

static void post(struct process *process, enum post_kind kind, int name, troupe_ref ref)
{
    struct post *data = malloc(sizeof *data);
    if (data == NULL)
        abort();
    *data = (struct post){process, process->incarnation, kind, name, ref};
    uint64_t at_ms = world.now_ms + world_below(3);
    process->posted_ms = at_ms > process->posted_ms ? at_ms : process->posted_ms;
    events_at(process->posted_ms, on_post, data);
}

static void take_name(struct process *process, int name)
{
    process->names[name] = (troupe_ref){process->home, ++process->next_slot, 1};
    if (process->kind == PROCESS_NODE)
        post(process, POST_TAKEN, name, process->names[name]);
}

static void give_name(struct process *process, int name, troupe_ref ref)
{
    if (!troupe_ref_equal(process->names[name], ref) || !troupe_ref_is_actor(ref))
        return;
    process->names[name] = (troupe_ref){0};
    if (process->kind == PROCESS_NODE)
        post(process, POST_GIVEN, name, ref);
}

struct spawn {
    struct process *process;
    uint64_t incarnation;
    int name;
};

static void on_spawn(void *data)
{
    const struct spawn *spawn = data;
    struct process *process = spawn->process;
    if (process->incarnation != spawn->incarnation || process->names_closed ||
        troupe_ref_is_actor(process->names[spawn->name]))
        return;
    take_name(process, spawn->name);
    post(process, POST_CLAIM, spawn->name, process->names[spawn->name]);
}

static void on_name(void *user, uint64_t id, int error, troupe_ref ref)
{
    struct process *process = user;
    struct ticket ticket = {0};
    for (int i = 0; i < WORLD_TICKETS_MAX; i++) {
        if (process->tickets[i].id == id) {
            ticket = process->tickets[i];
            process->tickets[i].id = 0;
        }
    }
    if (ticket.id == 0)
        world_fail("a question about a name was answered twice");
    world_sign(ref.slot ^ (uint64_t)(unsigned)error << 32);
    world.stats.finds += ticket.kind == TICKET_FIND && error == 0;
    world.stats.grants += ticket.kind == TICKET_CLAIM && error == 0;
    world.stats.refusals += error == TROUPE_E_NAME_TAKEN;
    world.stats.timeouts += error == TROUPE_E_REGISTRY_LOST;
    if (ticket.kind == TICKET_CLAIM && error == 0 &&
        troupe_ref_equal(process->names[ticket.name], ticket.ref) &&
        !registry_client_holds(process->client, world_name(ticket.name), ticket.ref, world.now_ms))
        world_fail("a claim is answered with yes, and the name is not held");
    if (ticket.kind == TICKET_CLAIM && error != 0)
        give_name(process, ticket.name, ticket.ref);
    if (ticket.kind != TICKET_RESERVE || error != 0)
        return;
    struct spawn *spawn = malloc(sizeof *spawn);
    if (spawn == NULL)
        abort();
    *spawn = (struct spawn){process, process->incarnation, ticket.name};
    events_at(world.now_ms + world_below(50), on_spawn, spawn);
}

static void on_name_lost(void *user, troupe_view name, troupe_ref ref)
{
    struct process *process = user;
    world.stats.name_losts++;
    give_name(process, world_name_index(name), ref);
}

static void on_state(void *user, enum registry_client_state state, const char *words)
{
    struct process *process = user;
    world_trace("%016llx: state %d %s", (unsigned long long)process->home.low, (int)state, words);
    world_sign(process->home.low ^ state);
    world.stats.lost += state == CLIENT_LOST && process->state != CLIENT_LOST;
    world.stats.refused += state == CLIENT_REFUSED && process->state != CLIENT_REFUSED;
    process->state = state;
    process->names_closed = state == CLIENT_LOST || state == CLIENT_REFUSED;
}

static struct told *told_of(struct process *process, uint64_t node)
{
    for (uint32_t i = 0; i < process->told_count; i++) {
        if (process->told[i].node == node)
            return &process->told[i];
    }
    if (process->told_count == WORLD_TOLD_MAX)
        abort();
    process->told[process->told_count] = (struct told){.node = node, .state = REGISTRY_DOWN};
    return &process->told[process->told_count++];
}

static void on_event(void *user, const struct registry_event *event)
{
    static const enum registry_state states[] = {
        [REGISTRY_NODE_JOINING] = REGISTRY_JOINING, [REGISTRY_NODE_UP] = REGISTRY_UP,
        [REGISTRY_NODE_DRAINING] = REGISTRY_DRAINING, [REGISTRY_NODE_LEFT] = REGISTRY_DOWN,
        [REGISTRY_NODE_DOWN] = REGISTRY_DOWN,
    };
    struct process *process = user;
    struct told *told = told_of(process, event->record->node.low);
    enum registry_state state = states[event->what];
    bool is_end = state == REGISTRY_DOWN, was_end = told->state == REGISTRY_DOWN;
    world_trace("%016llx is told %s %016llx", (unsigned long long)process->home.low, registry_what_word(event->what),
                (unsigned long long)event->record->node.low);
    world_sign(process->home.low ^ event->record->node.low ^ event->what);
    if (was_end && (is_end || event->what == REGISTRY_NODE_CHANGED))
        world_fail("a node is told %s of one that it does not know", registry_what_word(event->what));
    if (!is_end && !was_end && event->what != REGISTRY_NODE_CHANGED && state <= told->state)
        world_fail("a node is told %s of one that was further already", registry_what_word(event->what));
    if (event->what != REGISTRY_NODE_CHANGED)
        told->state = state;
}

static void on_list(void *user, const struct registry_record *records, unsigned count)
{
    struct process *process = user;
    world.stats.lists++;
    if (process->told_count > 0)
        world_fail("a node is told the list twice");
    for (unsigned i = 0; i < count; i++)
        told_of(process, records[i].node.low)->state = records[i].state;
}

static bool on_cluster(void *user, const char *cluster, char *words, size_t words_cap)
{
    struct process *process = user;
    unsigned number;
    (void)words, (void)words_cap;
    if (sscanf(cluster, "cluster-%u", &number) != 1)
        abort();
    process->cluster = number;
    registry_client_set_secret(process->client, world_secret(number));
    registry_service_join(process->service, cluster, "http://registry", world_secret(number));
    return true;
}

static void on_drain(void *user)
{
    struct process *process = user;
    world_trace("%016llx was asked to drain", (unsigned long long)process->home.low);
    world_sign(2);
}

static void perform(void *user, const struct registry_call *call)
{
    struct process *process = user;
    network_send(process, call);
}

static void on_abort(void *user, uint64_t id) { (void)user, (void)id; }

void process_start_node(int slot, int address)
{
    struct process *process = &world.nodes[slot];
    begin(process, PROCESS_NODE, address);
    const struct registry_client_config config = {
        .own = process->record, .seed = rng_next(&world.rng), .margin_ms = WORLD_MARGIN_MS, .user = process,
        .perform = perform, .abort = on_abort, .on_cluster = on_cluster, .on_state = on_state, .on_event = on_event,
        .on_list = on_list, .on_drain = on_drain, .on_name = on_name, .on_name_lost = on_name_lost,
    };
    registry_service_join(process->service, "", "", NULL);
    if (registry_client_new(&config, world.now_ms, &process->client) != 0)
        abort();
    world_trace("%016llx starts at %d", (unsigned long long)process->home.low, address);
    process_tick(process);
}

void process_leave(struct process *process)
{
    registry_client_leave(process->client, world.now_ms);
    process_tick(process);
}

void process_drain(struct process *process)
{
    registry_client_drain(process->client, world.now_ms);
    process_tick(process);
}

void process_move(struct process *process, int address)
{
    world.at[process->address] = NULL;
    world.at[address] = process;
    process->address = address;
    process->record.revision++;
    process->record.endpoints[0].port = process->record.endpoints[0].bound_port = (uint16_t)(address + 1);
    if (registry_client_set_own(process->client, &process->record, world.now_ms) != 0)
        abort();
    process_tick(process);
}

/* ---- what actors do ---- */

void process_act(struct process *process)
{
    int name = (int)world_below(WORLD_NAMES);
    bool is_free = !troupe_ref_is_actor(process->names[name]) && !process->names_closed;
    uint32_t what = world_below(10);
    if (what < 4 && is_free && process->kind == PROCESS_NODE)
        ask(process, TICKET_RESERVE, name, (troupe_ref){0});
    else if (what < 5 && is_free)
        take_name(process, name);
    else if (what < 8 && troupe_home_equal(process->names[name].home, process->home))
        give_name(process, name, process->names[name]);
    else if (what == 8 && process->kind == PROCESS_NODE)
        ask(process, TICKET_FIND, name, (troupe_ref){0});
    process_tick(process);
}
