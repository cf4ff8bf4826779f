/* SPDX-License-Identifier: Apache-2.0
 *
 * spawn and stop. What a spawn points to must last until it is answered, so it is copied into one block, which begins
 * with the place's request. */
#include <stdio.h>
#include <string.h>

#include "api/audit.h"
#include "api/authorize.h"
#include "api/contract.h"
#include "session/inside.h"

/* ---- spawn ---- */

struct spawning {
    struct place_request place;
    troupe_spawn_opts opts;
    bool returns_existing;
    char behavior[TROUPE_TYPE_BYTES_MAX + 1];
    char bytes[];                    /* the name, the args */
};

static void reply_actor(struct session *session, troupe_view id, troupe_ref ref, const struct spawning *spawning,
                        bool existed)
{
    char json[TROUPE_NAME_BYTES_MAX * 6 + 512], ref_text[TROUPE_REF_TEXT_MAX], home[TROUPE_HOME_TEXT_MAX];
    struct text text;
    troupe_peek peek;
    bool is_seen = existed && troupe_system_peek(session->env->system, ref, &peek) == 0;
    const char *behavior = !existed ? spawning->behavior : is_seen ? peek.behavior->name : NULL;
    troupe_ref_format(ref, ref_text);
    troupe_home_format(ref.home, home);
    text_init_fixed(&text, json, sizeof json);
    text_printf(&text, "{\"ref\":\"%s\",\"name\":", ref_text);
    if (spawning->opts.name.len > 0)
        text_add_json(&text, spawning->opts.name);
    else
        text_add_str(&text, "null");
    /* A behavior's name is of characters that need no escapes. */
    text_printf(&text, behavior != NULL ? ",\"behavior\":\"%s\"" : ",\"behavior\":null", behavior);
    text_printf(&text, ",\"node\":\"%s\",\"existed\":%s}", home, existed ? "true" : "false");
    write_reply_json(session, id, (troupe_view){text.ptr, text.len});
}

static void refuse_spawn(struct session *session, const struct session_op *op, const troupe_answer *answer,
                         const struct spawning *spawning, bool is_hidden)
{
    char words[SESSION_WORDS_BYTES], taken[TROUPE_NAME_BYTES_MAX + 128];
    struct api_problem problem = session_problem(session, answer, (troupe_ref){0}, words);
    if (is_hidden) {
        problem.detail = troupe_view_of("the name is taken by an actor that this token may not see; take another name");
    } else if (answer->error == TROUPE_E_NAME_TAKEN) {
        int len = snprintf(taken, sizeof taken, "another actor has the name %.*s; use it, take another name, or spawn "
                           "with \"if_exists\":\"return\"", (int)spawning->opts.name.len, spawning->opts.name.ptr);
        problem.detail = (troupe_view){taken, (size_t)len};
        problem.actor = answer->ref;
    }
    write_error(session, op_id(op), &problem);
}

static void spawn_done(troupe_request *request, const troupe_answer *answer)
{
    struct session_op *op = request->user;
    struct session *session = op->session;
    const struct spawning *spawning = op->more;
    bool is_taken = answer->error == TROUPE_E_NAME_TAKEN;
    bool is_hidden = is_taken && !authorize_holder(session->env->system, session->token, answer->ref,
                                                   spawning->opts.name);
    bool existed = is_taken && !is_hidden && spawning->returns_existing;
    op->asks_place = false;
    session_enter(session);
    if (!existed)
        audit_write(&(struct audit_line){.action = "spawn", .from = session->peer, .token = session->token,
                                         .actor = answer->ref, .behavior = spawning->behavior,
                                         .error = answer->error});
    if (existed || answer->error == 0)
        reply_actor(session, op_id(op), answer->ref, spawning, existed);
    else
        refuse_spawn(session, op, answer, spawning, is_hidden);
    op_close(op);
    session_leave(session);
}

/* The args against the schema of the behavior. */
static bool check_args(struct session *session, struct session_turn *turn)
{
    char field[sizeof "/args" + SCHEMA_POINTER_BYTES];
    struct schema_fault fault;
    const struct schema *schema = contract_of_args(session->env->system, turn->frame->behavior);
    if (schema == NULL || schema_check(schema, turn->frame->args, &fault) == 0)
        return true;
    snprintf(field, sizeof field, "/args%s", fault.pointer);
    audit_write(&(struct audit_line){.action = "spawn", .from = session->peer, .token = session->token,
                                     .behavior = troupe_system_behavior(session->env->system,
                                                                        turn->frame->behavior)->name,
                                     .error = fault.error});
    session_refuse_words(session, turn, fault.error, field, "args: %s", fault.detail);
    return false;
}

static bool check_spawn(struct session *session, struct session_turn *turn)
{
    const struct frame *frame = turn->frame;
    bool has_name = frame->name.len > 0;
    if (has_name && !check_is_name(frame->name)) {
        session_refuse_words(session, turn, TROUPE_E_SCHEMA, "name", "%s", check_name_rule);
        return false;
    }
    if (has_name && !access_name_is_allowed(session->token, frame->name)) {
        session_refuse_words(session, turn, TROUPE_E_FORBIDDEN, "name",
                             "the token %s may only give names that begin with its name_prefix",
                             access_token_id(session->token));
        return false;
    }
    if (!authorize_spawn(session->token, frame->behavior, frame->name)) {
        session_refuse_access(session, turn);
        return false;
    }
    if (troupe_system_behavior(session->env->system, frame->behavior) == NULL) {
        session_refuse_words(session, turn, TROUPE_E_UNKNOWN_BEHAVIOR, "behavior",
                             "this node has no behavior %.*s; GET /v1/behaviors lists what it has",
                             (int)frame->behavior.len, frame->behavior.ptr);
        return false;
    }
    return check_args(session, turn);
}

static bool read_mailbox(struct session *session, struct session_turn *turn, struct frame_mailbox *mailbox)
{
    const struct frame *frame = turn->frame;
    struct check_fault fault;
    *mailbox = (struct frame_mailbox){0};
    if (!frame_has(frame, FRAME_MAILBOX) ||
        check_object(frame->mailbox.ptr, frame->mailbox.len, frame_mailbox_fields, mailbox, &fault) == 0)
        return true;
    session_refuse_words(session, turn, fault.error, "mailbox", "mailbox.%s: %s", fault.field, fault.detail);
    return false;
}

static struct spawning *spawning_new(const struct frame *frame, const struct frame_mailbox *mailbox,
                                     troupe_caller caller)
{
    struct spawning *spawning = troupe_alloc(sizeof *spawning + frame->name.len + frame->args.len);
    if (spawning == NULL)
        return NULL;
    char *name = spawning->bytes, *args = name + frame->name.len;
    if (frame->name.len > 0)
        memcpy(name, frame->name.ptr, frame->name.len);
    if (frame->args.len > 0)
        memcpy(args, frame->args.ptr, frame->args.len);
    memcpy(spawning->behavior, frame->behavior.ptr, frame->behavior.len);
    spawning->behavior[frame->behavior.len] = '\0';
    spawning->returns_existing = frame->if_exists == 1;
    spawning->opts = (troupe_spawn_opts){
        .behavior = spawning->behavior,
        .name = {name, frame->name.len},
        .args = frame->args.len > 0 ? troupe_body_json(args, frame->args.len) : troupe_body_none(),
        .mailbox_messages_max = mailbox->messages,
        .mailbox_bytes_max = mailbox->bytes,
        .mailbox_policy = (enum troupe_mailbox_policy)mailbox->policy,
        .start_timeout_ms = (uint32_t)frame->start_timeout_ms,
        .restart = (enum troupe_restart)frame->restart,
        .caller = caller,
    };
    return spawning;
}

void actor_ops_spawn(struct session *session, struct session_turn *turn)
{
    struct frame_mailbox mailbox;
    if (!check_spawn(session, turn) || !read_mailbox(session, turn, &mailbox))
        return;
    struct session_op *op = op_open(session, turn, SESSION_CHANGE);
    if (op == NULL)
        return;
    struct spawning *spawning = spawning_new(turn->frame, &mailbox, session_caller(session));
    if (spawning == NULL) {
        turn->op = op;
        session_refuse_core(session, turn, TROUPE_E_NO_MEMORY, (troupe_ref){0});
        return;
    }
    spawning->place = (struct place_request){.user = op};
    op->more = spawning;
    op->asks_place = true;
    place_spawn(session->env->place, session->worker, &spawning->place, &op->request, spawn_done, &spawning->opts);
}

/* ---- stop ---- */

static const char *const stop_words[] = {[TROUPE_STOP] = "stop", [TROUPE_DRAIN] = "drain", [TROUPE_KILL] = "kill"};

/* What the audit line needs when it is over. */
struct stopping {
    const char *action;
    size_t reason_len;
    char reason[];
};

static void stop_done(troupe_request *request, const troupe_answer *answer)
{
    struct session_op *op = request->user;
    struct session *session = op->session;
    const struct stopping *stopping = op->more;
    session_enter(session);
    audit_write(&(struct audit_line){.action = stopping->action, .from = session->peer, .token = session->token,
                                     .actor = op->ref, .reason = {stopping->reason, stopping->reason_len},
                                     .error = answer->error});
    if (answer->error == 0 || answer->error == TROUPE_E_TIMEOUT) {
        write_reply_json(session, op_id(op),
                         troupe_view_of(answer->error == 0 ? "{\"ended\":true}" : "{\"ended\":false}"));
    } else {
        char words[SESSION_WORDS_BYTES];
        struct api_problem problem = session_problem(session, answer, op->ref, words);
        write_error(session, op_id(op), &problem);
    }
    op_close(op);
    session_leave(session);
}

void actor_ops_stop(struct session *session, struct session_turn *turn)
{
    const struct frame *frame = turn->frame;
    troupe_ref ref;
    if (!target_resolve(session, turn, SESSION_CHANGE, &ref))
        return;
    struct session_op *op = op_open(session, turn, SESSION_CHANGE);
    if (op == NULL)
        return;
    struct stopping *stopping = troupe_alloc(sizeof *stopping + frame->reason.len);
    if (stopping == NULL) {
        turn->op = op;
        session_refuse_core(session, turn, TROUPE_E_NO_MEMORY, (troupe_ref){0});
        return;
    }
    stopping->action = stop_words[frame->mode];
    stopping->reason_len = frame->reason.len;
    if (frame->reason.len > 0)
        memcpy(stopping->reason, frame->reason.ptr, frame->reason.len);
    op->more = stopping;
    op->ref = ref;
    troupe_request_stop(session->worker, &op->request, stop_done, ref, (enum troupe_stop_mode)frame->mode,
                        frame->reason, frame->timeout_ms > 0 ? (uint32_t)frame->timeout_ms
                                                             : TROUPE_SHUTDOWN_TIMEOUT_MS_DEFAULT);
}
