/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pool promises (docs/pools.md), as rules: a job begins no more often than its retries allow, and in order of
 * its key; its caller hears what became of it, once; the figures add up; and a drain loses nothing. */
#include "pools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t pool_figure(troupe_view text, const char *name)
{
    char key[40], copy[2048];
    size_t len = text.len < sizeof copy - 1 ? text.len : sizeof copy - 1;

    if (len > 0)
        memcpy(copy, text.ptr, len);
    copy[len] = '\0';
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(copy, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

bool pool_rule_begins(uint32_t index, uint32_t id)
{
    struct sim_job *job = &sim_pools.jobs[id];
    struct sim_pool *pool = &sim_pools.pools[index];

    if (job->pool != index)
        return sim_fail("job %u came to a worker of another pool", id);
    pool->runs++;
    if (++job->runs > 1 + pool->retries)
        return sim_fail("job %u began %u times; it may be tried again %u times", id, job->runs, pool->retries);
    if (job->over && (job->status == TROUPE_E_SHED || job->status == TROUPE_E_RATE ||
                      job->status == TROUPE_E_DRAINING || job->status == TROUPE_E_FULL))
        return sim_fail("job %u began, though its caller was told %s", id, troupe_error_lookup(job->status)->code);
    if (!pool->calm || !pool->keyed || pool->concurrency != 1 || pool->resized)
        return true;
    uint32_t *last = &pool->last[job->key][job->priority];
    if (*last > id)
        return sim_fail("job %u began after job %u, which has its key and came later", id, *last);
    *last = id;
    return true;
}

bool pool_rule_answered(uint32_t id, int status, troupe_view body)
{
    struct sim_job *job = &sim_pools.jobs[id];
    const struct sim_pool *pool = &sim_pools.pools[job->pool];
    uint64_t now_ms = sim_now_ms();

    sim_event("job over", id, (uint64_t)(int64_t)status, job->runs);
    if (job->over)
        return sim_fail("job %u was answered twice", id);
    job->over = true;
    job->status = status;
    bool ends = pool->end_asked || pool->ended || sim_world.ending;
    switch (status) {
    case 0:
        if (!job->replied || pool_figure(body, "job") != id)
            return sim_fail("job %u got a reply that no worker gave it", id);
        return true;
    case TROUPE_E_APP:
        return job->refused || sim_fail("job %u was refused by nobody", id);
    case TROUPE_E_TIMEOUT:
        return now_ms >= job->deadline_ms || now_ms >= job->asked_ms + pool->job_timeout_ms ||
               sim_fail("job %u timed out %llu ms after it was asked", id,
                        (unsigned long long)(now_ms - job->asked_ms));
    case TROUPE_E_ACTOR_FAILED:
    case TROUPE_E_KILLED:
    case TROUPE_E_ENDED:
    case TROUPE_E_NO_REPLY:
        return job->runs > 0 || ends || (status == TROUPE_E_KILLED && !pool->calm) || /* it was in the mailbox */
               sim_fail("job %u was answered with %s, but never began", id, troupe_error_lookup(status)->code);
    case TROUPE_E_NO_MEMORY:
        return sim_world.no_memory || sim_fail("job %u was answered with no_memory, though there is some", id);
    default:
        break;
    }
    if (job->runs > 0 && pool->retries == 0 && !ends &&
        troupe_error_lookup(status)->outcome == TROUPE_OUTCOME_NOT_DONE &&
        status != TROUPE_E_STOPPED) /* a worker that was stopped may have it in its mailbox or in its hand */
        return sim_fail("job %u began, but its caller was told %s", id, troupe_error_lookup(status)->code);
    if (pool->calm && !ends && !pool->drains)
        return sim_fail("job %u of a pool that takes everything was answered with %s", id,
                        troupe_error_lookup(status)->code);
    return true;
}

bool pool_rule_figures(uint32_t index, troupe_view text, uint32_t jobs)
{
    const struct sim_pool *pool = &sim_pools.pools[index];
    uint64_t accepted = pool_figure(text, "accepted"), completed = pool_figure(text, "completed");
    uint64_t open = pool_figure(text, "waiting") + pool_figure(text, "in_flight");
    uint64_t done = completed + pool_figure(text, "failed") + pool_figure(text, "shed") + pool_figure(text, "expired") +
                    pool_figure(text, "abandoned");
    uint64_t refused = pool_figure(text, "refused_full") + pool_figure(text, "refused_rate") +
                       pool_figure(text, "refused_draining") + pool_figure(text, "refused_invalid");

    sim_event("figures", index, accepted, completed);
    if (accepted != done + open)
        return sim_fail("pool %u accepted %llu jobs; %llu are done and %llu open", index, (unsigned long long)accepted,
                        (unsigned long long)done, (unsigned long long)open);
    if (accepted + refused > pool->offered)
        return sim_fail("pool %u accepted %llu and refused %llu of %u jobs", index, (unsigned long long)accepted,
                        (unsigned long long)refused, pool->offered);
    if (completed > pool->replied + pool->refused)
        return sim_fail("pool %u counts %llu jobs as completed, but its workers answered %u", index,
                        (unsigned long long)completed, pool->replied + pool->refused);
    if (pool_figure(text, "in_flight") > (uint64_t)pool->concurrency * (pool->resized ? 8 : pool->size))
        return sim_fail("pool %u has more jobs at work than its workers may have", index);
    return open != 0 || pool_rule_drained(index, jobs);
}

bool pool_rule_drained(uint32_t index, uint32_t jobs)
{
    const struct sim_pool *pool = &sim_pools.pools[index];

    for (uint32_t id = 1; pool->calm && id < jobs; id++) {
        const struct sim_job *job = &sim_pools.jobs[id];
        bool gave_up = job->is_call && (job->cancelled || job->over || sim_now_ms() >= job->deadline_ms);
        if (job->pool == index && job->owed && job->runs == 0 && !gave_up)
            return sim_fail("pool %u lost job %u, which it had taken", index, id);
    }
    return true;
}
