/* SPDX-License-Identifier: Apache-2.0
 *
 * From `to` to an actor, and the question whether the token may.
 *
 * The happy path is at once: an id is read, a name is in the table. A node that has joined another may have to ask for
 * a name; then the frame waits as it came, is read again when the answer is there, and goes on as if it had come now.
 *
 * Order: frames for a name that is being asked for wait behind the first of them and go on in their order. So the sends
 * of a session to one address keep their order. */
#include <string.h>

#include "api/audit.h"
#include "api/authorize.h"
#include "session/inside.h"

/* What waits: the place's request, which op_close cancels, then the frame. */
struct finding {
    struct place_request place;
    troupe_view name;                /* in text */
    size_t len;
    char text[];
};

static bool is_named(const struct session_op *op, troupe_view name)
{
    const struct finding *finding = op->more;
    return troupe_view_equal(finding->name, name);
}

static bool is_being_found(const struct session *session, troupe_view name)
{
    const struct session_op *op = session->finding.first;
    while (op != NULL && !is_named(op, name))
        op = op->next;
    return op != NULL;
}

/* Go on with a frame whose name is found, or not. */
static void go_on(struct session_op *op, int error, troupe_ref ref)
{
    struct session *session = op->session;
    struct finding *finding = op->more;
    struct frame frame;
    struct check_fault fault;
    op->more = NULL; /* the text is needed to the end of this */
    op->asks_place = false;
    list_remove(&session->finding, op);
    if (frame_read(finding->text, finding->len, &frame, &fault) == 0) { /* as it was before */
        struct session_turn turn = {
            .frame = &frame, .text = {finding->text, finding->len}, .op = op, .found_error = error, .found = ref,
        };
        session_dispatch(session, &turn);
    }
    troupe_free(finding);
}

static struct session_op *next_named(const struct session *session, troupe_view name)
{
    struct session_op *op = session->finding.first;
    while (op != NULL && !is_named(op, name))
        op = op->next;
    return op;
}

static void on_found(struct place_request *place, int error, troupe_ref ref)
{
    struct session_op *op = place->user;
    struct session *session = op->session;
    char name_text[TROUPE_NAME_BYTES_MAX];
    troupe_view name = ((struct finding *)op->more)->name;
    memcpy(name_text, name.ptr, name.len);
    name.ptr = name_text;
    session_enter(session);
    while (!session->is_freed && (op = next_named(session, name)) != NULL)
        go_on(op, error, ref);
    op_answered(session); /* a monitor is not awaited, once it has its name */
    session_leave(session);
}

static void find_later(struct session *session, struct session_turn *turn, enum session_kind kind, troupe_view name)
{
    bool is_asked = is_being_found(session, name);
    struct session_op *op = op_open(session, turn, kind);
    if (op == NULL)
        return;
    struct finding *finding = troupe_alloc(sizeof *finding + turn->text.len + name.len);
    if (finding == NULL) {
        turn->op = op;
        session_refuse_core(session, turn, TROUPE_E_NO_MEMORY, (troupe_ref){0});
        return;
    }
    finding->place = (struct place_request){.user = op};
    finding->len = turn->text.len;
    memcpy(finding->text, turn->text.ptr, turn->text.len);
    memcpy(finding->text + turn->text.len, name.ptr, name.len);
    finding->name = (troupe_view){finding->text + turn->text.len, name.len};
    op->more = finding;
    list_append(&session->finding, op);
    op->asks_place = !is_asked;
    if (!is_asked)
        place_find(session->env->place, session->worker, &finding->place, on_found, finding->name);
}

/* True: *ret_ref is the holder; zero, with *ret_error, when there is none. */
static bool find_name(struct session *session, struct session_turn *turn, enum session_kind kind, troupe_view name,
                      troupe_ref *ret_ref, int *ret_error)
{
    if (turn->op != NULL) {
        *ret_error = turn->found_error;
        *ret_ref = turn->found_error == 0 ? turn->found : (troupe_ref){0};
        return true;
    }
    *ret_error = TROUPE_E_STATE;
    if (!is_being_found(session, name))
        *ret_error = place_find_now(session->env->place, name, ret_ref);
    if (*ret_error != TROUPE_E_STATE)
        return true;
    find_later(session, turn, kind, name);
    return false;
}

void session_refuse_access(struct session *session, struct session_turn *turn)
{
    enum access_scope scope = frame_ops[turn->frame->op].scope;
    char words[AUTHORIZE_WORDS_BYTES];
    authorize_words(session->token, scope, words);
    if (scope != ACCESS_READ && scope != ACCESS_MESSAGE)
        audit_write(&(struct audit_line){.action = "refused", .from = session->peer, .token = session->token,
                                         .operation = frame_ops[turn->frame->op].name, .error = TROUPE_E_FORBIDDEN});
    session_refuse_words(session, turn, TROUPE_E_FORBIDDEN, NULL, "%s", words);
}

bool target_resolve(struct session *session, struct session_turn *turn, enum session_kind kind, troupe_ref *ret_ref)
{
    const struct frame *frame = turn->frame;
    enum access_scope scope = frame_ops[frame->op].scope;
    troupe_view name = {"", 0};
    troupe_ref ref = {0};
    int error = 0;
    if (frame->to.ptr[0] == '@') {
        name = (troupe_view){frame->to.ptr + 1, frame->to.len - 1};
        if (name.len == 0) {
            session_refuse_words(session, turn, TROUPE_E_BAD_REFERENCE, "to", "a name has 1 to %d bytes",
                                 TROUPE_NAME_BYTES_MAX);
            return false;
        }
        if (!access_allows_some(session->token, scope)) { /* before anybody else is asked */
            session_refuse_access(session, turn);
            return false;
        }
        if (!find_name(session, turn, kind, name, &ref, &error))
            return false;
    } else if (troupe_ref_parse(frame->to.ptr, frame->to.len, &ref) != 0) {
        session_refuse_words(session, turn, TROUPE_E_BAD_REFERENCE, "to",
                             "a reference is an actor's id, such as n.4tq8v1m02x7kc.3f.1, or @ and its name");
        return false;
    }
    /* Whether the name is taken is told only to those who may know. */
    if (!authorize_actor(session->env->system, session->token, scope, ref, name, frame->type))
        session_refuse_access(session, turn);
    else if (error == TROUPE_E_NOT_FOUND && !api_is_draining(session->env))
        session_refuse_words(session, turn, error, "to", "no actor has the name %.*s; GET /v1/names lists those there "
                             "are", (int)name.len, name.ptr);
    else if (error != 0)
        session_refuse_core(session, turn, error, (troupe_ref){0});
    else {
        *ret_ref = ref;
        return true;
    }
    return false;
}
