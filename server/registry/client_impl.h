/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's inside: client.c has the states and the lease, client_call.c calls and their proofs, client_names.c the
 * names, client_batch.c names by the hundred, client_members.c the member list. */
#ifndef TROUPE_SERVER_REGISTRY_CLIENT_IMPL_H
#define TROUPE_SERVER_REGISTRY_CLIENT_IMPL_H

#include <sys/queue.h>

#include "registry/client.h"
#include "registry/name_table.h"

enum {
    CLIENT_KNOWN_MAX = 2 * REGISTRY_NODES_MAX, /* members, and those that a restarted registry has not seen yet */
    CLIENT_ASKS_MAX = 16,
    CLIENT_BATCHES_MAX = 4,      /* calls that nobody waits for, under way at a time */
    CLIENT_SLOTS = CLIENT_NAME_CALLS_MAX + CLIENT_BATCHES_MAX,
    CLIENT_BATCH_NAMES_MAX = 256,
    CLIENT_BATCH_BYTES_MAX = 64 << 10, /* of names, so that the body stays well below what a node takes */
    CLIENT_CALL_MS_MIN = 200, CLIENT_CALL_MS_MAX = 3000, /* a quarter of the lease between them */
    CLIENT_QUESTION_MS = 5000,   /* a name question is answered by then */
    CLIENT_LEAVE_MS = 2000,
    CLIENT_WATCH_MS = 10000,     /* how long a watch waits at the registry */
    CLIENT_SLACK_MS = 1000,      /* a driver that does not end a call in its time is not waited for any longer */
    CLIENT_WORDS_BYTES = 256
};

enum call_kind {
    CALL_FIND = 1, CALL_REGISTER, CALL_RENEW, CALL_LEAVE, /* control: one at a time */
    CALL_LIST, CALL_WATCH,                                /* watch: one at a time */
    CALL_CLAIM, CALL_RELEASE, CALL_LOOKUP, CALL_BATCH,    /* names: CLIENT_SLOTS at a time */
    CALL_ASK_DRAIN                                        /* ask: one at a time */
};

struct question {
    TAILQ_ENTRY(question) of_all; /* the oldest first */
    TAILQ_ENTRY(question) of_entry; /* or of the finds that wait */
    uint64_t ticket, until_ms;
    struct own_name *entry;      /* of a claim; NULL: a find */
    struct slot *slot;           /* it is under way, or NULL */
    troupe_ref ref;
    size_t name_len;
    char name[];                 /* of a find */
};
TAILQ_HEAD(question_list, question);

/* A call under way; id 0: none. */
struct slot {
    uint64_t id, sent_ms, until_ms;
    enum call_kind kind;
    char nonce[AUTH_NONCE_TEXT];
    uint64_t seq;                /* of a name call */
    troupe_ref ref;
    struct own_name *entry;      /* of a claim, a release */
    struct own_name *batch;      /* of a batch: a chain */
    struct question *question;   /* who asked; NULL: nobody (any more) */
    uint32_t revision;           /* of the record that was sent */
};

/* Where an entry that has something to do waits for a call. */
enum line { LINE_NONE, LINE_ASKED, LINE_WORK, LINE_LATER, LINES };
TAILQ_HEAD(own_name_list, own_name);

/* A name of this node: what the core says, and what the registry knows of it. It is brought into step by one call at a
 * time. */
struct own_name {
    struct name_node node;
    TAILQ_ENTRY(own_name) of_line;
    enum line line;
    bool is_released;            /* in a batch: given back, not claimed */
    struct own_name *next_of_batch;
    bool is_sure;                /* the registry of this epoch has confirmed `told` */
    bool was_sure;               /* that of the epoch before had; true until names_until_ms */
    troupe_ref core;             /* who holds it here; nobody: generation 0 */
    troupe_ref told;             /* what the registry may have for it */
    struct slot *slot;           /* it is under way, or NULL */
    struct question_list questions;
    uint64_t retry_ms;
    uint32_t attempts;
    char text[];
};

struct known {
    struct registry_record record; /* state: as it was told, which never goes back */
    bool is_listed;              /* by the registry as it runs now */
};

enum phase { PHASE_FINDING = 1, PHASE_REGISTERING, PHASE_MEMBER, PHASE_LEAVING, PHASE_LEFT, PHASE_REFUSED };

struct registry_client {
    struct registry_client_config config;
    struct registry_record own;
    char node[TROUPE_HOME_TEXT_MAX];
    uint64_t random, next_id, next_seq;

    enum phase phase;
    enum registry_client_state reported;
    char words[CLIENT_WORDS_BYTES], reported_words[CLIENT_WORDS_BYTES];
    char cluster[REGISTRY_CLUSTER_BYTES];
    char epoch[AUTH_NONCE_TEXT]; /* of the registry that has this node; "" before */
    char found_epoch[AUTH_NONCE_TEXT]; /* of the one that was found last */
    uint64_t time_base_ms;       /* the registry's time is this plus now_ms */
    uint64_t lease_ms, renew_ms;
    uint64_t lease_sent_ms;      /* when that was sent which began the lease */
    bool has_lease, was_up, is_up, is_lost, is_draining, was_asked_to_drain;
    uint32_t told_revision;      /* of the own record */
    uint64_t put_ms;             /* when to send the record (again); UINT64_MAX: not */
    uint64_t control_ms;         /* when the next control call is due */
    uint32_t attempts;           /* that failed in a row */
    uint64_t leave_until_ms;
    struct slot control;

    struct slot watch;
    bool needs_list, is_first_list_told;
    bool is_told_up;             /* the list has this node as up */
    bool is_resync;              /* the next list is of a registry that was restarted */
    uint64_t watch_revision, watch_ms;
    uint32_t watch_attempts;
    uint64_t missing_until_ms;   /* 0: nobody is missing */
    struct known *known;         /* CLIENT_KNOWN_MAX */
    uint32_t known_count;

    struct slot ask;
    troupe_home asks[CLIENT_ASKS_MAX];
    uint64_t asks_until_ms[CLIENT_ASKS_MAX], ask_ms;
    uint32_t asks_count;

    struct slot names[CLIENT_SLOTS]; /* questions have the first CLIENT_NAME_CALLS_MAX */
    struct name_table own_names;
    struct own_name_list lines[LINES]; /* asked: with a question. work: without. later: not before its retry_ms */
    uint64_t later_ms;           /* nothing of the last is due before */
    uint32_t batch_max;          /* names in a batch; less when the registry's node takes no such body */
    struct question_list questions; /* all */
    struct question_list finds;  /* that are not under way */
    uint32_t questions_count;
    bool is_finds_turn;          /* not that of claims */
    uint64_t names_until_ms;     /* was_sure is true until then; 0: of none */
};

/* What a call was answered. */
struct answer {
    unsigned status;             /* 0: there was none */
    bool is_proven;
    json_t *document;            /* NULL: none */
    const char *code, *detail;   /* of a problem, "" else */
    const char *words;           /* of a transport error */
};

/* ---- client_call.c ---- */
uint64_t client__random(struct registry_client *client);
/* min, doubled each time up to max; its upper half is random. */
uint64_t client__backoff_ms(struct registry_client *client, uint64_t min_ms, uint64_t max_ms, uint32_t attempt);
uint64_t client__call_ms(const struct registry_client *client);
/* Perform a call in this slot. body is taken; NULL: none. */
void client__perform(struct registry_client *client, struct slot *slot, enum call_kind kind, const char *method,
                     const char *target, json_t *body, uint64_t timeout_ms, uint64_t now_ms);
void client__abort(struct registry_client *client, struct slot *slot);
const char *client__text(const json_t *document, const char *name); /* "" when it is not there */

/* ---- client.c ---- */
uint64_t client__lease_until_ms(const struct registry_client *client); /* when this node gives up its names */
void client__check_lease(struct registry_client *client, uint64_t now_ms); /* lost, if it is over */
void client__probe(struct registry_client *client, uint64_t now_ms); /* something is wrong: renew at once */

/* ---- client_names.c ---- */
void client__names_init(struct registry_client *client);
void client__names_fini(struct registry_client *client);
void client__names_pump(struct registry_client *client, uint64_t now_ms);
uint64_t client__names_next_ms(const struct registry_client *client);
void client__names_tick(struct registry_client *client, uint64_t now_ms);
void client__names_answered(struct registry_client *client, const struct slot *call, struct slot *slot,
                            const struct answer *answer, uint64_t now_ms);
/* Another registry: what was confirmed is true until until_ms, unless it confirms it too. */
void client__names_doubt(struct registry_client *client, uint64_t until_ms, uint64_t now_ms);
void client__names_give_up(struct registry_client *client); /* every name, every question */

struct own_name *client__name_of(struct registry_client *client, troupe_view name); /* NULL: there is no entry */
void client__name_settle(struct registry_client *client, struct own_name *entry); /* may free it */
uint64_t client__name_floor(const struct registry_client *client, uint64_t next);
/* The registry is about to be told that the core's actor, or `ref`, has the name. Held: it had confirmed it before. */
bool client__name_tell(struct registry_client *client, struct own_name *entry, troupe_ref ref, uint64_t now_ms);
void client__name_wait(struct registry_client *client, struct own_name *entry, uint64_t now_ms);
/* A claim for `ref` was refused with this problem or item of a batch. */
void client__name_refused(struct registry_client *client, struct own_name *entry, struct question *question,
                          troupe_ref ref, const json_t *problem, uint64_t now_ms);
bool client__is_about_lease(const struct answer *answer); /* so no verdict on a name */
/* One entry that nobody asks for, by a call of its own. */
void client__name_work(struct registry_client *client, struct slot *slot, struct own_name *entry, uint64_t now_ms);

/* ---- client_batch.c ---- */
bool client__batch_begin(struct registry_client *client, struct slot *slot, uint64_t now_ms);
void client__batch_answered(struct registry_client *client, const struct slot *call, struct slot *slot,
                            const struct answer *answer, uint64_t now_ms);

/* ---- client_members.c ---- */
void client__members_fini(struct registry_client *client);
void client__members_pump(struct registry_client *client, uint64_t now_ms);
uint64_t client__members_next_ms(const struct registry_client *client);
void client__members_tick(struct registry_client *client, uint64_t now_ms);
void client__members_answered(struct registry_client *client, const struct slot *call, const struct answer *answer,
                              uint64_t now_ms);
void client__members_doubt(struct registry_client *client, uint64_t now_ms);

#endif
