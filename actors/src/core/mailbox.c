/* SPDX-License-Identifier: Apache-2.0
 *
 * See mailbox.h: the rare half of a push. */
#include "core/mailbox.h"

#include "base/compiler.h"

RARE int troupe__mailbox_refusal(const struct actor *actor, uint64_t word)
{
    if (word == WORD_SHUT)
        return TROUPE_E_GONE;
    if (word & WORD_CLOSING)
        return TROUPE_E_DRAINING;
    uint32_t count = word_count(word), messages_max = atomic_load_relaxed(&actor->messages_max);
    uint8_t policy = atomic_load_relaxed(&actor->policy);
    if (policy == TROUPE_DROP_NEWEST)
        return TROUPE_E_SHED;
    if (policy == TROUPE_REFUSE || count >= 2 * messages_max || count >= MAILBOX_ORDINARY_MAX)
        return TROUPE_E_FULL;
    return 0; /* drop oldest goes on to there */
}
