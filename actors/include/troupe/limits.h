/* SPDX-License-Identifier: Apache-2.0
 *
 * The limits of the core, in one place. Those that end in _DEFAULT can be set for a system or an actor; the others
 * are fixed. Units are in the names. */
#ifndef TROUPE_LIMITS_H
#define TROUPE_LIMITS_H

#define TROUPE_NAME_BYTES_MAX 255           /* an actor's name, UTF-8 */
#define TROUPE_TYPE_BYTES_MAX 64            /* a message type, a behavior's name: [A-Za-z0-9_.:-] */
#define TROUPE_CONTENT_TYPE_BYTES_MAX 127
#define TROUPE_SUBJECT_BYTES_MAX 255        /* who asks, as an edge tells it */
#define TROUPE_REASON_BYTES_MAX 200         /* the text of an exit reason or an error's detail; longer is cut */
#define TROUPE_BODY_BYTES_MAX (16u << 20)   /* a body anywhere in the system; edges take 1 MiB unless told */

#define TROUPE_MAILBOX_MESSAGES_DEFAULT 10000u
#define TROUPE_MAILBOX_MESSAGES_MAX 250000u /* the counter in the mailbox word has 19 bits, replies need room too */
#define TROUPE_MAILBOX_BYTES_DEFAULT (64u << 20)
#define TROUPE_SMALL_BODY_BYTES 256u        /* bodies up to this count as messages only, not as bytes */

#define TROUPE_CALLS_PER_ACTOR_MAX 65536u   /* open calls that an actor has made */
#define TROUPE_KEPT_PER_ACTOR_MAX 65536u    /* reply handles that an actor keeps */
#define TROUPE_TIMERS_PER_ACTOR_MAX 4096u
#define TROUPE_NAMED_TIMERS_PER_ACTOR_MAX 256u /* set by clients under names of their own */
#define TROUPE_TIMER_PAGE_MAX 256u          /* timers that a list of them shows */
#define TROUPE_NAMES_PER_ACTOR_MAX 64u
#define TROUPE_BONDS_PER_ACTOR_MAX 65536u   /* links and monitors, each way */
#define TROUPE_STOPS_PER_ACTOR_MAX 4096u    /* outsiders that wait for its end */

#define TROUPE_CALL_TIMEOUT_MS_DEFAULT 5000u
#define TROUPE_CALL_TIMEOUT_MS_MAX 600000u
#define TROUPE_START_TIMEOUT_MS_DEFAULT 10000u
#define TROUPE_SHUTDOWN_TIMEOUT_MS_DEFAULT 5000u
#define TROUPE_TIMER_DELAY_MS_MAX (400ull * 24 * 3600 * 1000)

#define TROUPE_RESTARTS_DEFAULT 3u          /* intensity: restarts ... */
#define TROUPE_RESTARTS_MAX 32u
#define TROUPE_RESTART_PERIOD_MS_DEFAULT 5000u /* ... in this time */

#define TROUPE_TOPIC_EVENTS_MAX 1024u       /* a topic keeps its last events: so many ... */
#define TROUPE_TOPIC_BYTES_MAX (1u << 20)   /* ... or so many bytes of bodies */
#define TROUPE_FILTER_TYPES_MAX 8u          /* patterns in a filter of events */
#define TROUPE_FOLLOWS_PER_ACTOR_MAX 4096u  /* topics and groups that an actor follows or watches */

#define TROUPE_GROUPS_MAX (1u << 20)        /* groups and scopes of a node */
#define TROUPE_GROUPS_PER_ACTOR_MAX 1024u
#define TROUPE_GROUP_CALLS_PER_ACTOR_MAX 1024u /* multi-calls of an actor that are not over */

#define TROUPE_TRACES_MAX 64u               /* actors that are traced at a time, in a system */
#define TROUPE_TRACE_MESSAGES_MAX 100000u   /* ... for so many messages at most */
#define TROUPE_TRACE_BODY_BYTES_MAX 1024u   /* of each body that a trace shows */

#define TROUPE_ALARMS_MAX 256u              /* set at a time, in a system; more are counted */
#define TROUPE_ALARM_MAILBOX_PERCENT_DEFAULT 80u
#define TROUPE_ALARM_TURN_MS_DEFAULT 100u
#define TROUPE_ALARM_QUIET_MS 10000u        /* without a long turn until the alarm is over */

#define TROUPE_WORKERS_MAX 64u
#define TROUPE_BEHAVIORS_MAX 256u
#define TROUPE_TYPES_PER_BEHAVIOR_MAX 64u
#define TROUPE_ACTORS_DEFAULT (16u << 20)
#define TROUPE_ACTORS_MAX (128u << 20)

#define TROUPE_TURN_MESSAGES_MAX 64u        /* a scheduled turn ends after so many messages ... */
#define TROUPE_TURN_SENDS_MAX 64u           /* ... or after it has sent so many ... */
#define TROUPE_TURN_SYSTEM_MAX 16u          /* system messages before a message gets its chance */
#define TROUPE_TURN_LONG_NS 100000u         /* ... or this time; longer turns are counted */
#define TROUPE_INLINE_TURN_NS_MAX 50000u    /* behaviors with longer recent turns are not run by the I/O thread */
#define TROUPE_INLINE_PER_PASS_MAX 16u

#endif
