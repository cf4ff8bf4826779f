/* SPDX-License-Identifier: Apache-2.0
 *
 * The first frame of every connection to a peer port, and its answer: who is there? A reused address is never taken for
 * the node that had it before, because the answer proves cluster, node and secret. Links go on from here (they are not
 * spoken by this version, which closes behind the answer).
 *
 *   offset  hello (asked)                      here (answered)
 *   0       "TRP1"                             "TRP1"
 *   4       u8 protocol min, u8 max            u8 protocol, 0: none in common; u8 0
 *   6       u16 kind = 1                       u16 kind = 2                          (big endian)
 *   8       16 bytes nonce                     16 bytes nonce of the answerer
 *   24      u64 expected node, 0: any          u64 node
 *   32      16 bytes cluster, NUL padded       16 bytes cluster, NUL padded
 *   48      32 bytes mac                       32 bytes mac                          = HELLO_BYTES
 *
 *   hello's mac  HMAC-SHA-256(secret, "troupe-hello"  bytes 0..47 of the hello)
 *   here's mac   HMAC-SHA-256(secret, "troupe-here"   bytes 0..47 of the hello, bytes 0..47 of the here)
 *
 * A hello of another cluster, for another node, or with a wrong mac gets no answer: the connection is closed.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_PEER_HELLO_H
#define TROUPE_SERVER_PEER_HELLO_H

#include "registry/auth.h"
#include "registry/record.h"

enum { HELLO_BYTES = 80, HELLO_NONCE_BYTES = 16 };

void hello_ask(const struct registry_secret *secret, const char *cluster, uint64_t expected_node,
               const unsigned char nonce[static HELLO_NONCE_BYTES], unsigned char ret_hello[static HELLO_BYTES]);

/* Judge a hello and write the answer. Fails: TROUPE_E_MALFORMED, TROUPE_E_WRONG_CLUSTER, TROUPE_E_UNAUTHORIZED. */
int hello_answer(const struct registry_secret *secret, const char *cluster, uint64_t node,
                 const unsigned char hello[static HELLO_BYTES], const unsigned char nonce[static HELLO_NONCE_BYTES],
                 unsigned char ret_here[static HELLO_BYTES]);

/* Judge the answer to a hello of ours. Fails: as hello_answer; TROUPE_E_PROTOCOL: no version in common. */
int hello_judge(const struct registry_secret *secret, const unsigned char hello[static HELLO_BYTES],
                const unsigned char here[static HELLO_BYTES]);

#endif
