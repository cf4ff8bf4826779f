/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /v1/ws: where a session begins. Everything that can be wrong with a handshake (RFC 6455, part 4.2.1) is found
 * here, because the library that takes the socket over looks at little of it. Host, Origin and token were checked
 * before, as for every request. */
#include "api/handlers.h"
#include "api/identify.h"
#include "api/reply.h"
#include "base/base64.h"
#include "base/comma_list.h"

enum { KEY_CHARS = 24, KEY_BYTES = 16 };

static const char protocol[] = "troupe.v1.json";

/* What the list of subprotocols offers. Those that carry a secret are not for choosing. */
struct offer {
    bool is_known;               /* ours is among them */
    unsigned unknown;
};

static struct offer read_offer(troupe_view list)
{
    struct offer offer = {false, 0};
    troupe_view entry;
    while (comma_list_next(&list, &entry)) {
        if (troupe_view_equal(entry, troupe_view_of(protocol)))
            offer.is_known = true;
        else if (entry.len > 0 && !identify_is_secret(entry))
            offer.unknown++;
    }
    return offer;
}

static bool is_key(troupe_view key)
{
    unsigned char bytes[KEY_CHARS / 4 * 3];
    size_t len;
    return key.len == KEY_CHARS && base64_read(key.ptr, key.len, bytes, &len) == 0 && len == KEY_BYTES;
}

/* False: it was answered. */
static bool check(struct api_request *req, struct offer *ret_offer)
{
    if (!req->websocket.is_upgrade || req->method != API_GET) { /* HEAD comes here too */
        api_refuse(req, TROUPE_E_UPGRADE, NULL, "this route is WebSocket: send a GET that upgrades by HTTP/1.1, "
                                                "subprotocol %s", protocol);
        return false;
    }
    if (!troupe_view_equal(req->websocket.version, troupe_view_of("13"))) {
        api_refuse(req, TROUPE_E_UPGRADE, "Sec-WebSocket-Version", "the version of WebSocket is 13");
        return false;
    }
    if (!is_key(req->websocket.key)) {
        api_refuse(req, TROUPE_E_INVALID, "Sec-WebSocket-Key", "send one key, which is 16 bytes in base64");
        return false;
    }
    if (req->websocket.protocol_lines > 1) {
        api_refuse(req, TROUPE_E_INVALID, "Sec-WebSocket-Protocol", "send all subprotocols in one list");
        return false;
    }
    *ret_offer = read_offer(req->websocket.protocols);
    if (ret_offer->unknown > 0 && !ret_offer->is_known) {
        api_refuse(req, TROUPE_E_INVALID, "Sec-WebSocket-Protocol", "this node speaks %s; offer it, or none", protocol);
        return false;
    }
    return true;
}

void ws_open(struct api_request *req)
{
    struct offer offer;
    if (!check(req, &offer))
        return;
    const struct api_takeover to = {
        .kind = API_TO_WEBSOCKET, .token = req->token, .key = req->websocket.key,
        .protocol = offer.is_known ? protocol : NULL,
    };
    api_hand_over(req, &to);
}
