/* SPDX-License-Identifier: Apache-2.0 */
#include "api/spawn_body.h"

static const char *const if_exists_words[] = {"error", "return", NULL};
static const char *const policy_words[] = {"refuse", "drop_oldest", "drop_newest", NULL};
static const char *const restart_words[] = {"temporary", "transient", "permanent", NULL};

#define AT(member) .offset = offsetof(struct spawn_body, member)

static const struct check_field mailbox_fields[] = {
    {.name = "messages", .type = CHECK_UINT, .min = 1, .max = TROUPE_MAILBOX_MESSAGES_MAX, AT(mailbox_messages)},
    {.name = "bytes", .type = CHECK_UINT, .min = 1, .max = UINT32_MAX, AT(mailbox_bytes)},
    {.name = "policy", .type = CHECK_WORD, .words = policy_words, AT(mailbox_policy)},
    {.name = NULL},
};

static const struct check_field spawn_fields[] = {
    {.name = "behavior", .type = CHECK_TEXT, .required = true, .max = TROUPE_TYPE_BYTES_MAX, AT(behavior)},
    {.name = "name", .type = CHECK_TEXT, .max = TROUPE_NAME_BYTES_MAX, AT(name)},
    {.name = "if_exists", .type = CHECK_WORD, .words = if_exists_words, AT(if_exists)},
    {.name = "args", .type = CHECK_ANY, AT(args)},
    {.name = "mailbox", .type = CHECK_OBJECT, .fields = mailbox_fields},
    {.name = "restart", .type = CHECK_WORD, .words = restart_words, AT(restart)},
    {.name = "start_timeout_ms", .type = CHECK_UINT, .min = 1, .max = TROUPE_CALL_TIMEOUT_MS_MAX,
     AT(start_timeout_ms)},
    {.name = NULL},
};

int spawn_body_read(const char *body, size_t len, struct spawn_body *spawn, struct check_fault *ret_fault)
{
    return check_object(body, len, spawn_fields, spawn, ret_fault);
}

troupe_spawn_opts spawn_body_opts(const struct spawn_body *spawn)
{
    return (troupe_spawn_opts){
        .behavior = spawn->behavior,
        .name = troupe_view_of(spawn->name),
        .args = spawn->args.len > 0 ? troupe_body_json(spawn->args.ptr, spawn->args.len) : troupe_body_none(),
        .mailbox_messages_max = spawn->mailbox_messages,
        .mailbox_bytes_max = spawn->mailbox_bytes,
        .mailbox_policy = (enum troupe_mailbox_policy)spawn->mailbox_policy,
        .start_timeout_ms = spawn->start_timeout_ms,
        .restart = (enum troupe_restart)spawn->restart,
    };
}
