/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: 32 random bytes as text, and the SHA-256 by which a node knows them. The only file that includes OpenSSL. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include <troupe/client.h>

#define RANDOM_BYTES 32

bool troupe_client_token_is_valid(const char *token)
{
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            return false;
        }
    }
    return len >= 1 && len <= TROUPE_CLIENT_TOKEN_BYTES_MAX;
}

/* base64url of RFC 4648 part 5, without padding: 43 characters. */
static void write_base64url(const unsigned char bytes[static RANDOM_BYTES], char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0;
    unsigned held = 0; /* bits not written yet */
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffff;
        for (held += 8; held >= 6; held -= 6) {
            *out++ = digits[bits >> (held - 6) & 63];
        }
    }
    *out++ = digits[bits << (6 - held) & 63];
    *out = '\0';
}

int troupe_client_token_make(char ret_token[TROUPE_CLIENT_TOKEN_CAP])
{
    unsigned char bytes[RANDOM_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return TROUPE_E_INTERNAL;
    }
    memcpy(ret_token, "tt_", 3);
    write_base64url(bytes, ret_token + 3);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return 0;
}

int troupe_client_token_hash(const char *token, char ret_hash[TROUPE_CLIENT_HASH_CAP])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (SHA256((const unsigned char *)token, strlen(token), digest) == NULL) {
        return TROUPE_E_INTERNAL;
    }
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(ret_hash + 2 * i, 3, "%02x", digest[i]);
    }
    return 0;
}
