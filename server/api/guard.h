/* SPDX-License-Identifier: Apache-2.0
 *
 * One pass over the header fields of a request as the HTTP library gives them: refuses what could be read in two ways,
 * and picks out the few fields that the API looks at. The first head of a connection has been checked byte by byte
 * (head_check.h); for later heads this is the check.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_GUARD_H
#define TROUPE_SERVER_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <troupe/view.h>

#include "api/head_check.h"

/* Zero it for each request, and say how many bytes of the head are not fields. The views are the library's: valid as
 * long as the request. */
struct guard {
    enum head_reason reason;     /* the first thing that is wrong */
    unsigned fields;
    size_t bytes;                /* of the head so far */
    uint64_t length;             /* of Content-Length */
    bool has_length, has_coding, has_origin, expects_continue, accepts_gzip, is_preflight;
    bool wants_upgrade;          /* the list of Connection has upgrade */
    bool wants_websocket;        /* the list of Upgrade has websocket */
    unsigned versions, keys, protocol_lines; /* how many such fields there were */
    troupe_view host, origin, if_none_match, authorization, last_event_id;
    troupe_view version, key, protocols; /* Sec-WebSocket-...: the last of each */
    const char *content_type;    /* NULL: none */
    const char *end;             /* of the last field */
};

/* Look at one field. The name ends with a NUL, the value too. */
void guard_field(struct guard *guard, troupe_view name, troupe_view value);

/* Say what the whole head is worth. */
enum head_reason guard_end(const struct guard *guard, bool is_http_1_0);

#endif
