/* SPDX-License-Identifier: Apache-2.0
 *
 * Powers of ten in 128 bits, from 10^-342 to 10^332.
 *
 * The whole table would take 10 KB, a third of what the browser client may weigh. As in Dragonbox's compact cache,
 * every 27th power is kept and the others are made by a multiplication with 5^1 to 5^26 (which fits into a word; the
 * powers of two are only scale). That product is off by at most one in the last place, so two bits per power hold the
 * correction. All values were computed with exact integers, and test_number.c proves each entry again that way.
 *
 * Thread: any; all data is constant. */
#include "base/number.h"

#define STEP 27

/* 10^(TROUPE__POW10_MIN + 27 i), as troupe__pow10 gives it */
static const struct u128 anchors[] = {
    {UINT64_C(0xeef453d6923bd65a), UINT64_C(0x113faa2906a13b40)}, /* 1e-342 */
    {UINT64_C(0xc1069cd4eabe89f8), UINT64_C(0x999ec0bb696e840b)}, /* 1e-315 */
    {UINT64_C(0x9becce62836ac577), UINT64_C(0x4ee367f9430aec33)}, /* 1e-288 */
    {UINT64_C(0xfbe9141915d7a922), UINT64_C(0x4bf1ff9f0062baa9)}, /* 1e-261 */
    {UINT64_C(0xcb7ddcdda26da268), UINT64_C(0xa9942f5dcf7dfd0a)}, /* 1e-234 */
    {UINT64_C(0xa46116538d0deb78), UINT64_C(0x52d9be85f074e609)}, /* 1e-207 */
    {UINT64_C(0x84c8d4dfd2c63f3b), UINT64_C(0x29ecd9f40041e074)}, /* 1e-180 */
    {UINT64_C(0xd686619ba27255a2), UINT64_C(0xc80a537b0efefebe)}, /* 1e-153 */
    {UINT64_C(0xad4ab7112eb3929d), UINT64_C(0x86c16c98d2c953c7)}, /* 1e-126 */
    {UINT64_C(0x8bfbea76c619ef36), UINT64_C(0x57eb4edb3c55b65b)}, /* 1e-99 */
    {UINT64_C(0xe2280b6c20dd5232), UINT64_C(0x25c6da63c38de1b1)}, /* 1e-72 */
    {UINT64_C(0xb6b00d69bb55c8d1), UINT64_C(0x3d607b97c5fd0d23)}, /* 1e-45 */
    {UINT64_C(0x9392ee8e921d5d07), UINT64_C(0x3aff322e62439fd0)}, /* 1e-18 */
    {UINT64_C(0xee6b280000000000), UINT64_C(0x0000000000000000)}, /* 1e9 */
    {UINT64_C(0xc097ce7bc90715b3), UINT64_C(0x4b9f100000000000)}, /* 1e36 */
    {UINT64_C(0x9b934c3b330c8577), UINT64_C(0x63cc55f49f88eb30)}, /* 1e63 */
    {UINT64_C(0xfb5878494ace3a5f), UINT64_C(0x04ab48a04065c724)}, /* 1e90 */
    {UINT64_C(0xcb090c8001ab551c), UINT64_C(0x5cadf5bfd3072cc6)}, /* 1e117 */
    {UINT64_C(0xa402b9c5a8d3a6e7), UINT64_C(0x5f16206c9c6209a7)}, /* 1e144 */
    {UINT64_C(0x847c9b5d7c2e09b7), UINT64_C(0x69956135febada12)}, /* 1e171 */
    {UINT64_C(0xd60b3bd56a5586f1), UINT64_C(0x8a71e223d8d3b075)}, /* 1e198 */
    {UINT64_C(0xace73cbfdc0bfb7b), UINT64_C(0x636cc64d1001550c)}, /* 1e225 */
    {UINT64_C(0x8bab8eefb6409c1a), UINT64_C(0x1ad089b6c2f7548f)}, /* 1e252 */
    {UINT64_C(0xe1a63853bbd26451), UINT64_C(0x5e7873f8a0396974)}, /* 1e279 */
    {UINT64_C(0xb6472e511c81471d), UINT64_C(0xe0133fe4adf8e953)}, /* 1e306 */
};

static const uint64_t powers_of_5[STEP] = {
    UINT64_C(1),
    UINT64_C(5),
    UINT64_C(25),
    UINT64_C(125),
    UINT64_C(625),
    UINT64_C(3125),
    UINT64_C(15625),
    UINT64_C(78125),
    UINT64_C(390625),
    UINT64_C(1953125),
    UINT64_C(9765625),
    UINT64_C(48828125),
    UINT64_C(244140625),
    UINT64_C(1220703125),
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
};

/* Two bits for each power from TROUPE__POW10_MIN on, the lowest first: the correction plus one. */
static const uint64_t corrections[] = {
    UINT64_C(0x6a6a66aa6aaaaa95), UINT64_C(0x965a95559a9a6a96), UINT64_C(0x95a959669599695a),
    UINT64_C(0x566aaa5aa9a5966a), UINT64_C(0xaaaa6a6a9aa665a6), UINT64_C(0xa55555959659555a),
    UINT64_C(0x59559aa5a59a69aa), UINT64_C(0x9555665954555515), UINT64_C(0x56aa655599996596),
    UINT64_C(0x5656a55565566965), UINT64_C(0x4410555555554169), UINT64_C(0x5555555555555555),
    UINT64_C(0x999656aaa5555555), UINT64_C(0xaaaaaaa969696655), UINT64_C(0x955566a6596aaaaa),
    UINT64_C(0x5556655155555966), UINT64_C(0xa966596555965a55), UINT64_C(0x9a696a9aa9a9aaaa),
    UINT64_C(0x41955556a56aaa6a), UINT64_C(0xaaaaaaaaa5811551), UINT64_C(0x9a66aa95a665aaaa),
    UINT64_C(0x0000000000000016),
};

struct u128 troupe__pow10(int k)
{
    unsigned i = (unsigned)(k - TROUPE__POW10_MIN);
    unsigned rest = i % STEP;
    int anchor_k = k - (int)rest;
    struct u128 power = anchors[i / STEP];

    if (rest != 0) {
        struct u128 low = troupe__multiply(power.lo, powers_of_5[rest]);
        struct u128 high = troupe__multiply(power.hi, powers_of_5[rest]);
        unsigned shift = (unsigned)(troupe__log2_pow10(k) - troupe__log2_pow10(anchor_k)) - rest; /* 2 to 61 */
        uint64_t correction = (corrections[i / 32] >> (2 * (i % 32)) & 3) - 1; /* -1, 0 or 1, modulo 2^64 */
        uint64_t made;

        high.lo += low.hi;
        high.hi += high.lo < low.hi;
        power.hi = high.hi << (64 - shift) | high.lo >> shift;
        made = high.lo << (64 - shift) | low.lo >> shift;
        power.lo = made + correction;
        if (correction == 1) {
            power.hi += power.lo < made;
        } else if (correction != 0) {
            power.hi -= made == 0;
        }
    }
    return power;
}
