/* SPDX-License-Identifier: Apache-2.0 */
#include "access/addresses.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "access/rates.h"
#include "access/tokens.h"

enum {
    BUCKETS = 256,               /* of a part */
    CHUNK_FDS = 1024,
    CHUNKS = 4096,
    SWEEP_MS = 100,              /* a full part is not swept more often: a flood would pay for it at each newcomer */
    KEY_BYTES = 17               /* what kind of address, then the address */
};

struct address {
    struct address *next;        /* in its bucket */
    uint64_t hash;
    char key[KEY_BYTES];
    uint32_t connections;        /* under the part's lock, as next */
    struct rate rate;
};

struct part {
    pthread_mutex_t lock;
    unsigned count;
    uint64_t swept_ms;           /* when it was last swept as a whole */
    struct address *buckets[BUCKETS];
};

struct chunk {
    _Atomic(struct address *) of_fd[CHUNK_FDS];
};

struct addresses {
    uint32_t rate, connections_max;
    unsigned char secret[16];    /* goes into the hashes */
    struct part parts[ADDRESSES_PARTS];
    _Atomic(struct chunk *) chunks[CHUNKS];
};

int addresses_new(uint32_t rate, uint32_t connections_max, struct addresses **ret_addresses)
{
    struct addresses *addresses = calloc(1, sizeof *addresses);
    if (addresses == NULL)
        return TROUPE_E_NO_MEMORY;
    addresses->rate = rate;
    addresses->connections_max = connections_max;
    for (unsigned i = 0; i < ADDRESSES_PARTS; i++)
        pthread_mutex_init(&addresses->parts[i].lock, NULL);
    if (RAND_bytes(addresses->secret, sizeof addresses->secret) != 1) {
        addresses_free(addresses);
        return TROUPE_E_INTERNAL;
    }
    *ret_addresses = addresses;
    return 0;
}

static void free_part(struct part *part)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (part->buckets[i] != NULL) {
            struct address *address = part->buckets[i];
            part->buckets[i] = address->next;
            free(address);
        }
    }
    pthread_mutex_destroy(&part->lock);
}

void addresses_free(struct addresses *addresses)
{
    if (addresses == NULL)
        return;
    for (unsigned i = 0; i < ADDRESSES_PARTS; i++)
        free_part(&addresses->parts[i]);
    for (unsigned i = 0; i < CHUNKS; i++)
        free(atomic_load_explicit(&addresses->chunks[i], memory_order_relaxed));
    free(addresses);
}

/* ---- keys ---- */

/* False: it is not counted. */
static bool make_key(const struct sockaddr *peer, char key[static KEY_BYTES])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memset(key, 0, KEY_BYTES);
    if (peer->sa_family == AF_INET) {
        memcpy(key + 1, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
        key[0] = 4;
        return key[1] != 127;
    }
    if (peer->sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    if (memcmp(v6, mapped, sizeof mapped) == 0) {
        memcpy(key + 1, v6->s6_addr + 12, 4);
        key[0] = 4;
        return key[1] != 127;
    }
    memcpy(key + 1, v6, 8);
    key[0] = 6;
    return !IN6_IS_ADDR_LOOPBACK(v6);
}

static uint64_t hash_of(const struct addresses *addresses, const char key[static KEY_BYTES])
{
    char bytes[sizeof addresses->secret + KEY_BYTES];
    unsigned char digest[TOKEN_HASH_BYTES];
    uint64_t hash;
    memcpy(bytes, addresses->secret, sizeof addresses->secret);
    memcpy(bytes + sizeof addresses->secret, key, KEY_BYTES);
    tokens_hash((troupe_view){bytes, sizeof bytes}, digest);
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

static struct part *part_of(struct addresses *addresses, uint64_t hash)
{
    return &addresses->parts[hash % ADDRESSES_PARTS];
}

static struct address **bucket_of(struct part *part, uint64_t hash)
{
    return &part->buckets[hash / ADDRESSES_PARTS % BUCKETS];
}

/* ---- by descriptor ---- */

/* NULL: no such descriptor was noted, or there is no memory to note it. */
static _Atomic(struct address *) *slot_of(struct addresses *addresses, int fd, bool make)
{
    unsigned i = (unsigned)fd / CHUNK_FDS;
    if (fd < 0 || i >= CHUNKS)
        return NULL;
    /* Acquire: pairs with the release below; the chunk is zeroed. */
    struct chunk *chunk = atomic_load_explicit(&addresses->chunks[i], memory_order_acquire);
    if (chunk == NULL && make) {
        struct chunk *fresh = calloc(1, sizeof *fresh);
        if (fresh == NULL)
            return NULL;
        if (atomic_compare_exchange_strong_explicit(&addresses->chunks[i], &chunk, fresh, memory_order_acq_rel,
                                                    memory_order_acquire))
            chunk = fresh;
        else
            free(fresh);
    }
    return chunk != NULL ? &chunk->of_fd[(unsigned)fd % CHUNK_FDS] : NULL;
}

/* Acquire and release: the entry was made by the thread that had the descriptor before. */
static struct address *address_of(struct addresses *addresses, int fd)
{
    _Atomic(struct address *) *slot = slot_of(addresses, fd, false);
    return slot != NULL ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
}

/* ---- by address ---- */

static bool is_idle(const struct address *address, uint64_t now_ms)
{
    return address->connections == 0 && rate_is_idle(&address->rate, now_ms);
}

/* Free the idle ones of a bucket. */
static void sweep_bucket(struct part *part, struct address **at, uint64_t now_ms)
{
    while (*at != NULL) {
        struct address *address = *at;
        if (!is_idle(address, now_ms)) {
            at = &address->next;
            continue;
        }
        *at = address->next;
        part->count--;
        free(address);
    }
}

static void sweep_part(struct part *part, uint64_t now_ms)
{
    if (now_ms - part->swept_ms < SWEEP_MS)
        return;
    part->swept_ms = now_ms;
    for (unsigned i = 0; i < BUCKETS; i++)
        sweep_bucket(part, &part->buckets[i], now_ms);
}

static struct address *find(struct part *part, uint64_t hash, const char key[static KEY_BYTES])
{
    struct address *address = *bucket_of(part, hash);
    while (address != NULL && (address->hash != hash || memcmp(address->key, key, KEY_BYTES) != 0))
        address = address->next;
    return address;
}

/* NULL: there is no room. */
static struct address *find_or_make(struct part *part, uint64_t hash, const char key[static KEY_BYTES],
                                    uint64_t now_ms)
{
    struct address *address = find(part, hash, key);
    struct address **bucket = bucket_of(part, hash);
    if (address != NULL)
        return address;
    sweep_bucket(part, bucket, now_ms);
    if (part->count >= ADDRESSES_PER_PART_MAX)
        sweep_part(part, now_ms);
    if (part->count >= ADDRESSES_PER_PART_MAX || (address = calloc(1, sizeof *address)) == NULL)
        return NULL;
    memcpy(address->key, key, KEY_BYTES);
    address->hash = hash;
    address->next = *bucket;
    *bucket = address;
    part->count++;
    return address;
}

bool addresses_enter(struct addresses *addresses, int fd, const struct sockaddr *peer, uint64_t now_ms)
{
    char key[KEY_BYTES];
    addresses_leave(addresses, fd); /* whoever closed it without a word */
    if (!make_key(peer, key))
        return true;
    _Atomic(struct address *) *slot = slot_of(addresses, fd, true);
    if (slot == NULL)
        return false;
    uint64_t hash = hash_of(addresses, key);
    struct part *part = part_of(addresses, hash);
    pthread_mutex_lock(&part->lock);
    struct address *address = find_or_make(part, hash, key, now_ms);
    bool fits = address != NULL &&
                (addresses->connections_max == 0 || address->connections < addresses->connections_max);
    if (fits)
        address->connections++;
    pthread_mutex_unlock(&part->lock);
    if (fits)
        atomic_store_explicit(slot, address, memory_order_release);
    return fits;
}

void addresses_move(struct addresses *addresses, int from_fd, int to_fd)
{
    _Atomic(struct address *) *from = slot_of(addresses, from_fd, false);
    struct address *address = from != NULL ? atomic_load_explicit(from, memory_order_acquire) : NULL;
    addresses_leave(addresses, to_fd); /* whoever closed it without a word */
    if (address == NULL)
        return;
    _Atomic(struct address *) *to = slot_of(addresses, to_fd, true);
    if (to == NULL) {
        addresses_leave(addresses, from_fd); /* no memory: the connection goes on uncounted */
        return;
    }
    atomic_store_explicit(from, NULL, memory_order_relaxed);
    atomic_store_explicit(to, address, memory_order_release);
}

/* An entry that is idle now goes with a later sweep; one without rate has nothing to remember and goes at once. */
static void leave(struct addresses *addresses, struct address *address)
{
    struct part *part = part_of(addresses, address->hash);
    pthread_mutex_lock(&part->lock);
    address->connections--;
    if (addresses->rate == 0)
        sweep_bucket(part, bucket_of(part, address->hash), 0);
    pthread_mutex_unlock(&part->lock);
}

void addresses_leave(struct addresses *addresses, int fd)
{
    _Atomic(struct address *) *slot = slot_of(addresses, fd, false);
    struct address *address = slot != NULL ? atomic_exchange_explicit(slot, NULL, memory_order_acq_rel) : NULL;
    if (address != NULL)
        leave(addresses, address);
}

uint32_t addresses_take_rate(struct addresses *addresses, int fd, uint64_t now_ms)
{
    if (addresses->rate == 0)
        return 0;
    struct address *address = address_of(addresses, fd);
    return address != NULL ? rate_take(&address->rate, addresses->rate, now_ms) : 0;
}

unsigned addresses_count(struct addresses *addresses)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ADDRESSES_PARTS; i++) {
        pthread_mutex_lock(&addresses->parts[i].lock);
        count += addresses->parts[i].count;
        pthread_mutex_unlock(&addresses->parts[i].lock);
    }
    return count;
}
