/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of this node, brought into step with the registry. An entry says who holds the name here (core) and what the
 * registry may have for it (told); one call at a time makes the two agree:
 *
 *   core   told         is_sure   then
 *   -      -            -         nothing to do; the entry goes when nobody asks
 *   -      a            any       DELETE a
 *   a      -            -         PUT a
 *   a      a            no        PUT a, held when the registry before had confirmed it
 *   a      a            yes       nothing to do
 *   a      b            any       DELETE b, then as above
 *
 *   answer             of PUT a                           of DELETE a
 *   200, 204           told a, sure                       told -
 *   404                wait                               told -
 *   409 name_taken     told -; the core's name is lost    told -
 *     by this node's b   told b: DELETE b, then again
 *   503 registry_lost  told -; wait                       wait
 *   401 410 412        the lease is looked after; wait    the same
 *   none, unproven     told a, not sure; wait             wait
 *
 * Questions with tickets stand in the line of their name and are asked before the entry's own wishes; a find has no
 * entry. Each is answered once: by its call, or by its deadline, or when the names are given up.
 *
 * What nobody asks for goes in batches (client_batch.c), on slots of its own: after a restart of the registry a node may
 * have a hundred thousand names to claim again within its lease, and neither these nor questions may starve the other.
 *
 * Calls are numbered. The floor that goes with each says which calls are not waited for any more, so that one that was
 * given up and is still on its way has no effect when it arrives (engine.h, registry_admit). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/limits.h>

#include "base/text.h"
#include "registry/client_impl.h"
#include "registry/plant.h"

enum { NAME_WAIT_MS_MIN = 50, NAME_WAIT_MS_MAX = 1000, WAIT_STEP_MS = 64, NAMES_MAX = 1 << 20, TARGET_BYTES = 3 * 255 + 160 };

void client__names_init(struct registry_client *client)
{
    client->own_names.seed = client__random(client);
    for (unsigned i = 0; i < LINES; i++)
        TAILQ_INIT(&client->lines[i]);
    client->later_ms = UINT64_MAX;
    client->batch_max = CLIENT_BATCH_NAMES_MAX;
    TAILQ_INIT(&client->questions);
    TAILQ_INIT(&client->finds);
}

/* ---- entries ---- */

struct own_name *client__name_of(struct registry_client *client, troupe_view name)
{
    return (struct own_name *)(void *)name_table_find(&client->own_names, name);
}

static struct own_name *make_entry(struct registry_client *client, troupe_view name)
{
    struct own_name *entry = client__name_of(client, name);
    if (entry != NULL || client->own_names.count >= NAMES_MAX)
        return entry;
    entry = calloc(1, sizeof *entry + name.len);
    if (entry == NULL)
        return NULL;
    memcpy(entry->text, name.ptr, name.len);
    entry->node.name = (troupe_view){entry->text, name.len};
    TAILQ_INIT(&entry->questions);
    if (name_table_add(&client->own_names, &entry->node) == 0)
        return entry;
    free(entry);
    return NULL;
}

static enum line line_of(const struct own_name *entry)
{
    bool has_core = troupe_ref_is_actor(entry->core), has_told = troupe_ref_is_actor(entry->told);
    bool is_fine = has_core ? has_told && entry->is_sure && troupe_ref_equal(entry->core, entry->told) : !has_told;
    bool is_asked = !TAILQ_EMPTY(&entry->questions);
    if (entry->slot != NULL || (is_fine && !is_asked))
        return LINE_NONE;
    return entry->retry_ms != 0 ? LINE_LATER : is_asked ? LINE_ASKED : LINE_WORK;
}

/* Put the entry where it belongs: to the work, or away. */
void client__name_settle(struct registry_client *client, struct own_name *entry)
{
    enum line line = line_of(entry);
    if (line != entry->line && entry->line != LINE_NONE)
        TAILQ_REMOVE(&client->lines[entry->line], entry, of_line);
    if (line != entry->line && line != LINE_NONE)
        TAILQ_INSERT_TAIL(&client->lines[line], entry, of_line);
    entry->line = line;
    if (line == LINE_LATER && entry->retry_ms < client->later_ms)
        client->later_ms = entry->retry_ms;
    if (line != LINE_NONE || entry->slot != NULL || troupe_ref_is_actor(entry->core) || troupe_ref_is_actor(entry->told))
        return;
    name_table_remove(&client->own_names, &entry->node);
    free(entry);
}

static void lose_core(struct registry_client *client, struct own_name *entry)
{
    troupe_ref core = entry->core;
    entry->core = (troupe_ref){0};
    entry->was_sure = false;
    if (troupe_ref_is_actor(core))
        client->config.on_name_lost(client->config.user, entry->node.name, core);
}

/* ---- questions ---- */

/* Take a question out of every line it stands in and free it; its call goes on without it. */
static void forget_question(struct registry_client *client, struct question *question)
{
    if (question->slot != NULL)
        question->slot->question = NULL;
    else if (question->entry != NULL)
        TAILQ_REMOVE(&question->entry->questions, question, of_entry);
    else
        TAILQ_REMOVE(&client->finds, question, of_entry);
    TAILQ_REMOVE(&client->questions, question, of_all);
    client->questions_count--;
    free(question);
}

static void answer_question(struct registry_client *client, struct question *question, int error, troupe_ref ref)
{
    uint64_t ticket = question->ticket;
    forget_question(client, question);
    client->config.on_name(client->config.user, ticket, error, ref);
}

static int add_question(struct registry_client *client, uint64_t ticket, struct own_name *entry, troupe_view name,
                        troupe_ref ref, uint64_t now_ms)
{
    struct question *question = calloc(1, sizeof *question + name.len);
    if (question == NULL)
        return TROUPE_E_NO_MEMORY;
    question->ticket = ticket;
    question->until_ms = now_ms + CLIENT_QUESTION_MS;
    question->entry = entry;
    question->ref = ref;
    question->name_len = name.len;
    if (name.len > 0)
        memcpy(question->name, name.ptr, name.len);
    TAILQ_INSERT_TAIL(&client->questions, question, of_all);
    if (entry != NULL)
        TAILQ_INSERT_TAIL(&entry->questions, question, of_entry);
    else
        TAILQ_INSERT_TAIL(&client->finds, question, of_entry);
    client->questions_count++;
    return 0;
}

static int may_ask(struct registry_client *client, troupe_view name, uint64_t now_ms)
{
    client__check_lease(client, now_ms); /* the process may have slept, and nobody has looked yet */
    if (client->phase >= PHASE_LEAVING || client->is_lost)
        return TROUPE_E_REGISTRY_LOST;
    if (name.len == 0 || name.len > TROUPE_NAME_BYTES_MAX)
        return TROUPE_E_INVALID;
    return client->questions_count < CLIENT_NAME_QUEUE_MAX ? 0 : TROUPE_E_LIMIT;
}

int registry_client_claim(struct registry_client *client, uint64_t ticket, troupe_view name, troupe_ref ref,
                          uint64_t now_ms)
{
    int error = may_ask(client, name, now_ms);
    if (error != 0)
        return error;
    struct own_name *entry = make_entry(client, name);
    error = entry == NULL ? TROUPE_E_NO_MEMORY
                          : add_question(client, ticket, entry, (troupe_view){0}, ref, now_ms);
    if (entry != NULL)
        client__name_settle(client, entry);
    client__names_pump(client, now_ms);
    return error;
}

int registry_client_find(struct registry_client *client, uint64_t ticket, troupe_view name, uint64_t now_ms)
{
    int error = may_ask(client, name, now_ms);
    if (error == 0)
        error = add_question(client, ticket, NULL, name, (troupe_ref){0}, now_ms);
    client__names_pump(client, now_ms);
    return error;
}

int registry_client_named(struct registry_client *client, troupe_view name, troupe_ref ref, bool taken, uint64_t now_ms)
{
    struct own_name *entry = taken ? make_entry(client, name) : client__name_of(client, name);
    if (entry == NULL)
        return taken ? TROUPE_E_NO_MEMORY : 0;
    if (taken) {
        entry->core = ref;
        entry->was_sure &= troupe_ref_equal(entry->told, ref);
    } else if (troupe_ref_equal(entry->core, ref)) {
        entry->core = (troupe_ref){0};
    }
    client__name_settle(client, entry);
    client__names_pump(client, now_ms);
    return 0;
}

bool registry_client_holds(const struct registry_client *client, troupe_view name, troupe_ref ref, uint64_t now_ms)
{
    const struct own_name *entry = (const struct own_name *)(const void *)name_table_find(&client->own_names, name);
    if (entry == NULL || !troupe_ref_is_actor(ref) || !troupe_ref_equal(entry->told, ref) || client->is_lost)
        return false;
    return entry->is_sure ? now_ms < client__lease_until_ms(client)
                          : entry->was_sure && now_ms < client->names_until_ms;
}

/* ---- calls ---- */

static struct slot *free_slot(struct registry_client *client, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        if (client->names[i].id == 0)
            return &client->names[i];
    }
    return NULL;
}

/* The lowest number that is still waited for, when `next` is about to be sent. */
uint64_t client__name_floor(const struct registry_client *client, uint64_t next)
{
    uint64_t floor = next;
    for (unsigned i = 0; i < CLIENT_SLOTS; i++) {
        if (client->names[i].id != 0 && client->names[i].kind != CALL_LOOKUP && client->names[i].seq < floor)
            floor = client->names[i].seq;
    }
    return floor;
}

static void begin_target(struct text *target, char *buf, troupe_view name)
{
    text_init_fixed(target, buf, TARGET_BYTES);
    text_add_str(target, "/v1/registry/names/");
    text_add_escaped(target, name);
}

bool client__name_tell(struct registry_client *client, struct own_name *entry, troupe_ref ref, uint64_t now_ms)
{
    bool is_told = troupe_ref_equal(entry->told, ref);
    bool is_held = entry->was_sure && is_told && now_ms < client->names_until_ms;
    if (!is_told)
        entry->is_sure = entry->was_sure = false;
    entry->told = ref; /* from now on it may have it */
    return is_held;
}

static void claim(struct registry_client *client, struct slot *slot, struct own_name *entry, struct question *question,
                  uint64_t now_ms)
{
    char buf[TARGET_BYTES], text[TROUPE_REF_TEXT_MAX];
    struct text target;
    troupe_ref ref = question != NULL ? question->ref : entry->core;
    uint64_t seq = ++client->next_seq;
    begin_target(&target, buf, entry->node.name);
    json_t *body = json_pack("{s:s, s:I, s:I}", "node", client->node, "seq", (json_int_t)seq, "floor",
                             (json_int_t)client__name_floor(client, seq));
    if (troupe_ref_is_actor(ref)) {
        troupe_ref_format(ref, text);
        json_object_set_new(body, "ref", json_string(text));
        if (client__name_tell(client, entry, ref, now_ms))
            json_object_set_new(body, "held", json_true());
    }
    *slot = (struct slot){.seq = seq, .ref = ref, .entry = entry, .question = question};
    client__perform(client, slot, CALL_CLAIM, "PUT", buf, body, client__call_ms(client), now_ms);
}

static void release(struct registry_client *client, struct slot *slot, struct own_name *entry, uint64_t now_ms)
{
    char buf[TARGET_BYTES], text[TROUPE_REF_TEXT_MAX];
    struct text target;
    uint64_t seq = ++client->next_seq;
    begin_target(&target, buf, entry->node.name);
    troupe_ref_format(entry->told, text);
    text_printf(&target, "?ref=%s&seq=%llu&floor=%llu", text, (unsigned long long)seq,
                (unsigned long long)client__name_floor(client, seq));
    entry->is_sure = entry->was_sure = false;
    *slot = (struct slot){.seq = seq, .ref = entry->told, .entry = entry};
    client__perform(client, slot, CALL_RELEASE, "DELETE", buf, NULL, client__call_ms(client), now_ms);
}

void client__name_work(struct registry_client *client, struct slot *slot, struct own_name *entry, uint64_t now_ms)
{
    bool is_left = troupe_ref_is_actor(entry->told) && !troupe_ref_equal(entry->core, entry->told);
    entry->slot = slot;
    if (is_left)
        release(client, slot, entry, now_ms);
    else
        claim(client, slot, entry, NULL, now_ms);
    client__name_settle(client, entry);
}

/* Begin what the first question of an entry needs next, or answer what is known without asking. */
static void ask(struct registry_client *client, struct slot *slot, struct own_name *entry, uint64_t now_ms)
{
    struct question *question = TAILQ_FIRST(&entry->questions);
    bool has_told = troupe_ref_is_actor(entry->told);
    bool is_core = troupe_ref_is_actor(entry->core) && troupe_ref_equal(entry->core, entry->told);
    bool is_asked = has_told && troupe_ref_equal(question->ref, entry->told);
    if (is_core && entry->is_sure) {
        bool is_same = troupe_ref_equal(question->ref, entry->core);
        answer_question(client, question, is_same ? 0 : TROUPE_E_NAME_TAKEN, entry->core);
        return;
    }
    entry->slot = slot;
    if (has_told && !is_core && !is_asked) {
        release(client, slot, entry, now_ms);
    } else if (!is_core || is_asked) {
        TAILQ_REMOVE(&entry->questions, question, of_entry);
        question->slot = slot;
        claim(client, slot, entry, question, now_ms);
    } else {
        claim(client, slot, entry, NULL, now_ms);
    }
}

static void look_up(struct registry_client *client, struct slot *slot, struct question *question, uint64_t now_ms)
{
    char buf[TARGET_BYTES];
    struct text target;
    begin_target(&target, buf, (troupe_view){question->name, question->name_len});
    TAILQ_REMOVE(&client->finds, question, of_entry);
    question->slot = slot;
    *slot = (struct slot){.question = question};
    client__perform(client, slot, CALL_LOOKUP, "GET", buf, NULL, client__call_ms(client), now_ms);
}

static bool begin_find(struct registry_client *client, struct slot *slot, uint64_t now_ms)
{
    struct question *question = TAILQ_FIRST(&client->finds);
    if (question != NULL)
        look_up(client, slot, question, now_ms);
    return question != NULL;
}

static bool begin_asked(struct registry_client *client, struct slot *slot, uint64_t now_ms)
{
    struct own_name *entry = TAILQ_FIRST(&client->lines[LINE_ASKED]);
    if (entry == NULL)
        return false;
    ask(client, slot, entry, now_ms);
    client__name_settle(client, entry);
    return true;
}

static void begin_questions(struct registry_client *client, uint64_t now_ms)
{
    struct slot *slot;
    bool has_begun = true;
    while (has_begun && (slot = free_slot(client, 0, CLIENT_NAME_CALLS_MAX)) != NULL) {
        client->is_finds_turn = !client->is_finds_turn; /* neither shall starve the other */
        has_begun = client->is_finds_turn
                  ? begin_find(client, slot, now_ms) || begin_asked(client, slot, now_ms)
                  : begin_asked(client, slot, now_ms) || begin_find(client, slot, now_ms);
    }
}

/* Those whose wait is over come back to the work. */
static void wake_later(struct registry_client *client, uint64_t now_ms)
{
    struct own_name *entry = TAILQ_FIRST(&client->lines[LINE_LATER]), *next;
    client->later_ms = UINT64_MAX;
    for (; entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, of_line);
        if (entry->retry_ms <= now_ms)
            entry->retry_ms = 0;
        client__name_settle(client, entry);
    }
}

void client__names_pump(struct registry_client *client, uint64_t now_ms)
{
    struct slot *slot;
    bool has_begun = client->phase == PHASE_MEMBER;
    if (!has_begun)
        return;
    if (now_ms >= client->later_ms)
        wake_later(client, now_ms);
    begin_questions(client, now_ms);
    while (has_begun && (slot = free_slot(client, CLIENT_NAME_CALLS_MAX, CLIENT_SLOTS)) != NULL)
        has_begun = client__batch_begin(client, slot, now_ms);
}

/* ---- answers ---- */

static bool read_ref(const json_t *document, const char *name, troupe_ref *ret_ref)
{
    const char *text = client__text(document, name);
    *ret_ref = (troupe_ref){0};
    return text[0] != '\0' && troupe_ref_parse(text, strlen(text), ret_ref) == 0;
}

static bool has_code(const json_t *problem, int error)
{
    return strcmp(client__text(problem, "code"), troupe_error_lookup(error)->code) == 0;
}

/* The registry does not have this node as it should: no verdict on the name. */
bool client__is_about_lease(const struct answer *answer)
{
    return answer->status == 401 || answer->status == 412 || has_code(answer->document, TROUPE_E_NOT_MEMBER);
}

/* In steps, so that the many entries of batches that failed are due together. */
void client__name_wait(struct registry_client *client, struct own_name *entry, uint64_t now_ms)
{
    uint64_t at_ms = now_ms + client__backoff_ms(client, NAME_WAIT_MS_MIN, NAME_WAIT_MS_MAX, ++entry->attempts);
    entry->retry_ms = (at_ms + WAIT_STEP_MS - 1) / WAIT_STEP_MS * WAIT_STEP_MS;
}

/* Ask again later: the question goes back to the front of its line. */
static void ask_again(struct registry_client *client, struct question *question)
{
    question->slot = NULL;
    if (question->entry != NULL)
        TAILQ_INSERT_HEAD(&question->entry->questions, question, of_entry);
    else
        TAILQ_INSERT_HEAD(&client->finds, question, of_entry);
}

void client__name_refused(struct registry_client *client, struct own_name *entry, struct question *question,
                          troupe_ref ref, const json_t *problem, uint64_t now_ms)
{
    troupe_ref holder = {0};
    if (troupe_ref_is_actor(ref))
        entry->told = (troupe_ref){0};
    entry->is_sure = entry->was_sure = false;
    if (has_code(problem, TROUPE_E_NAME_TAKEN)) {
        bool is_own = read_ref(problem, "actor", &holder) && troupe_home_equal(holder.home, client->own.node) &&
                      !troupe_ref_equal(holder, entry->core);
        if (is_own) {
            entry->told = holder; /* what nobody here holds any more: it is released, and asked again */
            if (question != NULL)
                ask_again(client, question);
            return;
        }
        if (question != NULL)
            answer_question(client, question, TROUPE_E_NAME_TAKEN, holder);
        if (troupe_ref_is_actor(ref) && troupe_ref_equal(entry->core, ref))
            lose_core(client, entry);
        return;
    }
    client__name_wait(client, entry, now_ms);
    if (question != NULL)
        answer_question(client, question, has_code(problem, TROUPE_E_REGISTRY_LOST) ? TROUPE_E_REGISTRY_LOST
                                                                                    : TROUPE_E_LIMIT, holder);
}

static void on_claimed(struct registry_client *client, const struct slot *call, const struct answer *answer,
                       uint64_t now_ms)
{
    struct own_name *entry = call->entry;
    struct question *question = call->question;
    if (!answer->is_proven || client__is_about_lease(answer)) {
        client__name_wait(client, entry, now_ms);
        client__probe(client, now_ms);
        if (question != NULL)
            ask_again(client, question);
    } else if (answer->status == 200) {
        entry->attempts = 0;
        if (troupe_ref_is_actor(call->ref))
            entry->is_sure = true;
        entry->was_sure &= !entry->is_sure;
        if (question != NULL)
            answer_question(client, question, 0, call->ref);
    } else {
        client__name_refused(client, entry, question, call->ref, answer->document, now_ms);
    }
}

static void on_released(struct registry_client *client, const struct slot *call, const struct answer *answer,
                        uint64_t now_ms)
{
    struct own_name *entry = call->entry;
    if (answer->is_proven && !client__is_about_lease(answer) && (answer->status < 300 || answer->status == 404)) {
        entry->told = (troupe_ref){0};
        entry->attempts = 0;
        return;
    }
    client__name_wait(client, entry, now_ms);
    if (!answer->is_proven || client__is_about_lease(answer))
        client__probe(client, now_ms);
}

static void on_looked_up(struct registry_client *client, const struct slot *call, const struct answer *answer,
                         uint64_t now_ms)
{
    struct question *question = call->question;
    troupe_ref ref = {0};
    if (question == NULL)
        return;
    if (!answer->is_proven || client__is_about_lease(answer)) {
        client__probe(client, now_ms);
        answer_question(client, question, TROUPE_E_REGISTRY_LOST, ref);
    } else if (answer->status == 200 && read_ref(answer->document, "ref", &ref)) {
        answer_question(client, question, 0, ref);
    } else {
        answer_question(client, question, has_code(answer->document, TROUPE_E_NOT_FOUND) ? TROUPE_E_NOT_FOUND
                                                                               : TROUPE_E_REGISTRY_LOST, ref);
    }
}

void client__names_answered(struct registry_client *client, const struct slot *call, struct slot *slot,
                            const struct answer *answer, uint64_t now_ms)
{
    struct own_name *entry = call->entry;
    *slot = (struct slot){0};
    if (call->kind == CALL_BATCH) {
        client__batch_answered(client, call, slot, answer, now_ms);
        return;
    }
    if (entry != NULL)
        entry->slot = NULL;
    if (call->kind == CALL_CLAIM)
        on_claimed(client, call, answer, now_ms);
    else if (call->kind == CALL_RELEASE)
        on_released(client, call, answer, now_ms);
    else
        on_looked_up(client, call, answer, now_ms);
    if (entry != NULL)
        client__name_settle(client, entry);
}

/* ---- the lease ---- */

/* Every entry, once; fn may settle it away. */
static void for_each(struct registry_client *client, void (*fn)(struct registry_client *client, struct own_name *entry))
{
    for (uint32_t i = 0; client->own_names.buckets != NULL && i <= client->own_names.mask; i++) {
        for (struct name_node *node = client->own_names.buckets[i], *next; node != NULL; node = next) {
            next = node->chain;
            fn(client, (struct own_name *)(void *)node);
        }
    }
}

/* End a call: its outcome is not known. The others of a batch are looked after by who goes through all entries. */
static void drop_call(struct registry_client *client, struct own_name *entry)
{
    struct slot *slot = entry->slot;
    if (slot == NULL)
        return;
    if (slot->question != NULL)
        ask_again(client, slot->question);
    client__abort(client, slot);
    for (struct own_name *other = slot->batch; other != NULL; other = other->next_of_batch)
        other->slot = NULL;
    entry->slot = NULL;
    *slot = (struct slot){0};
}

static void doubt(struct registry_client *client, struct own_name *entry)
{
    drop_call(client, entry);
    entry->was_sure = entry->was_sure || entry->is_sure;
    entry->is_sure = entry->is_sure && REGISTRY_PLANTED(6);
    entry->retry_ms = 0;
    /* What another registry has been told, this one need not be told to forget. */
    if (!troupe_ref_equal(entry->core, entry->told))
        entry->told = (troupe_ref){0};
    client__name_settle(client, entry);
}

static void lose_doubted(struct registry_client *client, struct own_name *entry)
{
    if (entry->was_sure && !entry->is_sure)
        lose_core(client, entry);
    client__name_settle(client, entry);
}

void client__names_doubt(struct registry_client *client, uint64_t until_ms, uint64_t now_ms)
{
    (void)now_ms;
    for_each(client, doubt);
    if (client->names_until_ms == 0 || until_ms < client->names_until_ms)
        client->names_until_ms = until_ms;
    if (client->names_until_ms == 0)
        for_each(client, lose_doubted);
}

static void give_up(struct registry_client *client, struct own_name *entry)
{
    drop_call(client, entry);
    lose_core(client, entry);
    entry->is_sure = false;
    client__name_settle(client, entry);
}

void client__names_give_up(struct registry_client *client)
{
    struct question *question;
    for_each(client, give_up);
    for (unsigned i = 0; i < CLIENT_SLOTS; i++) { /* what is left are finds */
        if (client->names[i].id != 0 && client->names[i].question != NULL)
            ask_again(client, client->names[i].question);
        client__abort(client, &client->names[i]);
        client->names[i] = (struct slot){0};
    }
    client->names_until_ms = 0;
    while ((question = TAILQ_FIRST(&client->questions)) != NULL) {
        struct own_name *entry = question->entry;
        answer_question(client, question, TROUPE_E_REGISTRY_LOST, (troupe_ref){0});
        if (entry != NULL)
            client__name_settle(client, entry);
    }
}

/* ---- time ---- */

void client__names_tick(struct registry_client *client, uint64_t now_ms)
{
    struct question *question;
    if (client->names_until_ms != 0 && now_ms >= client->names_until_ms) {
        client->names_until_ms = 0;
        for_each(client, lose_doubted);
    }
    while ((question = TAILQ_FIRST(&client->questions)) != NULL && now_ms >= question->until_ms) {
        struct own_name *entry = question->entry;
        answer_question(client, question, TROUPE_E_REGISTRY_LOST, (troupe_ref){0});
        if (entry != NULL)
            client__name_settle(client, entry);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t client__names_next_ms(const struct registry_client *client)
{
    uint64_t next_ms = client->names_until_ms != 0 ? client->names_until_ms : UINT64_MAX;
    const struct question *question = TAILQ_FIRST(&client->questions);
    if (question != NULL)
        next_ms = earlier(next_ms, question->until_ms);
    for (unsigned i = 0; i < CLIENT_SLOTS; i++) {
        if (client->names[i].id != 0)
            next_ms = earlier(next_ms, client->names[i].until_ms);
    }
    return client->phase == PHASE_MEMBER ? earlier(next_ms, client->later_ms) : next_ms;
}

static void free_entry(struct registry_client *client, struct own_name *entry)
{
    (void)client;
    free(entry);
}

void client__names_fini(struct registry_client *client)
{
    struct question *question;
    for (unsigned i = 0; i < CLIENT_SLOTS; i++)
        client__abort(client, &client->names[i]);
    while ((question = TAILQ_FIRST(&client->questions)) != NULL) {
        TAILQ_REMOVE(&client->questions, question, of_all);
        free(question);
    }
    for_each(client, free_entry);
    name_table_fini(&client->own_names);
}
