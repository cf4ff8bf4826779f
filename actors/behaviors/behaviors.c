/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of the standard behaviors. A new one is named here and in <troupe/behaviors.h>. */
#include <troupe/behaviors.h>

static const troupe_behavior *const table[] = {
    &troupe_behavior_echo,   &troupe_behavior_counter, &troupe_behavior_kv,     &troupe_behavior_topic,
    &troupe_behavior_ticker, &troupe_behavior_relay,   &troupe_behavior_door,   &troupe_behavior_pool,
    &troupe_behavior_webhook, &troupe_behavior_supervisor, &troupe_behavior_faulty,
};

const troupe_behavior *troupe_behaviors_at(unsigned i)
{
    return i < sizeof table / sizeof table[0] ? table[i] : NULL;
}
