/* SPDX-License-Identifier: Apache-2.0
 *
 * echo: answers a call with the body it came with, byte for byte and under the same content type.
 *
 *   echo        call: any body -> the same body.
 *   (any type)  the same; a name to tell calls apart in a log.
 *
 * A cast of any type is taken and forgotten. There is no state. The body is never parsed, so that echo also serves as
 * the yardstick of what a message costs. */
#include <troupe/behaviors.h>

static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)state;
    if (msg->kind != TROUPE_MSG_CALL)
        return 0;
    return troupe_reply(ctx, troupe_body_of(msg));
}

static const troupe_type types[] = {
    {.name = "echo",
     .flags = TROUPE_TYPE_READ_ONLY | TROUPE_TYPE_IDEMPOTENT,
     .summary = "Answer with the body of the call"},
};

const troupe_behavior troupe_behavior_echo = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "echo",
    .version = "1.0.0",
    .summary = "Answers a call with the body it came with",
    .types = types,
    .types_count = sizeof types / sizeof types[0],
    .flags = TROUPE_BEHAVIOR_ANY_TYPE,
    .receive = receive,
};
