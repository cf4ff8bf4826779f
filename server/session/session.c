/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a session, and the way of a frame: rate, reading, the rules that hold for all, then its operation.
 *
 *   state      frames                              goes on to
 *   open       all                                 draining (the node ends), closing
 *   draining   no new work: error `draining`       closing, with 1001, when the last call is answered
 *   closing    none; what is queued is sent        the driver frees it */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "session/inside.h"

/* ---- refusals ---- */

void session_refuse(struct session *session, struct session_turn *turn, const struct api_problem *problem)
{
    const struct frame *frame = turn->frame;
    access_note_refusal(session->env->access, problem->error);
    if (frame->id.len == 0 && frame_has(frame, FRAME_TO))
        write_undelivered(session, frame, problem);
    else
        write_error(session, frame->id, problem);
    if (turn->op != NULL)
        op_close(turn->op);
    turn->op = NULL;
}

void session_refuse_words(struct session *session, struct session_turn *turn, int error, const char *field,
                          const char *format, ...)
{
    char words[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(words, sizeof words, format, args);
    va_end(args);
    struct api_problem problem = {
        .error = error, .field = field,
        .detail = {words, len < 0 ? 0 : (size_t)len < sizeof words ? (size_t)len : sizeof words - 1},
    };
    session_refuse(session, turn, &problem);
}

struct api_problem session_problem(struct session *session, const troupe_answer *answer, troupe_ref ref, char *words)
{
    struct api_problem problem = api_problem_from(session->env, answer->error);
    if (problem.field != NULL && strcmp(problem.field, "ref") == 0)
        problem.field = "to";
    if (answer->error == TROUPE_E_UNREACHABLE && troupe_ref_is_actor(ref)) {
        words[0] = '\0';
        place_tell_home(session->env->place, ref.home, words, SESSION_WORDS_BYTES);
        if (words[0] != '\0')
            problem.detail = troupe_view_of(words);
    }
    if (answer->detail.len > 0)
        problem.detail = answer->detail;
    problem.app_status = answer->app_status;
    problem.app_code = answer->app_code;
    return problem;
}

void session_refuse_core(struct session *session, struct session_turn *turn, int error, troupe_ref ref)
{
    char words[SESSION_WORDS_BYTES];
    troupe_answer answer = {.error = error};
    struct api_problem problem = session_problem(session, &answer, ref, words);
    session_refuse(session, turn, &problem);
}

/* ---- the operations that need no actor ---- */

static void hello(struct session *session, struct session_turn *turn)
{
    if (session->said_hello) {
        session_refuse_words(session, turn, TROUPE_E_PROTOCOL, "op", "a session says hello once");
        return;
    }
    session->said_hello = true;
    write_welcome(session, turn->frame->id);
}

static void ping(struct session *session, struct session_turn *turn)
{
    write_bare(session, OP_PONG, turn->frame->id);
}

/* ack and credit: for sessions that can be resumed. They are checked as frames, so that clients may send them. */
static void nothing(struct session *session, struct session_turn *turn)
{
    (void)session, (void)turn;
}

static void bye(struct session *session, struct session_turn *turn)
{
    (void)turn;
    session_close(session, SESSION_NORMAL, "bye");
}

typedef void (*handle_fn)(struct session *session, struct session_turn *turn);

static const struct {
    handle_fn handle;
    bool is_work;                /* a node that ends takes no more of it */
} handlers[OP_SERVERS] = {
    [OP_HELLO] = {hello, false},           [OP_CALL] = {messages_call, true},
    [OP_CAST] = {messages_cast, true},     [OP_PUBLISH] = {messages_publish, true},
    [OP_SPAWN] = {actor_ops_spawn, true},  [OP_STOP] = {actor_ops_stop, true},
    [OP_MONITOR] = {watch_monitor, true},  [OP_DEMONITOR] = {watch_demonitor, false},
    [OP_SUBSCRIBE] = {watch_subscribe, true}, [OP_UNSUBSCRIBE] = {watch_unsubscribe, false},
    [OP_PING] = {ping, false},             [OP_ACK] = {nothing, false},
    [OP_CREDIT] = {nothing, false},        [OP_BYE] = {bye, false},
};

/* ---- the way of a frame ---- */

static void refuse_unreadable(struct session *session, struct session_turn *turn, const struct check_fault *fault)
{
    struct api_problem problem = {
        .error = fault->error, .detail = troupe_view_of(fault->detail),
        .field = fault->field[0] != '\0' ? fault->field : NULL,
    };
    write_error(session, turn->frame->id, &problem);
    if (++session->unreadable == SESSION_UNREADABLE_MAX)
        session_close(session, SESSION_POLICY, "too many frames that cannot be read");
}

/* Over the rate of the token or the address: ms until there is one again. */
static uint32_t take_rate(struct session *session)
{
    uint32_t wait_ms = session->token != NULL ? access_take_rate(session->token, session->now_ms) : 0;
    if (wait_ms == 0 && session->take_rate != NULL)
        wait_ms = session->take_rate(session->user, session->now_ms);
    return wait_ms;
}

static void refuse_limited(struct session *session, struct session_turn *turn, uint32_t wait_ms)
{
    struct api_problem problem = {
        .error = TROUPE_E_RATE, .retry_after_ms = wait_ms,
        .detail = troupe_view_of("frames come faster than this token or address may send them; wait retry_after_ms"),
    };
    session_refuse(session, turn, &problem);
    if (++session->limited == SESSION_LIMITED_MAX)
        session_close(session, SESSION_POLICY, "frames come faster than they may");
}

void session_dispatch(struct session *session, struct session_turn *turn)
{
    handlers[turn->frame->op].handle(session, turn);
}

static void on_frame(struct session *session, troupe_view text)
{
    struct frame frame;
    struct check_fault fault;
    struct session_turn turn = {.frame = &frame, .text = text};
    uint32_t wait_ms = take_rate(session);
    int error = frame_read(text.ptr, text.len, &frame, &fault);
    if (wait_ms == 0)
        session->limited = 0;
    if (error == 0)
        session->unreadable = 0;
    if (wait_ms != 0)
        refuse_limited(session, &turn, wait_ms);
    else if (error != 0)
        refuse_unreadable(session, &turn, &fault);
    else if (op_find(session, frame.id) != NULL)
        session_refuse_words(session, &turn, TROUPE_E_INVALID, "id", "an operation with this id is open");
    else if (session->state == SESSION_DRAINING && handlers[frame.op].is_work)
        session_refuse_core(session, &turn, TROUPE_E_DRAINING, (troupe_ref){0});
    else
        session_dispatch(session, &turn);
}

void session_on_text(struct session *session, const char *text, size_t len, uint64_t now_ms)
{
    session->now_ms = now_ms;
    if (session->state == SESSION_CLOSING)
        return;
    session_enter(session);
    if (len > session->frame_bytes_max)
        session_close(session, SESSION_TOO_BIG, "the frame is too large");
    else
        on_frame(session, (troupe_view){text, len});
    session_leave(session);
}

/* ---- life ---- */

int session_new(const struct session_config *config, uint64_t now_ms, struct session **ret_session)
{
    troupe_home home = config->home;
    size_t peer_len = strlen(config->peer);
    if (home.high == 0 && !host_random(&home, sizeof home))
        return TROUPE_E_INTERNAL;
    home.high |= home.high == 0; /* a session's home has one */
    struct session *session = troupe_alloc(sizeof *session + peer_len + 1);
    if (session == NULL)
        return TROUPE_E_NO_MEMORY;
    if (config->token != NULL && !access_connection_enter(config->token)) {
        troupe_free(session);
        return TROUPE_E_LIMIT;
    }
    if (config->token != NULL)
        access_token_hold(config->token);
    memset(session, 0, sizeof *session);
    session->env = config->env;
    session->worker = config->worker;
    session->token = config->token;
    session->home = home;
    session->frame_bytes_max = config->frame_bytes_max;
    session->queue_bytes_max = config->queue_bytes_max;
    session->user = config->user;
    session->wants_write = config->wants_write;
    session->wants_close = config->wants_close;
    session->take_rate = config->take_rate;
    session->now_ms = now_ms;
    memcpy(session->peer, config->peer, peer_len + 1);
    *ret_session = session;
    return 0;
}

static void free_all(struct session *session)
{
    op_close_all(session);
    queue_clear(session);
    if (session->token != NULL) {
        access_connection_leave(session->token);
        access_token_drop(session->token);
    }
    troupe_free(session->spare);
    troupe_free(session);
}

void session_enter(struct session *session)
{
    session->entered++;
}

void session_leave(struct session *session)
{
    if (--session->entered == 0 && session->is_freed)
        free_all(session);
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    session->is_freed = true;
    session->state = SESSION_CLOSING;
    if (session->entered == 0)
        free_all(session);
}

void session_close(struct session *session, unsigned code, const char *reason)
{
    if (session->state == SESSION_CLOSING)
        return;
    session->state = SESSION_CLOSING;
    session->wants_close(session->user, code, reason);
}

bool session_peek(struct session *session, char **ret_frame, size_t *ret_len)
{
    if (session->first == NULL)
        return false;
    *ret_frame = queue_text(session->first);
    *ret_len = session->first->len;
    return true;
}

void session_pop(struct session *session)
{
    session_enter(session);
    queue_pop(session);
    watch_pump(session);
    session_leave(session);
}

/* A token that was taken out of its file, or has expired, is worth nothing to those who came with it either. */
void session_tick(struct session *session, uint64_t now_ms)
{
    session->now_ms = now_ms;
    if (session->state == SESSION_CLOSING || session->token == NULL || access_token_is_live(session->token))
        return;
    struct api_problem problem = {
        .error = TROUPE_E_UNAUTHORIZED,
        .detail = troupe_view_of("the token of this session is not valid any more; open a session with another one"),
    };
    session_enter(session);
    write_error(session, (troupe_view){0}, &problem);
    session_close(session, SESSION_POLICY, "the token is not valid any more");
    session_leave(session);
}

void session_drain(struct session *session)
{
    if (session->state != SESSION_OPEN)
        return;
    session_enter(session);
    session->state = SESSION_DRAINING;
    write_goodbye(session);
    op_answered(session);
    session_leave(session);
}

bool session_is_busy(const struct session *session)
{
    return op_is_awaited(session) || session->first != NULL;
}
