/* SPDX-License-Identifier: Apache-2.0
 *
 * webhook: passes every message on to a web server, as a POST.
 *
 *   args  {"url": "https://...", "types": ["a", "b.*"], "follow": "@name" or reference, "secret": "...",
 *          "retries": n, "backoff_min_ms": n, "backoff_max_ms": n, "timeout_ms": n}
 *
 *   any type        the body goes to the url as it is. A call is answered when the server took it, with
 *                   {"status", "attempts"}; a cast is done with when it was accepted
 *   webhook.status  nothing -> {"delivered", "dead", "retried", "missed"}
 *
 * With `types` only those are passed on, with `follow` also the events of that actor. A POST has the headers
 *
 *   Troupe-Type       the type of the message or event
 *   Troupe-Delivery   who sends it and a number: the same in each attempt, so that the server can tell a repeated one
 *   Troupe-Attempt    1, 2, ...
 *   Troupe-Missed     events that were lost before this one because the server is slow; only if there are some
 *   Troupe-Signature  with `secret`, see <troupe/http.h>
 *
 * One at a time, in the order of the mailbox, which is the queue: it has the bound, and refuses what is too much. While
 * a delivery is under way nothing else is handled. It is over with any 2xx. No answer, 408, 425, 429 and 5xx are tried
 * again after a backoff, which doubles and has jitter; so a server may get the same delivery twice (at least once).
 * What cannot be delivered becomes an event `dead` of this actor, with its body. A drain delivers all that was
 * accepted; a stop does not.
 *
 *   idle ----------- message: request --------------------------> asking
 *   asking --------- 2xx: answer the caller --------------------> idle
 *   asking --------- worth another try, and tries are left -----> backing off (troupe_pause)
 *   asking --------- else: event `dead`, answer the caller -----> idle
 *   backing off ---- over: request -----------------------------> asking */
#include <troupe/behaviors.h>
#include <troupe/http.h>

#include "support.h"

#define URL_BYTES 1024u
#define SECRET_BYTES_MAX 128u
#define TYPES_BYTES (TROUPE_FILTER_TYPES_MAX * (TROUPE_TYPE_BYTES_MAX + 2))
#define RETRIES_MAX 20
#define RETRIES_DEFAULT 5u
#define BACKOFF_MS_MAX 600000
#define BACKOFF_MIN_MS_DEFAULT 500u
#define BACKOFF_MAX_MS_DEFAULT 60000u
#define DEAD_BODY_BYTES_MAX 65536u /* a larger body is not shown in the event */
#define NUMBER_BYTES 24u

struct delivery {
    bool is_call, is_open;      /* is_open: it is neither delivered nor dead */
    troupe_handle handle;       /* of the call */
    uint64_t number;
    uint32_t attempts;
    int32_t missed;
    char *body;                 /* owned */
    uint32_t body_len;
    char type[TROUPE_TYPE_BYTES_MAX + 1];
    char content_type[TROUPE_CONTENT_TYPE_BYTES_MAX + 1]; /* "": JSON */
};

struct webhook {
    uint32_t retries, backoff_min_ms, backoff_max_ms, timeout_ms;
    uint64_t deliveries, delivered, dead, retried, missed;
    bool has_filter;
    troupe_filter filter;       /* into types */
    struct delivery now;
    char url[URL_BYTES + 1];
    char secret[SECRET_BYTES_MAX + 1];
    char types[TYPES_BYTES];
};

enum { OP_STATUS }; /* the order of the table below */

static const troupe_type types[] = {
    [OP_STATUS] = {.name = "webhook.status",
                   .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
                   .summary = "Tell what was delivered",
                   .reply_schema = "{\"type\":\"object\",\"properties\":{\"delivered\":{\"type\":\"integer\"},"
                                   "\"dead\":{\"type\":\"integer\"},\"retried\":{\"type\":\"integer\"},"
                                   "\"missed\":{\"type\":\"integer\"}},"
                                   "\"required\":[\"delivered\",\"dead\",\"retried\",\"missed\"],"
                                   "\"additionalProperties\":false}"},
};

/* ---- args ---- */

/* An array of patterns, as one text with commas between. */
static void read_types(troupe_json_reader *reader, struct webhook *webhook)
{
    size_t len = 0;

    while (troupe_json_next_item(reader)) {
        char type[TROUPE_TYPE_BYTES_MAX + 2];
        size_t type_len = troupe_json_read_text(reader, type, sizeof type);

        if (len + type_len + 2 > sizeof webhook->types) {
            troupe_json_fail(reader, TROUPE_E_SCHEMA, "there are more types than may be");
            return;
        }
        if (len != 0)
            webhook->types[len++] = ',';
        memcpy(webhook->types + len, type, type_len);
        len += type_len;
    }
    webhook->types[len] = '\0';
    webhook->has_filter = true;
    if (reader->error == 0 && troupe_filter_parse(troupe_view_of(webhook->types), &webhook->filter) != 0)
        troupe_json_fail(reader, TROUPE_E_SCHEMA, "must be 1 to 8 types, or beginnings of types with a * behind");
}

static uint32_t read_number(troupe_json_reader *reader, int64_t min, int64_t max)
{
    return (uint32_t)troupe_json_read_int(reader, min, max);
}

static bool begins_with(const char *text, const char *start)
{
    size_t len = strlen(start);

    return strlen(text) > len && memcmp(text, start, len) == 0;
}

/* As a URL is: what it cannot have itself stands in it as %20 or so. */
static bool is_printable(const char *text)
{
    while (*text > ' ' && *text <= '~')
        text++;
    return *text == '\0';
}

static int read_args(const troupe_msg *args, struct webhook *webhook, char *follow, size_t follow_cap,
                     troupe_json_reader *reader)
{
    troupe_json_string key;

    support_read(reader, args);
    while (troupe_json_next_member(reader, &key)) {
        if (troupe_json_key_is(&key, "url"))
            troupe_json_read_text(reader, webhook->url, sizeof webhook->url);
        else if (troupe_json_key_is(&key, "types"))
            read_types(reader, webhook);
        else if (troupe_json_key_is(&key, "follow"))
            troupe_json_read_text(reader, follow, follow_cap);
        else if (troupe_json_key_is(&key, "secret"))
            troupe_json_read_text(reader, webhook->secret, sizeof webhook->secret);
        else if (troupe_json_key_is(&key, "retries"))
            webhook->retries = read_number(reader, 0, RETRIES_MAX);
        else if (troupe_json_key_is(&key, "backoff_min_ms"))
            webhook->backoff_min_ms = read_number(reader, 1, BACKOFF_MS_MAX);
        else if (troupe_json_key_is(&key, "backoff_max_ms"))
            webhook->backoff_max_ms = read_number(reader, 1, BACKOFF_MS_MAX);
        else if (troupe_json_key_is(&key, "timeout_ms"))
            webhook->timeout_ms = read_number(reader, 1, TROUPE_CALL_TIMEOUT_MS_MAX);
        else
            support_unknown_member(reader);
    }
    if (webhook->url[0] == '\0')
        support_missing_member(reader, "url is missing: where to send the messages");
    else if (!begins_with(webhook->url, "http://") && !begins_with(webhook->url, "https://"))
        support_missing_member(reader, "url must begin with http:// or https://");
    else if (!is_printable(webhook->url))
        support_missing_member(reader, "url must be of printable ASCII; write a blank as %20, and so what is no ASCII");
    return troupe_json_read_end(reader);
}

/* Why init did not come to follow it. */
static const char *words_of_follow(int error)
{
    if (error == TROUPE_E_BAD_REFERENCE)
        return "follow: an actor is given by its id, or by @ and its name";
    if (error == TROUPE_E_NOT_FOUND || error == TROUPE_E_GONE)
        return "follow: there is no such actor; start it first";
    return "follow: the actor cannot be followed";
}

static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    struct webhook *webhook = state;
    char follow[SUPPORT_TARGET_BYTES_MAX + 1] = "";
    troupe_json_reader reader;
    troupe_ref publisher;
    uint64_t id;
    int rc;

    webhook->retries = RETRIES_DEFAULT;
    webhook->backoff_min_ms = BACKOFF_MIN_MS_DEFAULT;
    webhook->backoff_max_ms = BACKOFF_MAX_MS_DEFAULT;
    if (read_args(args, webhook, follow, sizeof follow, &reader) != 0)
        return support_fail_args(ctx, &reader);
    if (webhook->backoff_max_ms < webhook->backoff_min_ms)
        webhook->backoff_max_ms = webhook->backoff_min_ms;
    if (follow[0] == '\0')
        return 0;
    rc = support_resolve(ctx, troupe_view_of(follow), &publisher);
    if (rc == 0)
        rc = troupe_follow(ctx, publisher, webhook->has_filter ? &webhook->filter : NULL, TROUPE_FROM_NOW,
                           (troupe_event_id){0}, &id);
    return rc == 0 ? 0 : troupe_fail(ctx, rc, words_of_follow(rc));
}

/* ---- a delivery ---- */

static size_t write_number(uint64_t number, char text[static NUMBER_BYTES])
{
    char digits[NUMBER_BYTES];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = '\0';
    return count;
}

/* "REF.NUMBER" */
static size_t write_id(const troupe_ctx *ctx, uint64_t number, char text[static TROUPE_REF_TEXT_MAX + NUMBER_BYTES])
{
    size_t len = troupe_ref_format(troupe_self(ctx), text);

    text[len++] = '.';
    return len + write_number(number, text + len);
}

static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply);

/* Begin an attempt. Fails as troupe_http_request_wait. */
static int request(troupe_ctx *ctx, struct webhook *webhook)
{
    struct delivery *now = &webhook->now;
    char id[TROUPE_REF_TEXT_MAX + NUMBER_BYTES], attempt[NUMBER_BYTES], missed[NUMBER_BYTES];
    troupe_http_header headers[4] = {{"Troupe-Type", now->type}, {"Troupe-Delivery", id}, {"Troupe-Attempt", attempt},
                                     {"Troupe-Missed", missed}};
    troupe_http http = {.method = "POST",
                        .url = webhook->url,
                        .headers = headers,
                        .headers_count = now->missed > 0 ? 4 : 3,
                        .body = {.ptr = now->body,
                                 .len = now->body_len,
                                 .content_type = now->content_type[0] != '\0' ? now->content_type : NULL},
                        .sign_key = troupe_view_of(webhook->secret),
                        .timeout_ms = webhook->timeout_ms};

    now->attempts++;
    write_id(ctx, now->number, id);
    write_number(now->attempts, attempt);
    write_number((uint64_t)now->missed, missed);
    return troupe_http_request_wait(ctx, &http, on_reply, 0);
}

static void forget(struct delivery *now)
{
    troupe_free(now->body);
    now->body = NULL;
    now->is_open = false;
}

/* What went wrong. */
struct failure {
    int error;        /* TROUPE_E_..., or 0 with a status */
    unsigned status;
    troupe_view detail;
};

static void write_failure(troupe_json_writer *writer, const struct failure *failure)
{
    troupe_json_write_key(writer, "status");
    if (failure->status != 0)
        troupe_json_write_uint(writer, failure->status);
    else
        troupe_json_write_null(writer);
    troupe_json_write_key(writer, "error");
    troupe_json_write_text(writer, failure->error != 0 ? troupe_error_lookup(failure->error)->code : NULL);
    troupe_json_write_key(writer, "detail");
    troupe_json_write_string(writer, failure->detail);
}

/* Best effort of memory: it is counted in any case. */
static void publish_dead(troupe_ctx *ctx, const struct delivery *now, const struct failure *failure)
{
    char id[TROUPE_REF_TEXT_MAX + NUMBER_BYTES];
    bool shows_body = now->content_type[0] == '\0' && now->body_len <= DEAD_BODY_BYTES_MAX &&
                      troupe_json_validate(now->body, now->body_len, NULL) == 0;
    size_t cap = 2048 + (shows_body ? now->body_len : 0);
    char *buf = troupe_alloc(cap);
    troupe_json_writer writer;
    int rc;

    if (buf == NULL)
        return;
    troupe_json_write_init(&writer, buf, cap);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "delivery");
    troupe_json_write_string(&writer, (troupe_view){.ptr = id, .len = write_id(ctx, now->number, id)});
    troupe_json_write_key(&writer, "type");
    troupe_json_write_text(&writer, now->type);
    troupe_json_write_key(&writer, "attempts");
    troupe_json_write_uint(&writer, now->attempts);
    write_failure(&writer, failure);
    if (shows_body) {
        troupe_json_write_key(&writer, "body");
        troupe_json_write_raw(&writer, (troupe_view){.ptr = now->body, .len = now->body_len});
    }
    troupe_json_write_object_end(&writer);
    rc = troupe_json_write_end(&writer);
    if (rc == 0)
        rc = troupe_publish(ctx, "dead", troupe_body_json(buf, troupe_json_write_length(&writer)));
    troupe_free(buf);
    if (rc != 0)
        troupe_log(ctx, TROUPE_LOG_WARN, "a delivery that failed could not be published");
}

/* The delivery has failed for good. A caller that has given up meanwhile is nobody to tell. */
static void give_up(troupe_ctx *ctx, struct webhook *webhook, const struct failure *failure)
{
    struct delivery *now = &webhook->now;
    struct support_words words = {0};
    char number[NUMBER_BYTES];
    int rc = 0;

    webhook->dead++;
    publish_dead(ctx, now, failure);
    if (failure->error == 0) {
        support_say(&words, troupe_view_of("the server answered "));
        support_say(&words, (troupe_view){.ptr = number, .len = write_number(failure->status, number)});
    } else {
        support_say(&words, failure->detail);
    }
    if (now->is_call && failure->error == 0)
        rc = troupe_reply_app_error_to(ctx, now->handle, "not_delivered", 424, words.text);
    else if (now->is_call)
        rc = troupe_reply_error_to(ctx, now->handle, failure->error, words.text);
    (void)rc;
    forget(now);
}

static void succeed(troupe_ctx *ctx, struct webhook *webhook, unsigned status)
{
    struct delivery *now = &webhook->now;
    troupe_json_writer writer;
    char buf[64];
    int rc = 0;

    webhook->delivered++;
    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "status");
    troupe_json_write_uint(&writer, status);
    troupe_json_write_key(&writer, "attempts");
    troupe_json_write_uint(&writer, now->attempts);
    troupe_json_write_object_end(&writer);
    if (now->is_call && troupe_json_write_end(&writer) == 0)
        rc = troupe_reply_to(ctx, now->handle, troupe_body_json(buf, troupe_json_write_length(&writer)));
    (void)rc; /* a caller that has given up is nobody to tell */
    forget(now);
}

static bool is_worth_another_try(const struct failure *failure)
{
    unsigned status = failure->status;

    if (failure->error == 0)
        return status >= 500 || status == 408 || status == 425 || status == 429;
    return troupe_error_lookup(failure->error)->retry != TROUPE_RETRY_NO;
}

static int on_pause_over(troupe_ctx *ctx, void *state, const troupe_msg *reply);

static uint32_t backoff_ms(troupe_ctx *ctx, const struct webhook *webhook)
{
    uint32_t doublings = webhook->now.attempts - 1;
    uint64_t delay_ms = (uint64_t)webhook->backoff_min_ms << doublings; /* of RETRIES_MAX at most */

    if (delay_ms > webhook->backoff_max_ms)
        delay_ms = webhook->backoff_max_ms;
    return (uint32_t)(delay_ms / 2 + troupe_random(ctx) % (delay_ms - delay_ms / 2 + 1));
}

/* An attempt has failed: wait for the next one, or give up. */
static void on_failure(troupe_ctx *ctx, struct webhook *webhook, const struct failure *failure)
{
    if (webhook->now.attempts <= webhook->retries && is_worth_another_try(failure) &&
        troupe_pause(ctx, backoff_ms(ctx, webhook), on_pause_over, 0) == 0) {
        webhook->retried++;
        return;
    }
    give_up(ctx, webhook, failure);
}

static void attempt(troupe_ctx *ctx, struct webhook *webhook)
{
    struct failure failure = {.error = request(ctx, webhook)};

    if (failure.error == 0)
        return;
    failure.detail = troupe_view_of(troupe_error_lookup(failure.error)->text);
    on_failure(ctx, webhook, &failure);
}

static int on_pause_over(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    (void)reply;
    attempt(ctx, state);
    return 0;
}

static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    struct webhook *webhook = state;
    struct failure failure = {.error = reply->status, .status = troupe_http_status(reply)};

    if (reply->status == 0 && failure.status >= 200 && failure.status <= 299) {
        succeed(ctx, webhook, failure.status);
        return 0;
    }
    failure.detail = reply->status != 0 ? troupe_msg_detail(reply) : troupe_view_of("the server refused it");
    on_failure(ctx, webhook, &failure);
    return 0;
}

/* Take the message over: it is gone when this turn ends. */
static bool take(struct webhook *webhook, const troupe_msg *msg)
{
    struct delivery *now = &webhook->now;
    size_t content_type_len = msg->content_type != NULL ? strlen(msg->content_type) : 0;

    *now = (struct delivery){.is_call = msg->kind == TROUPE_MSG_CALL,
                             .is_open = true,
                             .number = ++webhook->deliveries,
                             .missed = msg->kind == TROUPE_MSG_EVENT ? msg->status : 0,
                             .body = troupe_alloc(msg->body_len + 1),
                             .body_len = msg->body_len};
    if (now->body == NULL)
        return false;
    memcpy(now->body, msg->body, msg->body_len);
    memcpy(now->type, msg->type, msg->type_len);
    if (content_type_len != 0)
        memcpy(now->content_type, msg->content_type, content_type_len);
    return true;
}

static int deliver(troupe_ctx *ctx, struct webhook *webhook, const troupe_msg *msg)
{
    if (msg->kind == TROUPE_MSG_EVENT)
        webhook->missed += (uint64_t)msg->status;
    else if (webhook->has_filter && !troupe_filter_takes(&webhook->filter, troupe_msg_type(msg)))
        return support_refuse(ctx, msg, TROUPE_E_UNKNOWN_TYPE, "it is not among the types of this webhook");
    if (msg->body_len > TROUPE_HTTP_BODY_BYTES_MAX)
        return support_refuse(ctx, msg, TROUPE_E_TOO_LARGE, "a webhook passes on bodies of 1 MiB");
    if (!take(webhook, msg))
        return support_refuse(ctx, msg, TROUPE_E_NO_MEMORY, "there is no memory for the delivery");
    if (webhook->now.is_call) {
        int rc = troupe_reply_keep(ctx, &webhook->now.handle);

        if (rc != 0) {
            forget(&webhook->now);
            return support_refuse(ctx, msg, rc, "there is no memory for the delivery");
        }
    }
    attempt(ctx, webhook);
    return 0;
}

/* ---- the behavior ---- */

static void write_status(const struct webhook *webhook, troupe_json_writer *writer)
{
    troupe_json_write_object_begin(writer);
    troupe_json_write_key(writer, "delivered");
    troupe_json_write_uint(writer, webhook->delivered);
    troupe_json_write_key(writer, "dead");
    troupe_json_write_uint(writer, webhook->dead);
    troupe_json_write_key(writer, "retried");
    troupe_json_write_uint(writer, webhook->retried);
    troupe_json_write_key(writer, "missed");
    troupe_json_write_uint(writer, webhook->missed);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct webhook *webhook = state;
    troupe_json_writer writer;
    char buf[256];

    if (msg->kind == TROUPE_MSG_EVENT && troupe_msg_is_end(msg)) {
        troupe_stop_self(ctx, "the actor that it followed has ended");
        return 0;
    }
    if (msg->kind != TROUPE_MSG_CALL && msg->kind != TROUPE_MSG_CAST && msg->kind != TROUPE_MSG_EVENT)
        return 0;
    if (msg->op != OP_STATUS || msg->kind == TROUPE_MSG_EVENT)
        return deliver(ctx, webhook, msg);
    troupe_json_write_init(&writer, buf, sizeof buf);
    write_status(webhook, &writer);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

/* The delivery under way is shown too: webhook.status waits behind it. */
static int view(troupe_ctx *ctx, const void *state)
{
    const struct webhook *webhook = state;
    troupe_json_writer writer;
    char buf[TROUPE_HTTP_URL_BYTES_MAX * 2 + 512];
    int rc;

    troupe_json_write_init(&writer, buf, sizeof buf);
    write_status(webhook, &writer);
    troupe_json_write_key(&writer, "url");
    troupe_json_write_text(&writer, webhook->url);
    troupe_json_write_key(&writer, "under_way");
    troupe_json_write_text(&writer, webhook->now.is_open ? webhook->now.type : NULL);
    troupe_json_write_key(&writer, "attempts");
    troupe_json_write_uint(&writer, webhook->now.is_open ? webhook->now.attempts : 0);
    troupe_json_write_object_end(&writer);
    rc = troupe_json_write_end(&writer);
    return rc != 0 ? rc : troupe_reply(ctx, troupe_body_json(buf, troupe_json_write_length(&writer)));
}

static void fini(void *state)
{
    struct webhook *webhook = state;

    troupe_free(webhook->now.body);
}

const troupe_behavior troupe_behavior_webhook = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "webhook",
    .version = "1.0.0",
    .summary = "Passes every message on to a web server",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .state_bytes = sizeof(struct webhook),
    .flags = TROUPE_BEHAVIOR_ANY_TYPE,
    .init = init,
    .receive = receive,
    .fini = fini,
    .view = view,
};
