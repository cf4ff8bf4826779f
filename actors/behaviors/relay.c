/* SPDX-License-Identifier: Apache-2.0
 *
 * relay: passes every message on to another actor.
 *
 *   args        {"to": "@name" or reference, "timeout_ms": n}
 *   (any type)  a cast is cast on; a call is called on, and its reply or error comes back to the first caller.
 *
 * A name is looked up for each message, so that a target which was restarted under its name is found again. The first
 * caller's own deadline holds; timeout_ms (the usual 5 s when left out) only says when the relay stops waiting.
 *
 * How an answer finds its way: the handle of the first call is kept and travels as the tag of the second one. There is
 * no table, and any number of calls can be on their way at once. Two relays that point at each other pass a cast round
 * for ever; one that points at itself refuses. */
#include <troupe/behaviors.h>

#include "support.h"

struct relay {
    char *to;            /* owned: the target as it was given */
    uint32_t to_len;     /* bytes */
    uint32_t timeout_ms;
};

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct relay *relay = state;
    char to[SUPPORT_TARGET_BYTES_MAX + 1];
    size_t to_len = 0;
    troupe_ref ref;
    troupe_json_reader reader;
    troupe_json_string key;

    support_read(&reader, args);
    while (troupe_json_next_member(&reader, &key)) {
        if (troupe_json_key_is(&key, "to"))
            to_len = troupe_json_read_text(&reader, to, sizeof to);
        else if (troupe_json_key_is(&key, "timeout_ms"))
            relay->timeout_ms = (uint32_t)troupe_json_read_uint(&reader, TROUPE_CALL_TIMEOUT_MS_MAX);
        else
            support_unknown_member(&reader);
    }
    if (to_len == 0)
        support_missing_member(&reader, "to is missing: a name such as \"@hits\" or a reference");
    if (troupe_json_read_end(&reader) != 0)
        return support_fail_args(ctx, &reader);
    if (to[0] != '@' && troupe_ref_parse(to, to_len, &ref) != 0)
        return troupe_fail(ctx, TROUPE_E_BAD_REFERENCE, "to: neither a name such as \"@hits\" nor a reference");

    relay->to = troupe_alloc(to_len);
    if (relay->to == NULL)
        return TROUPE_E_NO_MEMORY;
    memcpy(relay->to, to, to_len);
    relay->to_len = (uint32_t)to_len;
    return 0;
}

static int find_target(troupe_ctx *ctx, const struct relay *relay, troupe_ref *ret_ref)
{
    int rc = support_resolve(ctx, (troupe_view){.ptr = relay->to, .len = relay->to_len}, ret_ref);

    if (rc == 0 && troupe_ref_equal(*ret_ref, troupe_self(ctx)))
        return TROUPE_E_INVALID;
    return rc;
}

/* The second call has ended: hand its end to the first caller, who may have stopped waiting: that is no failure. */
static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    troupe_handle handle = {.index = (uint32_t)reply->tag, .generation = (uint32_t)(reply->tag >> 32)};
    struct support_words detail = {0}, code = {0};
    int rc;

    (void)state;
    if (reply->status == 0) {
        rc = troupe_reply_to(ctx, handle, troupe_body_of(reply));
    } else {
        support_say(&detail, troupe_msg_detail(reply));
        support_say(&code, troupe_msg_app_code(reply));
        if (reply->status == TROUPE_E_APP)
            rc = troupe_reply_app_error_to(ctx, handle, code.text, reply->app_status, detail.text);
        else
            rc = troupe_reply_error_to(ctx, handle, reply->status, detail.text);
    }
    return rc == TROUPE_E_STATE ? 0 : support_replied(rc);
}

static int pass_call(troupe_ctx *ctx, const struct relay *relay, const troupe_msg *msg)
{
    troupe_handle handle;
    troupe_ref to;
    int rc = find_target(ctx, relay, &to);

    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the relay's target was not found");
    rc = troupe_reply_keep(ctx, &handle);
    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the relay holds as many calls as it may");
    rc = troupe_call(ctx, to, msg->type, troupe_body_of(msg), relay->timeout_ms, on_reply,
                     (uint64_t)handle.generation << 32 | handle.index);
    if (rc != 0)
        rc = troupe_reply_error_to(ctx, handle, rc, "the relay's target did not take the call");
    return support_replied(rc);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    const struct relay *relay = state;
    troupe_ref to;

    if (msg->kind == TROUPE_MSG_CALL)
        return pass_call(ctx, relay, msg);
    if (msg->kind != TROUPE_MSG_CAST)
        return 0; /* news about an earlier cast: at most once is all that a cast promises */
    if (find_target(ctx, relay, &to) != 0 || troupe_cast(ctx, to, msg->type, troupe_body_of(msg)) != 0)
        troupe_log(ctx, TROUPE_LOG_DEBUG, "a cast was not taken by the relay's target");
    return 0;
}

static void fini(void *state)
{
    struct relay *relay = state;

    troupe_free(relay->to);
}

static int view(troupe_ctx *ctx, const void *state)
{
    const struct relay *relay = state;
    troupe_json_writer writer;
    char buf[6 * SUPPORT_TARGET_BYTES_MAX + 64]; /* any byte may need six letters */

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "to");
    troupe_json_write_string(&writer, (troupe_view){.ptr = relay->to, .len = relay->to_len});
    support_write_uint(&writer, "timeout_ms", relay->timeout_ms);
    troupe_json_write_object_end(&writer);
    return support_show(ctx, &writer, buf);
}

const troupe_behavior troupe_behavior_relay = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "relay",
    .version = "1.0.0",
    .summary = "Passes every message on to another actor, and replies back",
    .state_bytes = sizeof(struct relay),
    .flags = TROUPE_BEHAVIOR_ANY_TYPE,
    .init = init,
    .args_schema = "{\"type\":\"object\",\"properties\":{\"to\":{\"type\":\"string\",\"minLength\":1,"
                   "\"maxLength\":256},\"timeout_ms\":{\"type\":\"integer\",\"minimum\":0,"
                   "\"maximum\":600000}},\"required\":[\"to\"],\"additionalProperties\":false}",
    .receive = receive,
    .fini = fini,
    .view = view,
};
