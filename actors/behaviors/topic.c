/* SPDX-License-Identifier: Apache-2.0
 *
 * topic: publishes what it is sent, as events for whoever subscribes to it.
 *
 *   publish     any body -> {"id": "epoch.seq"}   publishes the event "publish" with this body and its content type
 *   (any type)  the same; the event is named after the message.
 *
 * There is no state: the last events are kept by the runtime (TROUPE_TOPIC_EVENTS_MAX, TROUPE_TOPIC_BYTES_MAX), so that a
 * subscriber that was away can read on where it was. The body is never parsed. */
#include <troupe/behaviors.h>

#include "support.h"

static int answer_with_id(troupe_ctx *ctx, const troupe_msg *msg, const char *id)
{
    troupe_json_writer writer;
    char buf[TROUPE_EVENT_ID_TEXT_MAX + 16];

    troupe_json_write_init(&writer, buf, sizeof buf);
    troupe_json_write_object_begin(&writer);
    troupe_json_write_key(&writer, "id");
    troupe_json_write_text(&writer, id);
    troupe_json_write_object_end(&writer);
    return support_answer(ctx, msg, &writer, buf);
}

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    char id[TROUPE_EVENT_ID_TEXT_MAX];
    int rc;

    (void)state;
    if (msg->kind != TROUPE_MSG_CALL && msg->kind != TROUPE_MSG_CAST)
        return 0;
    rc = troupe_publish_id(ctx, msg->type, troupe_body_of(msg), id);
    if (rc == TROUPE_E_TOO_LARGE)
        return support_refuse(ctx, msg, rc, "the body is larger than all that a topic keeps");
    if (rc != 0)
        return support_refuse(ctx, msg, rc, "the event could not be published");
    return answer_with_id(ctx, msg, id);
}

static const troupe_type types[] = {
    {.name = "publish",
     .flags = TROUPE_TYPE_CAST,
     .summary = "Publish the body as an event of this type, as any other type does",
     .reply_schema = "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"}},\"required\":[\"id\"],"
                     "\"additionalProperties\":false}"},
};

const troupe_behavior troupe_behavior_topic = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "topic",
    .version = "1.0.0",
    .summary = "Publishes what it is sent, as events",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .flags = TROUPE_BEHAVIOR_ANY_TYPE,
    .receive = receive,
};
