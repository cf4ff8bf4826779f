/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of a node that joins, and its lease.
 *
 *   phase        event                            then
 *   finding      the wait is over                 GET /v1/registry
 *                200, the first, no secret        refused
 *                200, the first or our cluster    the epoch that has us: member, renew; another: registering
 *                200, another cluster; else       wait, finding
 *   registering  entered                          PUT the record, signed for the epoch that was found
 *                200 proven                       member; the lease begins when the PUT was sent
 *                400 409 410 422 proven           refused
 *                else                             wait, finding
 *   member       renewal due                      POST renew
 *                200 proven                       the lease begins when it was sent; up when the registry says so
 *                410 proven                       refused: the lease was over
 *                401 412, proven or not           finding at once: the registry was restarted, or it is not there any more
 *                else                             wait; the second time in a row: finding
 *                the record is new, or was not    PUT the record; 200: as a renewal; 4xx proven: wait, member
 *                found good and the wait is over
 *   leaving      entered                          DELETE
 *                any answer; time is over         left
 *                error                            wait, DELETE again
 *   any          leave                            leaving if it was a member, else left
 *   left, refused   anything                      nothing
 *
 * The lease is beside the phases: `until` is the send time of what was answered last, plus lease, minus margin. When it
 * passes the node is lost: every name is given up, whatever the phase, until the registry has renewed. Renewing after
 * that is possible as long as the registry has not ended the lease, or has been restarted.
 *
 * What is told (on_state): joining states while the node has never been up; from then on up or lost, so that a restart
 * of the registry is not seen by those who are up.
 *
 * Invariants: one control call at a time; nothing that is not proven changes anything but words and the phase finding;
 * names and the watch are served in the phase member only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/client_impl.h"
#include "registry/plant.h"

enum { WAIT_MS_MIN = 50, WAIT_MS_MAX = 2000, JOINING_MS = 200 };

/* ---- what is told ---- */

static enum registry_client_state state_now(const struct registry_client *client)
{
    static const enum registry_client_state first[] = {
        [PHASE_FINDING] = CLIENT_FINDING, [PHASE_REGISTERING] = CLIENT_REGISTERING, [PHASE_MEMBER] = CLIENT_JOINING,
        [PHASE_LEAVING] = CLIENT_LEFT, [PHASE_LEFT] = CLIENT_LEFT, [PHASE_REFUSED] = CLIENT_REFUSED,
    };
    if (client->phase >= PHASE_LEAVING || !client->was_up)
        return first[client->phase];
    return client->is_lost ? CLIENT_LOST : CLIENT_UP;
}

static void report(struct registry_client *client)
{
    enum registry_client_state state = state_now(client);
    if (client->phase == PHASE_LEAVING)
        return; /* told when it is over */
    if (state == client->reported && strcmp(client->words, client->reported_words) == 0)
        return;
    client->reported = state;
    memcpy(client->reported_words, client->words, sizeof client->words);
    client->config.on_state(client->config.user, state, client->reported_words);
}

static void say(struct registry_client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct registry_client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(client->words, sizeof client->words, format, args);
    va_end(args);
}

/* ---- the lease ---- */

uint64_t client__lease_until_ms(const struct registry_client *client)
{
    if (!client->has_lease)
        return UINT64_MAX;
    uint64_t use_ms = client->lease_ms > client->config.margin_ms ? client->lease_ms - client->config.margin_ms : 0;
    return client->lease_sent_ms + use_ms;
}

void client__check_lease(struct registry_client *client, uint64_t now_ms)
{
    if (client->is_lost || now_ms < client__lease_until_ms(client) || client->phase >= PHASE_LEAVING)
        return;
    client->is_lost = true;
    client__names_give_up(client);
    if (client->words[0] == '\0')
        say(client, "the registry has not answered for %llu ms",
            (unsigned long long)(now_ms - client->lease_sent_ms));
    report(client);
}

static void refuse(struct registry_client *client, const char *words)
{
    client->phase = PHASE_REFUSED;
    client->missing_until_ms = 0;
    say(client, "%s", words);
    client__abort(client, &client->control);
    client__abort(client, &client->watch);
    client__abort(client, &client->ask);
    client->is_lost = true;
    client__names_give_up(client);
    report(client);
}

static void wait_and_find(struct registry_client *client, uint64_t now_ms)
{
    client->phase = PHASE_FINDING;
    client->attempts++;
    client->control_ms = now_ms + client__backoff_ms(client, WAIT_MS_MIN, WAIT_MS_MAX, client->attempts);
}

void client__probe(struct registry_client *client, uint64_t now_ms)
{
    if (client->phase == PHASE_MEMBER && client->attempts == 0)
        client->control_ms = now_ms;
}

/* ---- control calls ---- */

static void find(struct registry_client *client, uint64_t now_ms)
{
    client__perform(client, &client->control, CALL_FIND, "GET", "/v1/registry", NULL, client__call_ms(client), now_ms);
}

static void put_record(struct registry_client *client, uint64_t now_ms)
{
    char target[64];
    struct registry_record record = client->own; /* a borrowed view */
    record.state = client->is_draining ? REGISTRY_DRAINING : REGISTRY_UP;
    snprintf(target, sizeof target, "/v1/registry/nodes/%s", client->node);
    client->control.revision = record.revision;
    client->put_ms = UINT64_MAX;
    client__perform(client, &client->control, CALL_REGISTER, "PUT", target, registry_record_to_json(&record),
                    client__call_ms(client), now_ms);
}

static void renew(struct registry_client *client, uint64_t now_ms)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/registry/nodes/%s/renew", client->node);
    json_t *body = json_pack("{s:s}", "state", registry_state_word(client->is_draining ? REGISTRY_DRAINING
                                                                                      : REGISTRY_UP));
    client__perform(client, &client->control, CALL_RENEW, "POST", target, body, client__call_ms(client), now_ms);
}

static void leave(struct registry_client *client, uint64_t now_ms)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/registry/nodes/%s", client->node);
    client__perform(client, &client->control, CALL_LEAVE, "DELETE", target, NULL, CLIENT_LEAVE_MS / 2, now_ms);
}

static void left(struct registry_client *client)
{
    client__abort(client, &client->control);
    client->phase = PHASE_LEFT;
    client->words[0] = '\0';
    report(client);
}

static void pump_control(struct registry_client *client, uint64_t now_ms)
{
    if (client->control.id != 0)
        return;
    if (client->phase == PHASE_LEAVING && now_ms >= client->leave_until_ms) {
        left(client);
        return;
    }
    bool is_due = now_ms >= client->control_ms;
    if (client->phase == PHASE_FINDING && is_due)
        find(client, now_ms);
    else if (client->phase == PHASE_REGISTERING)
        put_record(client, now_ms);
    else if (client->phase == PHASE_MEMBER && now_ms >= client->put_ms)
        put_record(client, now_ms);
    else if (client->phase == PHASE_MEMBER && is_due)
        renew(client, now_ms);
    else if (client->phase == PHASE_LEAVING && is_due)
        leave(client, now_ms);
}

static void pump(struct registry_client *client, uint64_t now_ms)
{
    pump_control(client, now_ms);
    client__members_pump(client, now_ms);
    client__names_pump(client, now_ms);
}

/* ---- answers ---- */

static void say_failure(struct registry_client *client, const struct answer *answer)
{
    if (answer->status == 0)
        say(client, "%s", answer->words);
    else if (answer->status < 300)
        say(client, "what answers at the registry's address does not prove that it has the cluster's secret");
    else if (answer->status == 401 && !answer->is_proven)
        say(client, "what answers at the registry's address does not take this node's secret: status 401, %s",
            answer->detail);
    else
        say(client, "the registry answers with status %u: %s", answer->status, answer->detail);
}

static void on_found(struct registry_client *client, const struct slot *call, const struct answer *answer,
                     uint64_t now_ms)
{
    const char *cluster = client__text(answer->document, "cluster"), *epoch = client__text(answer->document, "epoch");
    json_int_t time_ms = json_integer_value(json_object_get(answer->document, "time_ms"));
    char words[CLIENT_WORDS_BYTES] = "";
    if (answer->status != 200 || cluster[0] == '\0' || strlen(cluster) >= sizeof client->cluster || epoch[0] == '\0' ||
        strlen(epoch) >= sizeof client->epoch || time_ms <= 0) {
        if (answer->status == 200)
            say(client, "what answers at the registry's address is no registry");
        else
            say_failure(client, answer);
        wait_and_find(client, now_ms);
        return;
    }
    if (client->cluster[0] != '\0' && strcmp(cluster, client->cluster) != 0) {
        say(client, "what answers at the registry's address is the cluster %s, this node belongs to %s", cluster,
            client->cluster);
        wait_and_find(client, now_ms);
        return;
    }
    if (client->cluster[0] == '\0') {
        if (!client->config.on_cluster(client->config.user, cluster, words, sizeof words)) {
            refuse(client, words);
            return;
        }
        snprintf(client->cluster, sizeof client->cluster, "%s", cluster);
    }
    /* Half of the way there and back has passed since the registry wrote it; the window forgives all of it. */
    client->time_base_ms = (uint64_t)time_ms - now_ms;
    (void)call;
    snprintf(client->found_epoch, sizeof client->found_epoch, "%s", epoch);
    client->phase = strcmp(epoch, client->epoch) == 0 ? PHASE_MEMBER : PHASE_REGISTERING;
    client->control_ms = now_ms;
}

/* The lease goes on from when this call was sent, and the registry sees the node in this state. */
static void on_renewed(struct registry_client *client, const struct slot *call, const struct answer *answer,
                       uint64_t now_ms)
{
    enum registry_state state = registry_state_parse(client__text(answer->document, "state"));
    uint64_t early_ms = client->renew_ms / 8;
    client->lease_sent_ms = REGISTRY_PLANTED(1) ? now_ms + client->config.margin_ms : call->sent_ms;
    client->has_lease = true;
    client->attempts = 0;
    client->control_ms = call->sent_ms + client->renew_ms - client__random(client) % (early_ms + 1);
    client->is_up = state == REGISTRY_UP || state == REGISTRY_DRAINING;
    client->was_up |= client->is_up;
    if (!client->is_up) /* somebody waits for it: ask more often than the lease needs */
        client->control_ms = now_ms + client__backoff_ms(client, JOINING_MS, client->renew_ms, 1);
    if (now_ms < client__lease_until_ms(client))
        client->is_lost = false;
    say(client, "%s", client__text(answer->document, "words"));
    if (client->words[0] != '\0' && client->put_ms == UINT64_MAX)
        client->put_ms = now_ms + client__backoff_ms(client, client->renew_ms / 2 + 1, client->renew_ms, 1);
    if (client->own.revision != client->told_revision)
        client->put_ms = now_ms;
    if (json_is_true(json_object_get(answer->document, "drain")) && !client->was_asked_to_drain) {
        client->was_asked_to_drain = true;
        client->config.on_drain(client->config.user);
    }
}

static void on_registered(struct registry_client *client, const struct slot *call, const struct answer *answer,
                          uint64_t now_ms)
{
    json_int_t lease_ms = json_integer_value(json_object_get(answer->document, "lease_ms"));
    json_int_t renew_ms = json_integer_value(json_object_get(answer->document, "renew_ms"));
    bool is_good = answer->status == 200 && answer->is_proven && lease_ms > 0 && renew_ms > 0 && renew_ms <= lease_ms &&
                   strcmp(client__text(answer->document, "epoch"), client->found_epoch) == 0;
    if (!is_good) {
        bool is_final = answer->is_proven && (answer->status == 400 || answer->status == 409 || answer->status == 410 ||
                                              answer->status == 422);
        say_failure(client, answer);
        if (is_final && (client->phase == PHASE_REGISTERING || answer->status == 410)) {
            refuse(client, answer->detail);
        } else if (client->phase == PHASE_MEMBER && is_final) {
            client->put_ms = now_ms + client__backoff_ms(client, client->renew_ms, WAIT_MS_MAX, ++client->attempts);
        } else {
            if (client->phase == PHASE_MEMBER)
                client->put_ms = now_ms; /* after it was found again */
            wait_and_find(client, now_ms);
        }
        return;
    }
    if (strcmp(client->epoch, client->found_epoch) != 0) {
        uint64_t until_ms = client->has_lease && !client->is_lost ? client__lease_until_ms(client) : 0;
        memcpy(client->epoch, client->found_epoch, sizeof client->epoch);
        client__names_doubt(client, until_ms, now_ms);
        client__members_doubt(client, now_ms);
    }
    client->phase = PHASE_MEMBER;
    client->lease_ms = (uint64_t)lease_ms;
    client->renew_ms = (uint64_t)renew_ms;
    client->told_revision = call->revision;
    on_renewed(client, call, answer, now_ms);
}

static void on_renew_answered(struct registry_client *client, const struct slot *call, const struct answer *answer,
                              uint64_t now_ms)
{
    if (answer->status == 200 && answer->is_proven) {
        on_renewed(client, call, answer, now_ms);
        return;
    }
    if (answer->status == 410 && answer->is_proven) {
        refuse(client, "the registry has ended this node's lease; start the node again, so that it has a new id");
        return;
    }
    say_failure(client, answer);
    client->attempts++;
    client->control_ms = now_ms + client__backoff_ms(client, WAIT_MS_MIN, client->renew_ms / 2 + 1, client->attempts);
    if (answer->status == 401 || answer->status == 412 || client->attempts >= 2)
        client->phase = PHASE_FINDING;
    if (client->attempts == 1 && client->phase == PHASE_FINDING)
        client->control_ms = now_ms;
}

static void on_leave_answered(struct registry_client *client, const struct answer *answer, uint64_t now_ms)
{
    if (answer->status != 0)
        left(client);
    else
        client->control_ms = now_ms + client__backoff_ms(client, WAIT_MS_MIN, WAIT_MS_MAX, ++client->attempts);
}

static void on_ask_answered(struct registry_client *client, const struct answer *answer, uint64_t now_ms)
{
    if (answer->is_proven || now_ms >= client->asks_until_ms[0]) {
        client->asks_count--;
        memmove(&client->asks[0], &client->asks[1], client->asks_count * sizeof client->asks[0]);
        memmove(&client->asks_until_ms[0], &client->asks_until_ms[1],
                client->asks_count * sizeof client->asks_until_ms[0]);
        client->ask_ms = now_ms;
    } else {
        client->ask_ms = now_ms + client__backoff_ms(client, WAIT_MS_MIN, WAIT_MS_MAX, 2);
    }
}

static struct slot *slot_of(struct registry_client *client, uint64_t id)
{
    struct slot *const singles[] = {&client->control, &client->watch, &client->ask};
    if (id == 0)
        return NULL;
    for (unsigned i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        if (singles[i]->id == id)
            return singles[i];
    }
    for (unsigned i = 0; i < CLIENT_SLOTS; i++) {
        if (client->names[i].id == id)
            return &client->names[i];
    }
    return NULL;
}

static void answered(struct registry_client *client, struct slot *slot, const struct answer *answer, uint64_t now_ms)
{
    uint64_t id = slot->id;
    client__check_lease(client, now_ms);
    if (slot->id != id)
        return; /* a name call, which was given up with the lease */
    const struct slot call = *slot;
    slot->id = 0; /* free for what follows */
    switch (call.kind) {
    case CALL_FIND:
        on_found(client, &call, answer, now_ms);
        break;
    case CALL_REGISTER:
        on_registered(client, &call, answer, now_ms);
        break;
    case CALL_RENEW:
        on_renew_answered(client, &call, answer, now_ms);
        break;
    case CALL_LEAVE:
        on_leave_answered(client, answer, now_ms);
        break;
    case CALL_LIST:
    case CALL_WATCH:
        client__members_answered(client, &call, answer, now_ms);
        break;
    case CALL_CLAIM:
    case CALL_RELEASE:
    case CALL_LOOKUP:
    case CALL_BATCH:
        client__names_answered(client, &call, slot, answer, now_ms);
        break;
    case CALL_ASK_DRAIN:
        on_ask_answered(client, answer, now_ms);
        break;
    }
    report(client);
    pump(client, now_ms);
}

void registry_client_on_reply(struct registry_client *client, uint64_t id, unsigned status, troupe_view proof,
                              troupe_view body, uint64_t now_ms)
{
    struct slot *slot = slot_of(client, id);
    if (slot == NULL)
        return;
    struct answer answer = {.status = status, .code = "", .detail = "", .words = ""};
    answer.is_proven = slot->kind != CALL_FIND &&
                       registry_auth_proof_is_good(client->config.secret, slot->nonce, status, body, proof);
    if (body.len > 0)
        answer.document = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    answer.code = client__text(answer.document, "code");
    answer.detail = client__text(answer.document, "detail");
    answered(client, slot, &answer, now_ms);
    json_decref(answer.document);
}

void registry_client_on_error(struct registry_client *client, uint64_t id, const char *words, uint64_t now_ms)
{
    struct slot *slot = slot_of(client, id);
    if (slot != NULL)
        answered(client, slot, &(struct answer){.code = "", .detail = "", .words = words}, now_ms);
}

/* ---- time ---- */

/* End a call that the driver did not end in its time. */
static void check_slot(struct registry_client *client, struct slot *slot, uint64_t now_ms)
{
    if (slot->id == 0 || now_ms < slot->until_ms)
        return;
    client->config.abort(client->config.user, slot->id);
    answered(client, slot, &(struct answer){.code = "", .detail = "", .words = "the registry does not answer"}, now_ms);
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t control_next_ms(const struct registry_client *client)
{
    uint64_t next_ms = UINT64_MAX;
    if (client->phase >= PHASE_LEFT)
        return UINT64_MAX;
    if (client->phase == PHASE_LEAVING)
        next_ms = client->leave_until_ms;
    else if (!client->is_lost)
        next_ms = client__lease_until_ms(client);
    if (client->control.id != 0)
        return earlier(next_ms, client->control.until_ms);
    next_ms = earlier(next_ms, client->control_ms);
    return client->phase == PHASE_MEMBER ? earlier(next_ms, client->put_ms) : next_ms;
}

static uint64_t ask_next_ms(const struct registry_client *client)
{
    if (client->ask.id != 0)
        return client->ask.until_ms;
    return client->asks_count > 0 && client->phase == PHASE_MEMBER ? client->ask_ms : UINT64_MAX;
}

static void pump_ask(struct registry_client *client, uint64_t now_ms)
{
    char target[80], node[TROUPE_HOME_TEXT_MAX];
    if (client->ask.id != 0 || client->asks_count == 0 || client->phase != PHASE_MEMBER || now_ms < client->ask_ms)
        return;
    troupe_home_format(client->asks[0], node);
    snprintf(target, sizeof target, "/v1/registry/nodes/%s/drain", node);
    client__perform(client, &client->ask, CALL_ASK_DRAIN, "POST", target, NULL, client__call_ms(client), now_ms);
}

uint64_t registry_client_tick(struct registry_client *client, uint64_t now_ms)
{
    client__check_lease(client, now_ms);
    check_slot(client, &client->control, now_ms);
    check_slot(client, &client->watch, now_ms);
    check_slot(client, &client->ask, now_ms);
    for (unsigned i = 0; i < CLIENT_SLOTS; i++)
        check_slot(client, &client->names[i], now_ms);
    if (client->phase == PHASE_LEAVING && now_ms >= client->leave_until_ms)
        left(client);
    client__members_tick(client, now_ms);
    client__names_tick(client, now_ms);
    pump(client, now_ms);
    pump_ask(client, now_ms);
    uint64_t next_ms = earlier(control_next_ms(client), client__members_next_ms(client));
    next_ms = earlier(next_ms, earlier(client__names_next_ms(client), ask_next_ms(client)));
    return next_ms == UINT64_MAX ? UINT64_MAX : next_ms > now_ms ? next_ms - now_ms : 0;
}

/* ---- wishes ---- */

void registry_client_set_secret(struct registry_client *client, const struct registry_secret *secret)
{
    client->config.secret = secret;
}

int registry_client_set_own(struct registry_client *client, const struct registry_record *record, uint64_t now_ms)
{
    struct registry_record copy;
    int error = registry_record_copy(&copy, record);
    if (error != 0)
        return error;
    registry_record_fini(&client->own);
    client->own = copy;
    client->put_ms = now_ms;
    pump_control(client, now_ms);
    return 0;
}

void registry_client_drain(struct registry_client *client, uint64_t now_ms)
{
    if (client->is_draining)
        return;
    client->is_draining = true;
    client__probe(client, now_ms);
    pump_control(client, now_ms);
}

void registry_client_ask_drain(struct registry_client *client, troupe_home node, uint64_t now_ms)
{
    for (uint32_t i = 0; i < client->asks_count; i++) {
        if (troupe_home_equal(client->asks[i], node))
            return;
    }
    if (client->asks_count == CLIENT_ASKS_MAX || client->phase >= PHASE_LEAVING)
        return; /* it can be asked again */
    client->asks_until_ms[client->asks_count] = now_ms + CLIENT_QUESTION_MS;
    client->asks[client->asks_count++] = node;
    pump_ask(client, now_ms);
}

void registry_client_leave(struct registry_client *client, uint64_t now_ms)
{
    if (client->phase >= PHASE_LEAVING)
        return;
    client__abort(client, &client->control);
    client__abort(client, &client->watch);
    client__abort(client, &client->ask);
    client->is_lost = true;
    client__names_give_up(client);
    client->phase = PHASE_LEAVING;
    client->missing_until_ms = 0;
    client->attempts = 0;
    client->control_ms = now_ms;
    client->leave_until_ms = now_ms + CLIENT_LEAVE_MS;
    if (client->epoch[0] == '\0')
        left(client);
    else
        pump_control(client, now_ms);
}

uint64_t registry_client_names_until_ms(const struct registry_client *client)
{
    uint64_t until_ms = client->is_lost ? 0 : client__lease_until_ms(client);
    return client->names_until_ms != 0 ? earlier(until_ms, client->names_until_ms) : until_ms;
}

enum registry_client_state registry_client_state_of(const struct registry_client *client) { return state_now(client); }

/* ---- the object ---- */

int registry_client_new(const struct registry_client_config *config, uint64_t now_ms,
                        struct registry_client **ret_client)
{
    struct registry_client *client = calloc(1, sizeof *client);
    struct known *known = calloc(CLIENT_KNOWN_MAX, sizeof *known);
    if (client == NULL || known == NULL || registry_record_copy(&client->own, &config->own) != 0) {
        free(client);
        free(known);
        return TROUPE_E_NO_MEMORY;
    }
    client->config = *config;
    client->config.own = (struct registry_record){0};
    client->known = known;
    client->random = config->seed;
    client->phase = PHASE_FINDING;
    client->reported = CLIENT_FINDING;
    client->control_ms = client->watch_ms = client->ask_ms = now_ms;
    client->put_ms = UINT64_MAX;
    client->needs_list = true;
    troupe_home_format(config->own.node, client->node);
    client__names_init(client);
    *ret_client = client;
    return 0;
}

void registry_client_free(struct registry_client *client)
{
    if (client == NULL)
        return;
    client__abort(client, &client->control);
    client__abort(client, &client->watch);
    client__abort(client, &client->ask);
    client__names_fini(client);
    client__members_fini(client);
    registry_record_fini(&client->own);
    free(client);
}
