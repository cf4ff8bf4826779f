/* SPDX-License-Identifier: Apache-2.0
 *
 * The client: spawns, calls, watches and stops actors of a Troupe cluster over the REST API of any of its nodes.
 * It is blocking and simple: one function, one request, one answer. It hosts no actors and keeps no session.
 * troupe_client_stream alone stays: it follows the events of an actor or of the cluster.
 *
 * Documents (actors, pages, names) are jansson values: read them with json_object_get() and friends, and release
 * them with json_decref(). This header needs jansson.h only where the caller looks into a document.
 *
 * Every function that asks a node takes a `problem`, which may be NULL. On failure it says what happened, in which
 * field, whether to try again and whether it may have happened already; on success it is left untouched.
 *
 * Thread: any, but one client serves one thread at a time. Different clients are independent.
 * Blocks: until the answer or the timeout, for every function that takes a problem. */
#ifndef TROUPE_CLIENT_H
#define TROUPE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_t; /* jansson's value */

/* One base URL and one kept-alive connection to it. Lives from troupe_client_new to troupe_client_free. */
typedef struct troupe_client troupe_client;

#define TROUPE_CLIENT_TIMEOUT_MS 10000        /* an answer, where the caller gives no timeout */
#define TROUPE_CLIENT_CONNECT_TIMEOUT_MS 3000 /* a connection */
#define TROUPE_CLIENT_GRACE_MS 2000           /* added to a call's timeout, so that the node's own answer is heard */
#define TROUPE_CLIENT_TIMEOUT_MS_MAX 86400000 /* one day: what a timeout may be */
#define TROUPE_CLIENT_ANSWER_BYTES_MAX (17u << 20) /* the hard limit of a body (16 MiB) and room for a document */
#define TROUPE_CLIENT_NAME_BYTES_MAX 255           /* UTF-8 bytes of a name */
#define TROUPE_CLIENT_REF_BYTES_MAX 127            /* an id, such as n.4tq8v1m02x7kc.3f.1 */
#define TROUPE_CLIENT_WORD_BYTES_MAX 64            /* a behavior or a message type */
#define TROUPE_CLIENT_URL_BYTES_MAX 511            /* a base URL */
#define TROUPE_CLIENT_NODES_MAX 64                 /* local nodes that troupe_client_nodes_find tells apart */
#define TROUPE_CLIENT_TOKEN_BYTES_MAX 512          /* a token; those of troupe_client_token_make have 46 */
#define TROUPE_CLIENT_TOKEN_CAP 47                 /* of such a token with its NUL */
#define TROUPE_CLIENT_HASH_CAP 65                  /* of a SHA-256 in hexadecimal with its NUL */
#define TROUPE_CLIENT_SILENCE_MS 45000             /* three times a node's ping of 15 s: the connection is lost */

/* Why a request failed. A plain value: nothing to free. Texts that do not fit are cut at a character. */
typedef struct troupe_client_problem {
    int error;                   /* TROUPE_E_...: what the function returned */
    int http_status;             /* of the answer; 0: there was no answer, or the request never left */
    enum troupe_retry retry;     /* may the caller send the same again? */
    enum troupe_outcome outcome; /* did it happen? */
    int64_t retry_after_ms;      /* the node's advice; -1: none */
    char code[96];               /* "mailbox_full", "app.overdrawn"; "": the answer was not one of a node */
    char title[160];             /* what failed, for people */
    char detail[1024];           /* why; may be "" */
    char field[128];             /* the member of the request that is to blame; may be "" */
} troupe_client_problem;

/* An answer as it came. */
typedef struct troupe_client_reply {
    int http_status;
    int64_t date_s;     /* the answer's Date in seconds since 1970; -1: it has none */
    char *content_type; /* owned; "" when the answer has none */
    char *body;         /* owned; a NUL follows the last byte */
    size_t body_len;
} troupe_client_reply;

typedef struct troupe_client_options {
    const char *url;             /* "http://127.0.0.1:41873", may end in a path; "host:port" means http */
    const char *host;            /* the Host header, when it must differ from the URL; NULL: the URL's */
    const char *token;           /* sent as "Authorization: Bearer"; copied; NULL: none */
    uint32_t timeout_ms;         /* 0: TROUPE_CLIENT_TIMEOUT_MS */
    uint32_t connect_timeout_ms; /* 0: TROUPE_CLIENT_CONNECT_TIMEOUT_MS */
} troupe_client_options;

/* What to spawn. Zeroed members take the node's defaults. */
typedef struct troupe_client_spawn_spec {
    const char *behavior;      /* required */
    const char *name;          /* without the @; NULL: none */
    const char *if_exists;     /* "return": get or create; "error" */
    const struct json_t *args; /* borrowed; NULL: none */
    uint64_t mailbox_messages;
    uint64_t mailbox_bytes;
    const char *mailbox_policy; /* "refuse", "drop_oldest", "drop_newest" */
    const char *restart;        /* "permanent", "transient", "temporary" */
} troupe_client_spawn_spec;

/* What to send to an actor. */
typedef struct troupe_client_message {
    const char *ref;          /* an id, or @name */
    const char *type;         /* "add" */
    const char *content_type; /* NULL: application/json, or none when there is no body */
    const void *body;         /* borrowed; may be NULL when body_len is 0 */
    size_t body_len;
    uint32_t timeout_ms; /* of a call; 0: the node's default. A cast ignores it */
    uint32_t delay_ms;   /* of a cast to an actor: comes so much later; 0: at once. A call ignores it */
} troupe_client_message;

/* A message to come later, or again and again. */
typedef struct troupe_client_timer {
    const char *type;
    const struct json_t *body; /* borrowed; NULL: none */
    uint32_t after_ms;         /* the first time, from now; 0: at once, or with every_ms after one period */
    const char *at;            /* or the moment of it, "2030-01-31T12:00:00Z"; NULL: after_ms counts */
    uint32_t every_ms;         /* 0: once */
    const char *missed;        /* "skip", "burst"; NULL: the node's default, skip */
} troupe_client_timer;

/* A group by its name and scope. */
typedef struct troupe_client_group {
    const char *name;
    const char *scope; /* NULL or "": the default one */
} troupe_client_group;

/* Which actors or names to list. */
typedef struct troupe_client_filter {
    const char *behavior; /* NULL: any; so are the next two */
    const char *state;
    const char *name;
    const char *scope;  /* of groups; NULL: any, "": the default one */
    uint32_t limit;     /* of one page; 0: the node's default */
    const char *cursor; /* the "next" of the page before; NULL: the first page */
} troupe_client_filter;

/* What a stream tells its function. */
enum troupe_client_event_kind {
    TROUPE_CLIENT_EVENT,        /* an event */
    TROUPE_CLIENT_EVENT_LAGGED, /* `missed` events could not be kept for this reader */
    TROUPE_CLIENT_EVENT_DOWN,   /* the actor has ended, data tells why; the last of the stream */
    TROUPE_CLIENT_EVENT_OPEN,   /* connected, for the first time or again */
    TROUPE_CLIENT_EVENT_RETRY,  /* the connection was lost; the next is made after wait_ms */
};

/* All texts are borrowed, live while the function runs, and are never NULL. */
typedef struct troupe_client_event {
    enum troupe_client_event_kind kind;
    const char *id;   /* "<epoch>.<seq>": give it as `after` to go on behind it; "": none */
    const char *type; /* "node.up", or what the actor says */
    const char *data; /* the body; a NUL follows */
    size_t data_len;
    int64_t missed;                       /* LAGGED; 0: not told how many */
    uint32_t wait_ms;                     /* RETRY */
    unsigned failures;                    /* RETRY: connections before this one that brought nothing, in a row */
    const troupe_client_problem *problem; /* RETRY: why; else NULL */
} troupe_client_event;

/* Returns false to end the stream. Must not use the client. */
typedef bool (*troupe_client_event_fn)(void *user, const troupe_client_event *event);

/* Where the events of a stream come from. */
enum troupe_client_source {
    TROUPE_CLIENT_SOURCE_EVENTS, /* what an actor publishes, or with ref NULL what happens in the cluster */
    TROUPE_CLIENT_SOURCE_TRACE,  /* the messages that an actor handles: "message" for each, and "end" */
    TROUPE_CLIENT_SOURCE_DEAD,   /* messages that nobody took */
    TROUPE_CLIENT_SOURCE_GROUP,  /* joins and leaves of a group */
};

typedef struct troupe_client_stream_options {
    enum troupe_client_source source;
    const char *ref;   /* the actor */
    const char *group; /* the group, with its scope; NULL: the default one */
    const char *scope;
    const char *from;  /* "now" or "oldest"; NULL: the node's default, now, and of a trace its beginning */
    const char *after; /* the id of an event: begin behind it; NULL: none */
    const char *types; /* only these types: "a,b.*"; NULL: all */
    int stop_fd;       /* a file: once it can be read, the stream ends as by on_event; 0: none */
    troupe_client_event_fn on_event;
    void *user;
    uint32_t silence_ms; /* 0: TROUPE_CLIENT_SILENCE_MS */
} troupe_client_stream_options;

/* A node of this user on this machine, as its ports file tells. */
typedef struct troupe_client_node_entry {
    char api[TROUPE_CLIENT_URL_BYTES_MAX + 1];
    char node[64];
    char cluster[128];
    int64_t pid;
    char path[1024]; /* of the ports file */
} troupe_client_node_entry;

/* Make a client. Nothing is sent: a node that is not there is found by the first request.
 *
 * Owns:  *ret_client is owned; release it with troupe_client_free.
 * Fails: TROUPE_E_INVALID    the URL is not one of http or https, or holds a user, a query or a fragment
 *        TROUPE_E_NO_MEMORY  */
TROUPE_MUST_USE int troupe_client_new(const troupe_client_options *options, troupe_client **ret_client,
                                      troupe_client_problem *problem);

/* Close the connection and release everything. NULL is legal. */
void troupe_client_free(troupe_client *client);

/* The base URL in use, without a slash at its end. Lives: as long as the client. */
const char *troupe_client_url(const troupe_client *client);

/* Does that URL name this machine, by its loopback address or as localhost? */
bool troupe_client_is_local(const troupe_client *client);

/* The failures every request shares; each function below lists only its own.
 *
 *   TROUPE_E_UNREACHABLE  no connection; problem->http_status is 0
 *   TROUPE_E_TIMEOUT      no answer in time (http_status 0), or the node says so (504)
 *   TROUPE_E_MALFORMED    what answered is not a node of this API (http_status below 400)
 *   TROUPE_E_INVALID      an argument cannot be sent (http_status 0); problem->field names it
 *   TROUPE_E_UNAUTHORIZED, TROUPE_E_FORBIDDEN, TROUPE_E_RATE  the token, see docs/security.md
 *   TROUPE_E_TOO_LARGE    the answer is over TROUPE_CLIENT_ANSWER_BYTES_MAX (http_status below 400)
 *   and every error a node answers. */

/* Spawn an actor, or with if_exists "return" find the one that holds the name.
 *
 * Owns:  *ret_actor is an owned actor document; *ret_created (may be NULL) is false when it was there already.
 * Fails: TROUPE_E_UNKNOWN_BEHAVIOR, TROUPE_E_NAME_TAKEN, TROUPE_E_SCHEMA, TROUPE_E_START_FAILED */
TROUPE_MUST_USE int troupe_client_spawn(troupe_client *client, const troupe_client_spawn_spec *spec,
                                        struct json_t **ret_actor, bool *ret_created, troupe_client_problem *problem);

/* Send a message and await its reply.
 *
 * Owns:  *ret_reply is owned; release it with troupe_client_reply_fini.
 * Fails: TROUPE_E_BAD_REFERENCE, TROUPE_E_NOT_FOUND, TROUPE_E_GONE, TROUPE_E_FULL, TROUPE_E_UNKNOWN_TYPE,
 *        TROUPE_E_NO_REPLY, TROUPE_E_APP (problem->code is "app.<code>") */
TROUPE_MUST_USE int troupe_client_call(troupe_client *client, const troupe_client_message *message,
                                       troupe_client_reply *ret_reply, troupe_client_problem *problem);

/* Send a message without awaiting a reply; 0 means that the mailbox has it. Fails: as troupe_client_call. */
TROUPE_MUST_USE int troupe_client_cast(troupe_client *client, const troupe_client_message *message,
                                       troupe_client_problem *problem);

/* Get the document of one actor.
 *
 * Owns:  *ret_actor is owned.
 * Fails: TROUPE_E_BAD_REFERENCE, TROUPE_E_NOT_FOUND, TROUPE_E_GONE */
TROUPE_MUST_USE int troupe_client_info(troupe_client *client, const char *ref, struct json_t **ret_actor,
                                       troupe_client_problem *problem);

/* Get one page of actors: {"items":[...],"next":cursor or null}. A page may be short or empty while next is there.
 *
 * Owns:  *ret_page is owned. */
TROUPE_MUST_USE int troupe_client_list(troupe_client *client, const troupe_client_filter *filter,
                                       struct json_t **ret_page, troupe_client_problem *problem);

/* End an actor. mode is "stop", "drain" or "kill"; NULL means stop; reason may be NULL; timeout_ms 0: the node's.
 * *ret_ended is false when the actor is still ending after the timeout.
 *
 * Fails: TROUPE_E_BAD_REFERENCE, TROUPE_E_NOT_FOUND, TROUPE_E_GONE */
TROUPE_MUST_USE int troupe_client_stop(troupe_client *client, const char *ref, const char *mode, const char *reason,
                                       uint32_t timeout_ms, bool *ret_ended, troupe_client_problem *problem);

/* Look up who holds a name (without the @): {"name":..,"ref":..,"node":..}.
 *
 * Owns:  *ret_entry is owned.
 * Fails: TROUPE_E_NOT_FOUND */
TROUPE_MUST_USE int troupe_client_name(troupe_client *client, const char *name, struct json_t **ret_entry,
                                       troupe_client_problem *problem);

/* Get one page of names; only limit and cursor of the filter count. Owns: *ret_page is owned. */
TROUPE_MUST_USE int troupe_client_names(troupe_client *client, const troupe_client_filter *filter,
                                        struct json_t **ret_page, troupe_client_problem *problem);

/* Get one page of the nodes of the cluster, by now always all of them; only the cursor of the filter counts.
 *
 * Owns:  *ret_page is owned. */
TROUPE_MUST_USE int troupe_client_nodes(troupe_client *client, const troupe_client_filter *filter,
                                        struct json_t **ret_page, troupe_client_problem *problem);

/* Get the document of one node of the cluster, by its id, or "self" for the one that is asked.
 *
 * Owns:  *ret_node is owned.
 * Fails: TROUPE_E_NOT_FOUND */
TROUPE_MUST_USE int troupe_client_node(troupe_client *client, const char *node, struct json_t **ret_node,
                                       troupe_client_problem *problem);

/* Have a node drain and leave the cluster. Fails: TROUPE_E_NOT_FOUND, TROUPE_E_FORBIDDEN */
TROUPE_MUST_USE int troupe_client_node_drain(troupe_client *client, const char *node, troupe_client_problem *problem);

/* Make a ticket, which lets its bearer open one WebSocket or event stream: with the rights of this client's token, or
 * if `count` is not 0 with those of them that these grants cover.
 *
 * Owns:  *ret_ticket is owned: {"ticket":"tk_...","expires_at":...}.
 * Fails: TROUPE_E_SCHEMA  one is no grant */
TROUPE_MUST_USE int troupe_client_ticket(troupe_client *client, const char *const *grants, size_t count,
                                         struct json_t **ret_ticket, troupe_client_problem *problem);

/* Follow the events of an actor or of the cluster, and call options->on_event for each, in order. A connection that is
 * lost is made again, waiting longer each time, and goes on behind the last event.
 *
 * Blocks: until on_event returns false, the actor ends or the node closes the stream for good (all return 0), the first
 *         connection fails, or a later one is refused in a way that will not pass.
 * Fails:  TROUPE_E_NOT_FOUND, TROUPE_E_GONE, TROUPE_E_UNAUTHORIZED, TROUPE_E_FORBIDDEN
 *         TROUPE_E_LIMIT  an event is over TROUPE_CLIENT_ANSWER_BYTES_MAX (http_status 0) */
TROUPE_MUST_USE int troupe_client_stream(troupe_client *client, const troupe_client_stream_options *options,
                                         troupe_client_problem *problem);

/* Get what an actor has inside, as its behavior writes it; JSON by custom.
 *
 * Owns:  *ret_reply is owned; release it with troupe_client_reply_fini.
 * Fails: TROUPE_E_NO_VIEW, TROUPE_E_NOT_RUNNING, TROUPE_E_NOT_FOUND, TROUPE_E_GONE */
TROUPE_MUST_USE int troupe_client_state(troupe_client *client, const char *ref, troupe_client_reply *ret_reply,
                                        troupe_client_problem *problem);

/* Let an actor handle nothing until it is resumed; let it go on. Twice is as good as once.
 * Fails: TROUPE_E_NOT_RUNNING, TROUPE_E_NOT_FOUND, TROUPE_E_GONE */
TROUPE_MUST_USE int troupe_client_suspend(troupe_client *client, const char *ref, troupe_client_problem *problem);
TROUPE_MUST_USE int troupe_client_resume(troupe_client *client, const char *ref, troupe_client_problem *problem);

/* Trace the next messages of an actor, 0 for the node's default of 100; read it as a stream. It ends the one before.
 * Fails: TROUPE_E_SCHEMA, TROUPE_E_NOT_FOUND, TROUPE_E_GONE */
TROUPE_MUST_USE int troupe_client_trace(troupe_client *client, const char *ref, uint32_t messages, bool has_bodies,
                                        troupe_client_problem *problem);

/* End the trace of an actor, if it has one. Fails: TROUPE_E_NOT_FOUND, TROUPE_E_GONE */
TROUPE_MUST_USE int troupe_client_trace_end(troupe_client *client, const char *ref, troupe_client_problem *problem);

/* List the timers of an actor: {"items":[...],"next":null,"total":n}. Owns: *ret_list is owned. */
TROUPE_MUST_USE int troupe_client_timers(troupe_client *client, const char *ref, struct json_t **ret_list,
                                         troupe_client_problem *problem);

/* Set a timer, or replace the one of this id.
 *
 * Owns:  *ret_timer is owned.
 * Fails: TROUPE_E_UNKNOWN_TYPE, TROUPE_E_SCHEMA, TROUPE_E_LIMIT */
TROUPE_MUST_USE int troupe_client_timer_set(troupe_client *client, const char *ref, const char *id,
                                            const troupe_client_timer *timer, struct json_t **ret_timer,
                                            troupe_client_problem *problem);

/* Cancel a timer that a client has set. Fails: TROUPE_E_NOT_FOUND  it is over */
TROUPE_MUST_USE int troupe_client_timer_cancel(troupe_client *client, const char *ref, const char *id,
                                               troupe_client_problem *problem);

/* Get the list of behaviors, by now one page; only the cursor of the filter counts. Owns: *ret_page is owned. */
TROUPE_MUST_USE int troupe_client_behaviors(troupe_client *client, const troupe_client_filter *filter,
                                            struct json_t **ret_page, troupe_client_problem *problem);

/* Get the document of one behavior. Owns: *ret_behavior is owned. Fails: TROUPE_E_NOT_FOUND */
TROUPE_MUST_USE int troupe_client_behavior(troupe_client *client, const char *behavior, struct json_t **ret_behavior,
                                           troupe_client_problem *problem);

/* Get one page of the groups that have members; only scope, limit and cursor of the filter count.
 *
 * Owns:  *ret_page is owned. */
TROUPE_MUST_USE int troupe_client_groups(troupe_client *client, const troupe_client_filter *filter,
                                         struct json_t **ret_page, troupe_client_problem *problem);

/* Get one page of the members of a group; only limit and cursor of the filter count. Owns: *ret_page is owned. */
TROUPE_MUST_USE int troupe_client_group_members(troupe_client *client, const troupe_client_group *group,
                                                const troupe_client_filter *filter, struct json_t **ret_page,
                                                troupe_client_problem *problem);

/* Make an actor a member, if it is none yet; take it out.
 * Fails: TROUPE_E_NOT_FOUND  there is no such actor, or it is no member
 *        TROUPE_E_GONE, TROUPE_E_LIMIT */
TROUPE_MUST_USE int troupe_client_group_join(troupe_client *client, const troupe_client_group *group, const char *ref,
                                             troupe_client_problem *problem);
TROUPE_MUST_USE int troupe_client_group_leave(troupe_client *client, const troupe_client_group *group, const char *ref,
                                              troupe_client_problem *problem);

/* Send to all members; message->ref is not looked at. Members that refused are in the answer:
 * {"members":n,"accepted":n,"refused":n}.
 *
 * Owns:  *ret_counts is owned. */
TROUPE_MUST_USE int troupe_client_group_cast(troupe_client *client, const troupe_client_group *group,
                                             const troupe_client_message *message, struct json_t **ret_counts,
                                             troupe_client_problem *problem);

/* Call all members; message->ref is not looked at. {"members":n,"replied":n,"refused":n,"results":[...]}, each result
 * with `ref` and `status`, and `body` or the members of a problem.
 *
 * Owns:  *ret_results is owned.
 * Fails: TROUPE_E_LIMIT  the group is too large for a call */
TROUPE_MUST_USE int troupe_client_group_call(troupe_client *client, const troupe_client_group *group,
                                             const troupe_client_message *message, struct json_t **ret_results,
                                             troupe_client_problem *problem);

/* GET any path of the node, such as /v1/node, and take the answer as it came.
 *
 * Owns:  *ret_reply is owned; release it with troupe_client_reply_fini. */
TROUPE_MUST_USE int troupe_client_get(troupe_client *client, const char *path, troupe_client_reply *ret_reply,
                                      troupe_client_problem *problem);

/* GET a path whose answer is a JSON object. Owns: *ret_document is owned. */
TROUPE_MUST_USE int troupe_client_get_document(troupe_client *client, const char *path, struct json_t **ret_document,
                                               troupe_client_problem *problem);

/* Release what a reply owns and zero it; a zeroed reply is legal. */
void troupe_client_reply_fini(troupe_client_reply *reply);

/* Find the nodes that this user runs on this machine by the ports files they write at start, in
 * $XDG_RUNTIME_DIR/troupe, or where that is not to be had in /tmp/troupe-<uid>. Files of dead processes and of other
 * users, and a directory that others could write in, are passed over. Asks no node.
 *
 * *ret_dir (may be NULL) is that directory. Lives: until the next call in this thread.
 * Fails: TROUPE_E_LIMIT  more than entries_max nodes live here */
TROUPE_MUST_USE int troupe_client_nodes_find(troupe_client_node_entry *entries, size_t entries_max, size_t *ret_count,
                                             const char **ret_dir);

/* Make a token, "tt_" and 43 characters for 32 random bytes. Only its hash belongs into a file.
 * Fails: TROUPE_E_INTERNAL  the system gives no random bytes */
TROUPE_MUST_USE int troupe_client_token_make(char ret_token[TROUPE_CLIENT_TOKEN_CAP]);

/* The SHA-256 of a token in lower-case hexadecimal, as a node's token file has it. Fails: TROUPE_E_INTERNAL */
TROUPE_MUST_USE int troupe_client_token_hash(const char *token, char ret_hash[TROUPE_CLIENT_HASH_CAP]);

/* Can this be sent as a token: 1 to TROUPE_CLIENT_TOKEN_BYTES_MAX visible ASCII characters? */
bool troupe_client_token_is_valid(const char *token);

#ifdef __cplusplus
}
#endif

#endif
