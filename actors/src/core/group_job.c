/* SPDX-License-Identifier: Apache-2.0
 *
 * See group.h: what outsiders send to groups.
 *
 * A job sends to the members in slices: the first at once, then GROUP_SENDS_PER_POLL in each poll of its worker, all
 * jobs together and in turn; fewer when the body is large. A call opens one request for each member, and all of them
 * have the deadline of the job.
 *
 *   SENDING   members are left; in the worker's ring
 *   WAITING   all was sent, requests are open; in no list
 *   over      `done` has run, or it was cancelled: freed when nobody is inside of it any more
 *
 * `each` and `done` may run inside the function that begins the job, and may cancel any job.
 *
 * Thread: the owner of the worker. */
#include "core/group.h"

#include "base/mem.h"
#include "core/worker.h"

struct job_call {
    struct job_call *next, **link; /* the job's open ones */
    struct group_job *job;
    troupe_ref ref;
    troupe_request request;
};

struct group_job {
    struct group_job *next, *prev; /* the worker's ring, while it sends */
    troupe_group_request *request; /* NULL: it was cancelled */
    troupe_worker *worker;
    struct group *group;   /* held; NULL: there is none */
    uint64_t cursor, last; /* members behind the one and up to the other are left */
    uint64_t deadline_ns;  /* of a call; 0: a cast */
    troupe_group_counts counts;
    struct job_call *calls;
    bool sending;
    unsigned inside; /* calls of its functions that have not returned */
    troupe_caller caller;
    troupe_view type;
    troupe_body body;
    char text[]; /* of those three */
};

/* ---- the ring ---- */

static void enter_ring(struct group_job *job)
{
    struct group_job *first = job->worker->group_jobs;
    if (!first) {
        job->next = job->prev = job;
        job->worker->group_jobs = job;
    } else { /* behind all others */
        job->next = first;
        job->prev = first->prev;
        first->prev->next = job;
        first->prev = job;
    }
    job->sending = true;
}

static void leave_ring(struct group_job *job)
{
    if (!job->sending)
        return;
    job->sending = false;
    job->prev->next = job->next;
    job->next->prev = job->prev;
    if (job->worker->group_jobs == job)
        job->worker->group_jobs = job->next == job ? NULL : job->next;
}

/* ---- the end ---- */

static void drop_group(struct group_job *job)
{
    if (job->group)
        troupe__group_release(job->group);
    job->group = NULL;
}

static void free_if_over(struct group_job *job)
{
    if (job->request || job->inside > 0)
        return;
    leave_ring(job);
    drop_group(job);
    troupe_free(job);
}

/* Is it over? Then say so. */
static void proceed(struct group_job *job)
{
    troupe_group_request *request = job->request;
    if (!request || job->group || job->calls)
        return;
    job->request = NULL;
    request->job = NULL;
    job->counts.refused = job->counts.members - job->counts.accepted;
    job->inside++;
    request->done(request, &job->counts);
    job->inside--;
}

void troupe_group_request_cancel(troupe_group_request *request)
{
    struct group_job *job = request->job;
    if (!job)
        return;
    request->job = NULL;
    job->request = NULL;
    while (job->calls) {
        struct job_call *call = job->calls;
        job->calls = call->next;
        if (call->next)
            call->next->link = &job->calls;
        troupe_request_cancel(&call->request);
        troupe_free(call);
    }
    leave_ring(job);
    free_if_over(job);
}

/* ---- send ---- */

static void tell(struct group_job *job, troupe_ref ref, const troupe_answer *answer)
{
    job->counts.accepted += answer->error == 0;
    if (job->request && job->request->each)
        job->request->each(job->request, ref, answer);
}

static void on_answer(troupe_request *core, const troupe_answer *answer)
{
    struct job_call *call = core->user;
    struct group_job *job = call->job;
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    troupe_ref ref = call->ref;
    troupe_free(call);
    job->inside++;
    tell(job, ref, answer);
    proceed(job);
    job->inside--;
    free_if_over(job);
}

static void call_member(struct group_job *job, troupe_ref ref)
{
    troupe_worker *worker = job->worker;
    struct job_call *call = troupe_alloc(sizeof *call);
    uint64_t left_ms = job->deadline_ns > worker->now_ns ? (job->deadline_ns - worker->now_ns) / NS_PER_MS : 0;
    if (!call) {
        tell(job, ref, &(troupe_answer){.error = TROUPE_E_NO_MEMORY, .ref = ref});
        return;
    }
    *call = (struct job_call){.next = job->calls, .link = &job->calls, .job = job, .ref = ref};
    if (call->next)
        call->next->link = &call->next;
    job->calls = call;
    call->request.user = call;
    troupe_request_call(worker, &call->request, on_answer, ref, job->type, job->body, job->caller,
                        left_ms ? (uint32_t)left_ms : 1);
}

static void send_one(struct group_job *job, troupe_ref ref)
{
    job->counts.members++;
    if (job->deadline_ns)
        call_member(job, ref);
    else
        job->counts.accepted += troupe_worker_cast(job->worker, ref, job->type, job->body, job->caller) == 0;
}

/* How many sends one to a member counts as: a large body counts as several, so that a poll, which sees whether the node
 * is over its memory budget, comes before many of them were copied. */
static uint32_t sends_of(const struct group_job *job) { return 1 + (uint32_t)(job->body.len / GROUP_BYTES_PER_SEND); }

/* How many members so many sends are. */
static uint32_t members_of(const struct group_job *job, uint32_t sends)
{
    uint32_t members = sends / sends_of(job);
    return members ? members : 1;
}

/* Send to some members; the job may be freed. */
static void send_some(struct group_job *job, uint32_t max)
{
    uint32_t sent = 0, got = 1;
    job->inside++;
    while (job->request && job->group && got > 0 && sent < max) {
        troupe_ref refs[GROUP_SLICE];
        got = troupe__group_slice(job->group, &job->cursor, job->last, refs, max - sent);
        for (uint32_t i = 0; i < got && job->request; i++)
            send_one(job, refs[i]);
        sent += got;
    }
    if (got == 0 || job->cursor >= job->last) {
        leave_ring(job);
        drop_group(job);
    }
    proceed(job);
    job->inside--;
    free_if_over(job);
}

void troupe__groups_run(troupe_worker *worker)
{
    troupe__group_tell_stuck(worker);
    for (uint32_t share = GROUP_SENDS_PER_POLL; share > 0 && worker->group_jobs;) {
        struct group_job *job = worker->group_jobs;
        worker->group_jobs = job->next; /* the others first, next time */
        uint32_t members = members_of(job, share < GROUP_SLICE ? share : GROUP_SLICE), sends = members * sends_of(job);
        send_some(job, members);
        share -= sends < share ? sends : share;
    }
}

/* ---- begin ---- */

static char *copy_text(char *at, troupe_view text, troupe_view *ret_copy)
{
    if (text.len)
        memcpy(at, text.ptr, text.len);
    *ret_copy = (troupe_view){at, text.len};
    return at + text.len;
}

/* A job with copies of what it sends. NULL: no memory. */
static struct group_job *new_job(troupe_worker *worker, troupe_view type, troupe_body body, troupe_caller caller)
{
    size_t content_type_bytes = body.content_type ? strlen(body.content_type) + 1 : 0;
    struct group_job *job = troupe_alloc(sizeof *job + type.len + body.len + caller.subject.len + content_type_bytes);
    if (!job)
        return NULL;
    *job = (struct group_job){.worker = worker, .caller = caller};
    troupe_view copy;
    char *at = copy_text(job->text, (troupe_view){body.ptr, body.len}, &copy);
    job->body = troupe_body_bytes(copy.ptr, copy.len, content_type_bytes ? at : NULL);
    at = copy_text(at, (troupe_view){body.content_type, content_type_bytes}, &copy);
    at = copy_text(at, type, &job->type);
    copy_text(at, caller.subject, &job->caller.subject);
    return job;
}

static int begin(troupe_worker *worker, troupe_group_request *request, troupe_view scope, troupe_view group,
                 troupe_view type, troupe_body body, troupe_caller caller, uint64_t deadline_ns)
{
    if (!troupe__group_words(scope, group, false) || !troupe__is_word(type) ||
        caller.subject.len > TROUPE_SUBJECT_BYTES_MAX)
        return TROUPE_E_INVALID;
    int rc = troupe__message_check(type, &body);
    if (rc == 0 && atomic_load_relaxed(&worker->system->overloaded))
        rc = TROUPE_E_OVERLOADED;
    if (rc)
        return rc;
    struct group_job *job = new_job(worker, type, body, caller);
    if (!job)
        return TROUPE_E_NO_MEMORY;
    job->deadline_ns = deadline_ns;
    job->request = request;
    request->worker = worker;
    request->job = job;
    if (troupe__group_hold(worker->system, scope, group, false, &job->group) == 0) {
        job->last = troupe__group_last(job->group); /* who joins later is not meant */
        enter_ring(job);
    }
    send_some(job, members_of(job, GROUP_SENDS_PER_POLL));
    return 0;
}

int troupe_request_group_cast(troupe_worker *worker, troupe_group_request *request, troupe_view scope,
                              troupe_view group, troupe_view type, troupe_body body, troupe_caller caller)
{
    return begin(worker, request, scope, group, type, body, caller, 0);
}

int troupe_request_group_call(troupe_worker *worker, troupe_group_request *request, troupe_view scope,
                              troupe_view group, troupe_view type, troupe_body body, troupe_caller caller,
                              uint32_t timeout_ms)
{
    if (timeout_ms > TROUPE_CALL_TIMEOUT_MS_MAX)
        return TROUPE_E_INVALID;
    uint64_t wait_ns = (timeout_ms ? timeout_ms : worker->system->config.call_timeout_ms) * NS_PER_MS;
    return begin(worker, request, scope, group, type, body, caller, worker->now_ns + wait_ns);
}
