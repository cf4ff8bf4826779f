/* SPDX-License-Identifier: Apache-2.0
 *
 * The story of a run: nodes start, actors take and give names, things go wrong; then nothing goes wrong any more, and
 * what is refused is started again, as people or a service manager do. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static uint32_t faults_left;

static struct process *random_node(void)
{
    uint32_t first = world_below(WORLD_NODES_MAX);
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
        struct process *process = &world.nodes[(first + i) % WORLD_NODES_MAX];
        if (process->kind == PROCESS_NODE)
            return process;
    }
    return NULL;
}

static int free_slot(void)
{
    for (int i = 0; i < WORLD_NODES_MAX; i++) {
        if (world.nodes[i].kind == PROCESS_NONE)
            return i;
    }
    return -1;
}

static int free_address(void)
{
    int first = (int)world_below(WORLD_ADDRESSES);
    for (int i = 0; i < WORLD_ADDRESSES; i++) {
        int address = (first + i) % WORLD_ADDRESSES;
        if (address != WORLD_REGISTRY_ADDRESS && world.at[address] == NULL)
            return address;
    }
    return -1;
}

/* Somebody else gets the port. */
static void reuse(int address)
{
    uint32_t who = world_below(10);
    int slot = free_slot();
    world.stats.reuses++;
    if (who < 6 && slot >= 0 && address != WORLD_REGISTRY_ADDRESS)
        process_start_node(slot, address);
    else if (who < 8)
        process_start_foreign(address);
    else
        world.at[address] = &world.deaf;
}

static void clear(int address)
{
    struct process *there = world.at[address];
    if (there == &world.deaf)
        world.at[address] = NULL;
    else if (there != NULL)
        process_end(there);
}

static void bring_registry_back(void *data)
{
    (void)data;
    if (world.registry.kind != PROCESS_NONE)
        return;
    clear(WORLD_REGISTRY_ADDRESS);
    if (world_chance(10)) {
        world.cluster++; /* its data is gone, so it founds another cluster */
        world.has_mark = false;
        world.stats.restarts_unmarked++;
    }
    world.stats.restarts++;
    process_start_registry();
}

static void stop_registry(void)
{
    if (world.registry.kind == PROCESS_NONE)
        return;
    world_trace("the registry is killed");
    process_end(&world.registry);
    if (world_chance(30))
        reuse(WORLD_REGISTRY_ADDRESS);
    events_at(world.now_ms + (world_chance(60) ? world_below(WORLD_LEASE_MS / 2) : world_below(3 * WORLD_LEASE_MS)),
              bring_registry_back, NULL);
}

static void kill_node(void)
{
    struct process *process = random_node();
    if (process == NULL)
        return;
    int address = process->address;
    world_trace("%016llx is killed", (unsigned long long)process->home.low);
    world.stats.kills++;
    process_end(process);
    if (world_chance(70))
        reuse(address);
}

static void start_node(void)
{
    int slot = free_slot(), address = free_address();
    if (slot >= 0 && address >= 0)
        process_start_node(slot, address);
}

static void cut_some(void)
{
    struct process *process = world_chance(85) ? random_node() : &world.registry;
    if (process != NULL && process->kind != PROCESS_NONE)
        process->is_cut = !process->is_cut;
}

static void change_weather(void)
{
    static const uint32_t drops[] = {0, 0, 2, 10, 30};
    static const uint32_t delays[] = {5, 50, 300, 1000};
    world.drop_percent = drops[world_below(5)];
    world.delay_max_ms = delays[world_below(4)];
    world.repeat_percent = world_below(20);
}

static void move_node(void)
{
    struct process *process = random_node();
    int address = free_address();
    if (process != NULL && address >= 0 && process->state != CLIENT_LEFT) {
        int before = process->address;
        process_move(process, address);
        if (world_chance(50))
            reuse(before);
    }
}

static void go_wrong(void)
{
    struct process *process;
    uint32_t what = world_below(100);
    if (what < 18)
        kill_node();
    else if (what < 38)
        start_node();
    else if (what < 50)
        stop_registry();
    else if (what < 70)
        cut_some();
    else if (what < 82)
        change_weather();
    else if (what < 88)
        move_node();
    else if ((process = random_node()) != NULL && what < 95)
        process_leave(process);
    else if (process != NULL)
        process_drain(process);
}

/* Who cannot be a member any more is started again; who has left is gone. */
static void look_after(void *data)
{
    (void)data;
    for (int i = 0; i < WORLD_NODES_MAX; i++) {
        struct process *process = &world.nodes[i];
        bool is_stray = process->cluster != 0 && process->cluster != world.cluster;
        if (process->kind != PROCESS_NODE)
            continue;
        int address = process->address;
        if (process->state == CLIENT_LEFT) {
            process_end(process);
        } else if (process->state == CLIENT_REFUSED || (world.is_calm && is_stray)) {
            process_end(process);
            process_start_node(i, address);
        }
    }
    events_at(world.now_ms + 500, look_after, NULL);
}

static void on_fault(void *data)
{
    (void)data;
    if (faults_left == 0)
        return;
    faults_left--;
    go_wrong();
    events_at(world.now_ms + world_below(800), on_fault, NULL);
}

static void on_act(void *data)
{
    (void)data;
    if (world.is_calm)
        return;
    struct process *process = world_chance(80) ? random_node() : &world.registry;
    if (process != NULL && process->kind != PROCESS_NONE)
        process_act(process);
    events_at(world.now_ms + world_below(30), on_act, NULL);
}

static void become_calm(void)
{
    world_trace("all is calm");
    world.is_calm = true;
    world.delay_max_ms = 10;
    bring_registry_back(NULL);
    world.registry.is_cut = false;
    for (int i = 0; i < WORLD_NODES_MAX; i++)
        world.nodes[i].is_cut = false;
}

static void run_until(uint64_t until_ms)
{
    uint64_t next_ms;
    while (!world.failed && events_next_ms(&next_ms) && next_ms <= until_ms) {
        world.now_ms = next_ms;
        events_run_one();
        world.stats.steps++;
        check_step();
    }
    world.now_ms = until_ms;
}

static void end(struct world_result *ret_result)
{
    *ret_result = (struct world_result){.signature = world.signature, .stats = world.stats, .failed = world.failed};
    memcpy(ret_result->text, world.text, sizeof world.text);
    for (int i = 0; i < WORLD_NODES_MAX; i++)
        process_end(&world.nodes[i]);
    process_end(&world.registry);
    process_end(&world.foreign);
    events_fini();
}

static void begin_world(const struct world_options *options)
{
    memset(&world, 0, sizeof world);
    world.options = *options;
    rng_init(&world.rng, options->seed);
    world.now_ms = 1000000;
    world.cluster = 1;
    world.delay_max_ms = 20;
    world.deaf.kind = PROCESS_DEAF;
    events_init();
}

static void begin(const struct world_options *options)
{
    begin_world(options);
    process_start_registry();
    for (uint32_t i = 0, count = 2 + world_below(12); i < count; i++)
        process_start_node((int)i, free_address());
    faults_left = options->faults;
    events_at(world.now_ms + 1000, on_fault, NULL);
    events_at(world.now_ms + 500, on_act, NULL);
    events_at(world.now_ms + 500, look_after, NULL);
}

void world_run(const struct world_options *options, struct world_result *ret_result)
{
    begin(options);
    while (!world.failed && faults_left > 0)
        run_until(world.now_ms + 100);
    if (!world.failed)
        become_calm();
    if (!world.failed)
        run_until(world.now_ms + WORLD_CALM_MS);
    if (!world.failed)
        check_end();
    end(ret_result);
}

/* A node ends somewhere in its joining or later, and its port is somebody else's at once. Another one listens. */
void world_run_reuse(uint64_t seed, uint32_t cycles, struct world_result *ret_result)
{
    enum { LISTENER = 1, REUSED = 0, ADDRESS = 2 };
    begin_world(&(struct world_options){.seed = seed});
    process_start_registry();
    process_start_node(LISTENER, 1);
    run_until(world.now_ms + 1000);
    for (uint32_t i = 0; i < cycles && !world.failed; i++) {
        uint32_t who = world_below(10);
        process_end(&world.nodes[REUSED]);
        if (who == 0)
            process_start_foreign(ADDRESS);
        else if (who == 1)
            world.at[ADDRESS] = &world.deaf;
        run_until(world.now_ms + (who < 2 ? 30 : 0));
        clear(ADDRESS);
        process_start_node(REUSED, ADDRESS);
        world.stats.reuses++;
        run_until(world.now_ms + world_below(100));
    }
    world.is_calm = true;
    run_until(world.now_ms + WORLD_CALM_MS);
    if (!world.failed)
        check_end();
    end(ret_result);
}
