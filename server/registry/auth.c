/* SPDX-License-Identifier: Apache-2.0
 *
 * Proofs by the cluster's secret, with libcrypto; no other file here knows it.
 *
 * Nonces that were taken are kept in two halves of the window, "this" and "last": a nonce is looked up in both and
 * added to this one. When the time has moved half a window on, the last half is forgotten and this one becomes it. A
 * request is only as old as the window in both directions, so each nonce must be known for two windows: a half of the
 * memory is two windows long.
 *
 * A half begins small and doubles: a cluster at rest makes a few calls a second, one that spawns thousands under names
 * makes thousands, and none of these may keep a renewal out. */
#include "registry/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/error.h>

enum { SLOTS_FIRST = 4096, NONCE_BYTES = 16, MAC_BYTES = 32 };

static const char scheme[] = "Troupe-HMAC ";

struct half {
    unsigned char (*slots)[NONCE_BYTES]; /* open addressing, at most half full; all zero is free */
    uint32_t mask, count;
};

struct registry_nonces {
    struct half halves[2];       /* [0] this, [1] last */
    uint64_t began_ms;           /* when this half began, wall clock */
};

/* ---- the parts ---- */

void registry_hmac(const struct registry_secret *secret, const troupe_view *parts, unsigned char ret_mac[static 32])
{
    /* HMAC by its definition (RFC 2104) on a hash of parts: libcrypto's incremental form differs between 1.1 and 3. */
    unsigned char key[SHA256_CBLOCK] = {0}, pad[SHA256_CBLOCK], inner[MAC_BYTES];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (secret->len > sizeof key)
        SHA256(secret->bytes, secret->len, key);
    else
        memcpy(key, secret->bytes, secret->len);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = key[i] ^ 0x36;
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(ctx, pad, sizeof pad) == 1;
    for (; good && parts->ptr != NULL; parts++)
        good = EVP_DigestUpdate(ctx, parts->ptr, parts->len) == 1;
    good = good && EVP_DigestFinal_ex(ctx, inner, NULL) == 1;
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = key[i] ^ 0x5c;
    good = good && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(ctx, pad, sizeof pad) == 1 &&
           EVP_DigestUpdate(ctx, inner, sizeof inner) == 1 && EVP_DigestFinal_ex(ctx, ret_mac, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(pad, sizeof pad);
    if (!good)
        abort(); /* no memory for a hash: a mac that is made up would be worse than an end */
}

bool registry_equal_in_constant_time(const void *a, const void *b, size_t len) { return CRYPTO_memcmp(a, b, len) == 0; }

static void write_hex(const unsigned char *bytes, size_t len, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * len] = '\0';
}

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool read_hex(troupe_view text, unsigned char *bytes, size_t len)
{
    if (text.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = digit(text.ptr[2 * i]), low = digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static void hash_body(troupe_view body, char ret_text[static AUTH_MAC_TEXT])
{
    unsigned char hash[MAC_BYTES];
    SHA256((const unsigned char *)(body.ptr != NULL ? body.ptr : ""), body.len, hash);
    write_hex(hash, sizeof hash, ret_text);
}

static void mac_of_request(const struct registry_secret *secret, const struct registry_auth *auth,
                           unsigned char ret_mac[static MAC_BYTES])
{
    char time[24], hash[AUTH_MAC_TEXT];
    const troupe_view line = {"\n", 1};
    snprintf(time, sizeof time, "%llu", (unsigned long long)auth->time_ms);
    hash_body(auth->body, hash);
    const troupe_view parts[] = {
        {"troupe-request\n", 15}, troupe_view_of(auth->cluster), line, troupe_view_of(auth->epoch), line,
        troupe_view_of(auth->method), line, troupe_view_of(auth->target), line, troupe_view_of(auth->node), line,
        troupe_view_of(time), line, troupe_view_of(auth->nonce), line, troupe_view_of(hash), {NULL, 0},
    };
    registry_hmac(secret, parts, ret_mac);
}

void registry_auth_sign(const struct registry_secret *secret, const struct registry_auth *auth,
                        char ret_header[static AUTH_HEADER_BYTES])
{
    unsigned char mac[MAC_BYTES];
    char text[AUTH_MAC_TEXT];
    mac_of_request(secret, auth, mac);
    write_hex(mac, sizeof mac, text);
    snprintf(ret_header, AUTH_HEADER_BYTES, "%snode=\"%s\", time=\"%llu\", nonce=\"%s\", mac=\"%s\"", scheme,
             auth->node, (unsigned long long)auth->time_ms, auth->nonce, text);
}

/* ---- nonces ---- */

int registry_nonces_new(struct registry_nonces **ret_nonces)
{
    struct registry_nonces *nonces = calloc(1, sizeof *nonces);
    if (nonces == NULL)
        return TROUPE_E_NO_MEMORY;
    for (int i = 0; i < 2; i++) {
        nonces->halves[i].slots = calloc(SLOTS_FIRST, NONCE_BYTES);
        nonces->halves[i].mask = SLOTS_FIRST - 1;
        if (nonces->halves[i].slots == NULL) {
            registry_nonces_free(nonces);
            return TROUPE_E_NO_MEMORY;
        }
    }
    *ret_nonces = nonces;
    return 0;
}

void registry_nonces_free(struct registry_nonces *nonces)
{
    if (nonces == NULL)
        return;
    free(nonces->halves[0].slots);
    free(nonces->halves[1].slots);
    free(nonces);
}

static void turn_over(struct registry_nonces *nonces, uint64_t now_ms)
{
    struct half last = nonces->halves[1];
    if (now_ms - nonces->began_ms < 2 * (uint64_t)AUTH_WINDOW_MS && now_ms >= nonces->began_ms)
        return;
    nonces->halves[1] = nonces->halves[0];
    if (last.count > 0)
        memset(last.slots, 0, ((size_t)last.mask + 1) * NONCE_BYTES);
    last.count = 0;
    nonces->halves[0] = last;
    nonces->began_ms = now_ms;
}

static const unsigned char none[NONCE_BYTES];

/* The slot of a nonce, or the free one where it would go. */
static unsigned char *slot_of(const struct half *half, const unsigned char nonce[static NONCE_BYTES])
{
    uint64_t words[2], hash;
    memcpy(words, nonce, sizeof words);
    /* Macs are checked first, so nonces come from those who have the secret: nobody chooses collisions. */
    hash = (words[0] * 0xff51afd7ed558ccdu) ^ words[1];
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(hash >> 32) & half->mask;
    for (;; at = (at + 1) & half->mask) {
        unsigned char *slot = half->slots[at];
        if (memcmp(slot, nonce, NONCE_BYTES) == 0 || memcmp(slot, none, NONCE_BYTES) == 0)
            return slot;
    }
}

/* Make room for one more. False: there is no memory, or there are too many. */
static bool grow(struct half *half)
{
    if (half->count >= AUTH_NONCES_MAX)
        return false;
    if (half->count <= half->mask / 2)
        return true;
    struct half wide = {.mask = 2 * half->mask + 1, .count = half->count};
    wide.slots = calloc((size_t)wide.mask + 1, NONCE_BYTES);
    if (wide.slots == NULL)
        return false;
    for (uint32_t i = 0; i <= half->mask; i++) {
        if (memcmp(half->slots[i], none, NONCE_BYTES) != 0)
            memcpy(slot_of(&wide, half->slots[i]), half->slots[i], NONCE_BYTES);
    }
    free(half->slots);
    *half = wide;
    return true;
}

static int take_nonce(struct registry_nonces *nonces, const unsigned char nonce[static NONCE_BYTES], uint64_t now_ms)
{
    turn_over(nonces, now_ms);
    const unsigned char *seen = slot_of(&nonces->halves[0], nonce);
    if (memcmp(nonce, none, NONCE_BYTES) == 0 || memcmp(seen, nonce, NONCE_BYTES) == 0 ||
        memcmp(slot_of(&nonces->halves[1], nonce), nonce, NONCE_BYTES) == 0)
        return TROUPE_E_REPLAYED;
    if (!grow(&nonces->halves[0]))
        return TROUPE_E_LIMIT;
    memcpy(slot_of(&nonces->halves[0], nonce), nonce, NONCE_BYTES);
    nonces->halves[0].count++;
    return 0;
}

/* ---- the header ---- */

/* Take `name="value"` off the front, and the comma and blanks behind it. */
static bool take_member(troupe_view *rest, const char *name, troupe_view *ret_value)
{
    size_t len = strlen(name);
    if (rest->len < len + 3 || memcmp(rest->ptr, name, len) != 0 || rest->ptr[len] != '=' || rest->ptr[len + 1] != '"')
        return false;
    const char *value = rest->ptr + len + 2;
    const char *end = memchr(value, '"', rest->len - len - 2);
    if (end == NULL)
        return false;
    *ret_value = (troupe_view){value, (size_t)(end - value)};
    rest->len -= (size_t)(end + 1 - rest->ptr);
    rest->ptr = end + 1;
    if (rest->len > 0 && rest->ptr[0] != ',')
        return false;
    while (rest->len > 0 && (rest->ptr[0] == ',' || rest->ptr[0] == ' ')) {
        rest->ptr++;
        rest->len--;
    }
    return true;
}

static bool read_time(troupe_view text, uint64_t *ret_ms)
{
    uint64_t ms = 0;
    if (text.len == 0 || text.len > 15 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        ms = ms * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret_ms = ms;
    return true;
}

struct header {
    troupe_view node, nonce;
    unsigned char nonce_bytes[NONCE_BYTES], mac[MAC_BYTES];
    uint64_t time_ms;
};

static bool read_header(troupe_view text, struct header *header)
{
    troupe_view time, mac;
    if (text.len < sizeof scheme - 1 || text.len >= AUTH_HEADER_BYTES ||
        memcmp(text.ptr, scheme, sizeof scheme - 1) != 0)
        return false;
    text.ptr += sizeof scheme - 1;
    text.len -= sizeof scheme - 1;
    return take_member(&text, "node", &header->node) && take_member(&text, "time", &time) &&
           take_member(&text, "nonce", &header->nonce) && take_member(&text, "mac", &mac) && text.len == 0 &&
           read_time(time, &header->time_ms) && read_hex(header->nonce, header->nonce_bytes, NONCE_BYTES) &&
           read_hex(mac, header->mac, MAC_BYTES);
}

int registry_auth_verify(const struct registry_secret *secret, struct registry_nonces *nonces, troupe_view header,
                         uint64_t now_wall_ms, struct registry_auth *auth, char *ret_node, size_t node_cap)
{
    struct header read;
    unsigned char mac[MAC_BYTES];
    if (secret->len < AUTH_SECRET_BYTES_MIN || !read_header(header, &read) || read.node.len >= node_cap)
        return TROUPE_E_UNAUTHORIZED;
    memcpy(ret_node, read.node.ptr, read.node.len);
    ret_node[read.node.len] = '\0';
    auth->node = ret_node;
    auth->time_ms = read.time_ms;
    memcpy(auth->nonce, read.nonce.ptr, read.nonce.len);
    auth->nonce[read.nonce.len] = '\0';
    mac_of_request(secret, auth, mac);
    if (!registry_equal_in_constant_time(mac, read.mac, sizeof mac))
        return TROUPE_E_UNAUTHORIZED;
    if (read.time_ms + AUTH_WINDOW_MS < now_wall_ms || read.time_ms > now_wall_ms + AUTH_WINDOW_MS)
        return TROUPE_E_REPLAYED;
    return take_nonce(nonces, read.nonce_bytes, now_wall_ms);
}

/* ---- answers ---- */

void registry_auth_prove(const struct registry_secret *secret, const char *nonce, unsigned status, troupe_view body,
                         char ret_proof[static AUTH_MAC_TEXT])
{
    unsigned char mac[MAC_BYTES];
    char number[16], hash[AUTH_MAC_TEXT];
    const troupe_view line = {"\n", 1};
    snprintf(number, sizeof number, "%u", status);
    hash_body(body, hash);
    const troupe_view parts[] = {
        {"troupe-answer\n", 14}, troupe_view_of(nonce), line, troupe_view_of(number), line, troupe_view_of(hash),
        {NULL, 0},
    };
    registry_hmac(secret, parts, mac);
    write_hex(mac, sizeof mac, ret_proof);
}

bool registry_auth_proof_is_good(const struct registry_secret *secret, const char *nonce, unsigned status,
                                 troupe_view body, troupe_view proof)
{
    char good[AUTH_MAC_TEXT];
    if (secret->len < AUTH_SECRET_BYTES_MIN || proof.len != AUTH_MAC_TEXT - 1)
        return false;
    registry_auth_prove(secret, nonce, status, body, good);
    return registry_equal_in_constant_time(good, proof.ptr, proof.len);
}
