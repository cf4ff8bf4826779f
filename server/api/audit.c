/* SPDX-License-Identifier: Apache-2.0 */
#include "api/audit.h"

#include <string.h>

#include "base/log.h"

void audit_log(struct api_request *req, const char *action, troupe_ref actor, const char *behavior, troupe_view reason,
               int error)
{
    char peer[80] = "", ref[TROUPE_REF_TEXT_MAX] = "", words[TROUPE_REASON_BYTES_MAX + 1];
    size_t len = reason.len < sizeof words ? reason.len : sizeof words - 1;
    if (len > 0)
        memcpy(words, reason.ptr, len);
    words[len] = '\0';
    req->transport->peer(req, peer, sizeof peer);
    if (troupe_ref_is_actor(actor))
        troupe_ref_format(actor, ref);
    const struct log_field fields[] = {
        {"from", peer},
        {"actor", ref[0] != '\0' ? ref : NULL},
        {"behavior", behavior},
        {"reason", len > 0 ? words : NULL},
        {"result", error == 0 ? "ok" : troupe_error_lookup(error)->code},
        {NULL, NULL},
    };
    log_write(TROUPE_LOG_INFO, action, fields);
}
