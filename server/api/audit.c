/* SPDX-License-Identifier: Apache-2.0 */
#include "api/audit.h"

#include <string.h>

#include "access/access.h"
#include "base/log.h"

enum { FROM_BYTES = 80 };

void audit_write(const struct audit_line *line)
{
    char ref[TROUPE_REF_TEXT_MAX] = "", words[TROUPE_REASON_BYTES_MAX + 1];
    size_t len = line->reason.len < sizeof words ? line->reason.len : sizeof words - 1;
    if (len > 0)
        memcpy(words, line->reason.ptr, len);
    words[len] = '\0';
    if (troupe_ref_is_actor(line->actor))
        troupe_ref_format(line->actor, ref);
    const struct log_field fields[] = {
        {"from", line->from},
        {"subject", line->token != NULL ? access_subject(line->token).ptr : NULL},
        {"token", line->token != NULL ? access_token_id(line->token) : NULL},
        {"operation", line->operation},
        {"actor", ref[0] != '\0' ? ref : NULL},
        {"behavior", line->behavior},
        {"reason", len > 0 ? words : NULL},
        {"result", line->error == 0 ? "ok" : troupe_error_lookup(line->error)->code},
        {NULL, NULL},
    };
    log_write(TROUPE_LOG_INFO, line->action, fields);
}

void audit_log(struct api_request *req, const char *action, troupe_ref actor, const char *behavior, troupe_view reason,
               int error)
{
    char from[FROM_BYTES] = "";
    req->transport->peer(req, from, sizeof from);
    audit_write(&(struct audit_line){.action = action, .from = from, .token = req->token, .actor = actor,
                                     .behavior = behavior, .reason = reason, .error = error});
}

void audit_refusal(struct api_request *req, const char *operation)
{
    char from[FROM_BYTES] = "";
    req->transport->peer(req, from, sizeof from);
    audit_write(&(struct audit_line){.action = "refused", .from = from, .token = req->token, .operation = operation,
                                     .error = TROUPE_E_FORBIDDEN});
}
