/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/hello.h"

#include <string.h>

enum {
    AT_MIN = 4, AT_MAX = 5, AT_KIND = 6, AT_NONCE = 8, AT_NODE = 24, AT_CLUSTER = 32, AT_MAC = 48, MAC_BYTES = 32,
    KIND_HELLO = 1, KIND_HERE = 2
};

static const char magic[4] = {'T', 'R', 'P', '1'};

static void put_u64(unsigned char *dst, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        dst[i] = (unsigned char)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const unsigned char *src)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | src[i];
    return value;
}

static void fill(unsigned char *frame, unsigned char first, unsigned char second, unsigned char kind, uint64_t node,
                 const char *cluster, const unsigned char *nonce)
{
    memset(frame, 0, HELLO_BYTES);
    memcpy(frame, magic, sizeof magic);
    frame[AT_MIN] = first;
    frame[AT_MAX] = second;
    frame[AT_KIND + 1] = kind;
    memcpy(frame + AT_NONCE, nonce, HELLO_NONCE_BYTES);
    put_u64(frame + AT_NODE, node);
    for (size_t i = 0; i < REGISTRY_CLUSTER_BYTES && cluster[i] != '\0'; i++)
        frame[AT_CLUSTER + i] = (unsigned char)cluster[i];
}

static bool has_kind(const unsigned char *frame, unsigned char kind)
{
    return memcmp(frame, magic, sizeof magic) == 0 && frame[AT_KIND] == 0 && frame[AT_KIND + 1] == kind;
}

static void mac_of_hello(const struct registry_secret *secret, const unsigned char *hello, unsigned char *ret_mac)
{
    const troupe_view parts[] = {
        troupe_view_of("troupe-hello"), {(const char *)hello, AT_MAC}, {NULL, 0},
    };
    registry_hmac(secret, parts, ret_mac);
}

static void mac_of_here(const struct registry_secret *secret, const unsigned char *hello, const unsigned char *here,
                        unsigned char *ret_mac)
{
    const troupe_view parts[] = {
        troupe_view_of("troupe-here"), {(const char *)hello, AT_MAC}, {(const char *)here, AT_MAC}, {NULL, 0},
    };
    registry_hmac(secret, parts, ret_mac);
}

void hello_ask(const struct registry_secret *secret, const char *cluster, uint64_t expected_node,
               const unsigned char nonce[static HELLO_NONCE_BYTES], unsigned char ret_hello[static HELLO_BYTES])
{
    fill(ret_hello, REGISTRY_PROTOCOL, REGISTRY_PROTOCOL, KIND_HELLO, expected_node, cluster, nonce);
    mac_of_hello(secret, ret_hello, ret_hello + AT_MAC);
}

int hello_answer(const struct registry_secret *secret, const char *cluster, uint64_t node,
                 const unsigned char hello[static HELLO_BYTES], const unsigned char nonce[static HELLO_NONCE_BYTES],
                 unsigned char ret_here[static HELLO_BYTES])
{
    unsigned char wanted[HELLO_BYTES], mac[MAC_BYTES];
    if (!has_kind(hello, KIND_HELLO) || hello[AT_MIN] == 0 || hello[AT_MIN] > hello[AT_MAX])
        return TROUPE_E_MALFORMED;
    uint64_t expected = get_u64(hello + AT_NODE);
    bool has_common = hello[AT_MIN] <= REGISTRY_PROTOCOL && hello[AT_MAX] >= REGISTRY_PROTOCOL;
    fill(wanted, has_common ? REGISTRY_PROTOCOL : 0, 0, KIND_HERE, node, cluster, nonce);
    if (memcmp(hello + AT_CLUSTER, wanted + AT_CLUSTER, REGISTRY_CLUSTER_BYTES) != 0 ||
        (expected != 0 && expected != node))
        return TROUPE_E_WRONG_CLUSTER;
    mac_of_hello(secret, hello, mac);
    if (secret->len == 0 || !registry_equal_in_constant_time(mac, hello + AT_MAC, MAC_BYTES))
        return TROUPE_E_UNAUTHORIZED;
    mac_of_here(secret, hello, wanted, wanted + AT_MAC);
    memcpy(ret_here, wanted, HELLO_BYTES);
    return 0;
}

int hello_judge(const struct registry_secret *secret, const unsigned char hello[static HELLO_BYTES],
                const unsigned char here[static HELLO_BYTES])
{
    unsigned char mac[MAC_BYTES];
    if (!has_kind(here, KIND_HERE) || here[AT_MAX] != 0)
        return TROUPE_E_MALFORMED;
    uint64_t expected = get_u64(hello + AT_NODE);
    if (memcmp(hello + AT_CLUSTER, here + AT_CLUSTER, REGISTRY_CLUSTER_BYTES) != 0 ||
        (expected != 0 && expected != get_u64(here + AT_NODE)))
        return TROUPE_E_WRONG_CLUSTER;
    mac_of_here(secret, hello, here, mac);
    if (secret->len == 0 || !registry_equal_in_constant_time(mac, here + AT_MAC, MAC_BYTES))
        return TROUPE_E_UNAUTHORIZED;
    return here[AT_MIN] != 0 ? 0 : TROUPE_E_PROTOCOL;
}
