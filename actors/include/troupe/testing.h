/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of one's own behavior: a lab, which is a system with one worker on virtual time. Nothing in it sleeps or runs
 * beside: a call returns when its reply is there, and time passes when the test says so.
 *
 *     #include <troupe/testing.h>
 *
 *     int main(void)
 *     {
 *         troupe_lab *lab = troupe_lab_new(&troupe_exported_behaviors);
 *         troupe_ref counter = troupe_lab_spawn(lab, "counter", "{\"value\":40}");
 *         TROUPE_LAB_REPLY(lab, counter, "add", "{\"by\":2}", "{\"value\":42}");
 *         TROUPE_LAB_ERROR(lab, counter, "add", "{\"by\":\"two\"}", "schema");
 *         return troupe_lab_free(lab);
 *     }
 *
 * A test that fails prints the place and what was wrong on standard error and ends the process with 1. Link with
 * `pkg-config --libs troupe`. The standard behaviors are there too.
 *
 * The lab sends bodies as other actors do, without the check of schemas that a node's edges make: so it tests the
 * checks of the behavior itself.
 *
 * Thread: one for a lab. Native programs only. */
#ifndef TROUPE_TESTING_H
#define TROUPE_TESTING_H

#include <troupe/behavior.h>

typedef struct troupe_lab troupe_lab;

/* What TROUPE_EXPORT_BEHAVIORS made, for tests that are linked with it. */
extern const troupe_export troupe_exported_behaviors;

/* Make a lab with these behaviors; NULL: the standard ones only. A table that a node would refuse ends the test. */
troupe_lab *troupe_lab_new(const troupe_export *exported);

/* Stop all actors and free the lab. Returns 0, or 1 after a line on standard error when memory was not given back: for
 * main to return. */
int troupe_lab_free(troupe_lab *lab);

/* ---- actors ---- */

/* Spawn an actor that starts; args is JSON or NULL. One that does not start ends the test. */
troupe_ref troupe_lab_spawn(troupe_lab *lab, const char *behavior, const char *args);

/* Spawn an actor: 0, or the error with which its start failed. */
TROUPE_MUST_USE int troupe_lab_try_spawn(troupe_lab *lab, const troupe_spawn_opts *opts, troupe_ref *ret_ref);

/* End it: 0 when it has ended, TROUPE_E_TIMEOUT when it had not within 5 s. */
int troupe_lab_stop(troupe_lab *lab, troupe_ref ref, enum troupe_stop_mode mode);

bool troupe_lab_is_alive(troupe_lab *lab, troupe_ref ref);

/* Why it ended, of the last 64 that did; NULL: it has not. Lives: until the next end. */
const troupe_exit *troupe_lab_end(troupe_lab *lab, troupe_ref ref);

/* ---- messages ---- */

typedef struct troupe_lab_answer {
    int error;                   /* 0 or TROUPE_E_... */
    unsigned app_status;         /* with TROUPE_E_APP */
    const char *code;            /* "" without an error, else "schema", "timeout", "app.overflow" ... */
    const char *detail;          /* words of an error, or "" */
    const char *body;            /* body_len bytes and a NUL */
    size_t body_len;
    const char *content_type;    /* NULL: application/json */
} troupe_lab_answer;

/* Call and wait, at most 5 s of virtual time. body is JSON or NULL. Lives: until the next call. */
const troupe_lab_answer *troupe_lab_call(troupe_lab *lab, troupe_ref ref, const char *type, const char *body);

/* Cast, and let the actor handle it: 0 or why it was not taken. */
int troupe_lab_cast(troupe_lab *lab, troupe_ref ref, const char *type, const char *body);

/* Let time pass, stopping at each deadline on the way. */
void troupe_lab_advance(troupe_lab *lab, uint64_t ms);

/* ---- events ---- */

/* From now on keep what this actor publishes. One at a time: following another forgets the first. */
void troupe_lab_follow(troupe_lab *lab, troupe_ref ref);

typedef struct troupe_lab_event {
    const char *type, *body;
} troupe_lab_event;

/* The next event that was published, or NULL. Lives: until the next call of this. */
const troupe_lab_event *troupe_lab_next_event(troupe_lab *lab);

/* ---- what must hold ---- */

#define TROUPE_LAB_CHECK(condition)                                                                                    \
    ((condition) ? (void)0 : troupe_lab_fail(__FILE__, __LINE__, "this does not hold: %s", #condition))

/* A call is answered with this text, byte for byte; NULL: with no body. */
#define TROUPE_LAB_REPLY(lab, ref, type, body, reply)                                                                  \
    troupe_lab_expect_reply(__FILE__, __LINE__, (lab), (ref), (type), (body), (reply))

/* A call is answered with an error of this code. */
#define TROUPE_LAB_ERROR(lab, ref, type, body, code)                                                                   \
    troupe_lab_expect_error(__FILE__, __LINE__, (lab), (ref), (type), (body), (code))

_Noreturn void troupe_lab_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void troupe_lab_expect_reply(const char *file, int line, troupe_lab *lab, troupe_ref ref, const char *type,
                             const char *body, const char *reply);
void troupe_lab_expect_error(const char *file, int line, troupe_lab *lab, troupe_ref ref, const char *type,
                             const char *body, const char *code);

#endif
