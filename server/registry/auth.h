/* SPDX-License-Identifier: Apache-2.0
 *
 * The cluster's secret: how a node proves to the registry, and the registry to a node, that it has it.
 *
 *   request   Authorization: Troupe-HMAC node="n.…", time="<ms>", nonce="<32 hex>", mac="<64 hex>"
 *             mac = HMAC-SHA-256(secret, "troupe-request\n" cluster \n epoch \n method \n target \n node \n time \n
 *                   nonce \n hex(SHA-256(body)))
 *   answer    Troupe-Proof: hex(HMAC-SHA-256(secret, "troupe-answer\n" nonce \n status \n hex(SHA-256(body))))
 *   identity  see peer/hello.h
 *
 * epoch is the registry's, new at each start of it and told by GET /v1/registry; so what was recorded before a restart
 * is refused. time is the registry's wall clock as that answer told it, plus the boot clock since: clocks need not agree. A
 * nonce is taken once within the window.
 *
 * Thread: any; a struct registry_nonces is its owner's. */
#ifndef TROUPE_SERVER_REGISTRY_AUTH_H
#define TROUPE_SERVER_REGISTRY_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/view.h>

enum {
    AUTH_SECRET_BYTES_MIN = 16, AUTH_SECRET_BYTES_MAX = 256, AUTH_MAC_TEXT = 65, AUTH_NONCE_TEXT = 33,
    AUTH_WINDOW_MS = 30000, AUTH_HEADER_BYTES = 256, AUTH_NONCES_MAX = 1 << 19
};

struct registry_secret {
    unsigned char bytes[AUTH_SECRET_BYTES_MAX];
    size_t len;                  /* 0: none */
};

/* What a request's mac covers. */
struct registry_auth {
    const char *cluster, *epoch, *method, *target, *node;
    uint64_t time_ms;
    char nonce[AUTH_NONCE_TEXT];
    troupe_view body;
};

/* Write the Authorization header's value. */
void registry_auth_sign(const struct registry_secret *secret, const struct registry_auth *auth,
                        char ret_header[static AUTH_HEADER_BYTES]);

struct registry_nonces;
int registry_nonces_new(struct registry_nonces **ret_nonces);
void registry_nonces_free(struct registry_nonces *nonces);

/* Judge a request. `auth` has all but node, time and nonce, which are read from the header and filled in (node is
 * copied to ret_node). Fails: TROUPE_E_UNAUTHORIZED (no or a wrong mac), TROUPE_E_REPLAYED (nonce, time),
 * TROUPE_E_LIMIT (AUTH_NONCES_MAX in a window). */
int registry_auth_verify(const struct registry_secret *secret, struct registry_nonces *nonces, troupe_view header,
                         uint64_t now_wall_ms, struct registry_auth *auth, char *ret_node, size_t node_cap);

/* The proof of an answer, and its judgement. */
void registry_auth_prove(const struct registry_secret *secret, const char *nonce, unsigned status, troupe_view body,
                         char ret_proof[static AUTH_MAC_TEXT]);
bool registry_auth_proof_is_good(const struct registry_secret *secret, const char *nonce, unsigned status,
                                 troupe_view body, troupe_view proof);

/* HMAC-SHA-256 of the concatenation of parts (ends with ptr NULL), raw. For peer/hello.c too. */
void registry_hmac(const struct registry_secret *secret, const troupe_view *parts, unsigned char ret_mac[static 32]);
bool registry_equal_in_constant_time(const void *a, const void *b, size_t len);

#endif
