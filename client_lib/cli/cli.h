/* SPDX-License-Identifier: Apache-2.0
 *
 * The CLI: one command, one file, one constant table entry. Parsing, help, errors and shell completion are made from
 * the entries, so they cannot disagree. A command talks to a node through troupe/client.h only.
 *
 * Exit codes are part of the interface (docs/man/troupe.1).
 *
 * Thread: one; the program has no other. */
#ifndef TROUPE_CLI_H
#define TROUPE_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include <troupe/client.h>

#define CLI_ARGS_MAX 5
#define CLI_INTERVAL_MS 2000    /* between two rounds of --watch, where it is not given */
#define CLI_INTERVAL_MS_MIN 100 /* more often shows nothing new to an eye */
#define CLI_GRANTS_MAX 64       /* --grant may be given so often */

enum cli_exit {
    CLI_EXIT_DONE = 0,
    CLI_EXIT_NO = 1,          /* a negative answer: no such thing, not ended in time, a check failed */
    CLI_EXIT_USAGE = 2,       /* the command line is not valid */
    CLI_EXIT_UNREACHABLE = 3, /* no node answered */
    CLI_EXIT_REFUSED = 4,     /* the node refused or failed */
    CLI_EXIT_LOCAL = 5,       /* this program failed: no memory, output not written */
};

/* Every option of every command; one word means one thing everywhere. Their spelling is in options.c. */
enum cli_option {
    CLI_URL,
    CLI_NODE,
    CLI_OUTPUT,
    CLI_TIMEOUT,
    CLI_NAME,
    CLI_IF_EXISTS,
    CLI_SPAWN_ARGS,
    CLI_MAILBOX_MESSAGES,
    CLI_MAILBOX_BYTES,
    CLI_MAILBOX_POLICY,
    CLI_RESTART,
    CLI_FILE,
    CLI_CONTENT_TYPE,
    CLI_BEHAVIOR,
    CLI_STATE,
    CLI_LIMIT,
    CLI_QUIET,
    CLI_MODE,
    CLI_REASON,
    CLI_TOKEN_FILE,
    CLI_COLOR,
    CLI_WATCH,
    CLI_ROUNDS,
    CLI_FROM,
    CLI_AFTER,
    CLI_SORT,
    CLI_ID,
    CLI_GRANT,
    CLI_SUBJECT,
    CLI_NAME_PREFIX,
    CLI_RATE,
    CLI_CONNECTIONS,
    CLI_EXPIRES,
    CLI_DEPTH,
    CLI_ASCII,
    CLI_MESSAGES,
    CLI_BODIES,
    CLI_TYPES,
    CLI_DEAD,
    CLI_DELAY,
    CLI_AT,
    CLI_EVERY,
    CLI_MISSED,
    CLI_SCOPE,
    CLI_OPTIONS, /* how many */
};

/* An option as one command takes it. A list ends with text NULL. */
struct cli_option_use {
    enum cli_option option;
    const char *arg;  /* what it takes; "a|b|c" are its only values; "[X]": may take X; NULL: it takes nothing */
    const char *text; /* one line for --help and completion, without quotes */
};

/* What an argument is, for completion. */
enum cli_arg_kind { CLI_ARG_TEXT, CLI_ARG_REF, CLI_ARG_NAME, CLI_ARG_COMMAND, CLI_ARG_WORD };

enum cli_format { CLI_FORMAT_TABLE, CLI_FORMAT_JSON, CLI_FORMAT_YAML };

struct cli;

struct cli_command {
    const char *name;
    const char *usage;      /* the arguments, as in the usage line */
    const char *summary;    /* one line, without quotes */
    const char *text;       /* a paragraph for --help; may be NULL */
    int args_min, args_max; /* at most CLI_ARGS_MAX */
    enum cli_arg_kind first_arg;
    const char *words; /* CLI_ARG_WORD: "a|b|c", what completion offers; CLI_ARG_REF: behind the reference */
    bool is_local;     /* asks no node: takes no common options */
    const struct cli_option_use *options; /* its own, beside the common ones; NULL: none */
    int (*run)(struct cli *cli);          /* returns a cli_exit */
};

/* One run of the program. */
struct cli {
    const struct cli_command *command;
    const char *value[CLI_OPTIONS]; /* what was given, "" for an option that takes nothing; NULL: not given */
    const char *arg[CLI_ARGS_MAX];
    int arg_count;
    const char *grant[CLI_GRANTS_MAX]; /* the values of --grant */
    size_t grant_count;
    enum cli_format format;
    FILE *out;             /* where answers go: stdout, or with --watch a frame of it */
    bool has_colour;       /* may they be coloured? */
    bool is_round;         /* one of several answers (--watch): each JSON document on one line */
    char *token;           /* owned; from --token-file or TROUPE_TOKEN once connected; NULL: none */
    uint32_t timeout_ms;   /* --timeout; 0: not given */
    troupe_client *client; /* made by cli_connect, freed by main */
};

/* ---- commands.c: the table ---- */

extern const struct cli_command *const cli_commands[];        /* ends with NULL */
const struct cli_command *cli_command_find(const char *name); /* NULL: none */
const char *cli_command_guess(const char *name);              /* the nearest name, or NULL */

/* ---- options.c: parsing and help from the table; usage errors end the program with CLI_EXIT_USAGE ---- */

extern const struct cli_option_use cli_common_options[];
const char *cli_option_name(enum cli_option option);
char cli_option_letter(enum cli_option option); /* 0: none */

/* May the value be left out, as in --watch[=SECONDS]? */
bool cli_option_is_optional(const struct cli_option_use *use);

/* Parse the options before the command; returns the index of the command in argv, or argc. */
int cli_options_parse_global(struct cli *cli, int argc, char **argv);

/* Parse the options and arguments of cli->command; argv[0] is its name. */
void cli_options_parse_command(struct cli *cli, int argc, char **argv);

void cli_help_print(FILE *file);
void cli_help_print_command(const struct cli_command *command, FILE *file);

/* ---- values.c: what options and arguments mean ---- */

/* "500ms", "5s", "2m", "1h" to milliseconds, 1 ms to a day. Fails: TROUPE_E_INVALID */
TROUPE_MUST_USE int cli_duration_parse(const char *text, uint32_t *ret_ms);

/* The same with days ("30d") and up to max_ms. Fails: TROUPE_E_INVALID */
TROUPE_MUST_USE int cli_span_parse(const char *text, uint64_t max_ms, uint64_t *ret_ms);

/* Read an option that is a time; absent leaves *ret_ms. On a bad value complains and returns CLI_EXIT_USAGE. */
TROUPE_MUST_USE int cli_span_option(const struct cli *cli, enum cli_option option, uint64_t max_ms, uint32_t *ret_ms);

/* A decimal number up to max. Fails: TROUPE_E_INVALID */
TROUPE_MUST_USE int cli_count_parse(const char *text, uint64_t max, uint64_t *ret_count);

/* "3.2s", "4m07s", "2h05m", "3d04h" into out, for people. */
void cli_duration_format(int64_t ms, char *out, size_t cap);

/* "850ns", "12.3us", "4.0ms", "2.5s" into out, for people. */
void cli_nanoseconds_format(int64_t ns, char *out, size_t cap);

/* "512 B", "3.2 KiB", "17.7 GiB" into out, for people. */
void cli_bytes_format(uint64_t bytes, char *out, size_t cap);

/* The value of --watch: a number of seconds or a time, at least 100 ms. Fails: TROUPE_E_INVALID */
TROUPE_MUST_USE int cli_interval_parse(const char *text, uint32_t *ret_ms);

/* Read a count option; absent leaves *ret_count. On a bad value complains and returns CLI_EXIT_USAGE. */
TROUPE_MUST_USE int cli_count_option(const struct cli *cli, enum cli_option option, uint64_t max, uint64_t *ret_count);

/* ---- connect.c ---- */

/* Where the URL of the node comes from, or why there is none. */
struct cli_choice {
    char url[TROUPE_CLIENT_URL_BYTES_MAX + 1];
    char source[1024]; /* "--url", "TROUPE_URL" or the path of a ports file */
    char why[3072];    /* after a failure: a sentence with the remedy */
    int64_t pid;       /* of a node found by its ports file, else 0 */
};

/* Choose the node: --url, TROUPE_URL, the ports file of a local node. Says nothing. Returns a cli_exit. */
TROUPE_MUST_USE int cli_connect_choose(const struct cli *cli, struct cli_choice *ret_choice);

/* Choose and make cli->client, if it is not there yet; complains. Returns a cli_exit. */
TROUPE_MUST_USE int cli_connect(struct cli *cli);

/* Forget the client, so that the next cli_connect chooses anew: a node may have come back on another port. */
void cli_disconnect(struct cli *cli);

/* Read the token into cli->token, if there is one and it is not there yet. Says nothing; on failure `why` has the
 * sentence. Returns a cli_exit. */
TROUPE_MUST_USE int cli_token_read(struct cli *cli, char *why, size_t why_cap);

/* Pick from the local nodes: the one with the id `node`, or with node NULL the only one. Pure; the sentence of a
 * failure goes to why. Returns the index or -1. */
int cli_connect_pick(const troupe_client_node_entry *entries, size_t count, const char *node, const char *dir,
                     char *why, size_t why_cap);

/* ---- complain.c: one line on stderr: what, why, the remedy ---- */

/* Print "troupe: ..." with control characters made visible. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Explain a failed request and return its exit code. The format makes what was tried: "call @hits add". */
TROUPE_MUST_USE int cli_complain_problem(const struct cli *cli, const troupe_client_problem *problem,
                                         const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Its detail, or where it has none its title. Lives: as long as the problem. */
const char *cli_problem_text(const troupe_client_problem *problem);

/* The exit code of a problem. */
int cli_problem_exit(const troupe_client_problem *problem);

/* A copy of text with control characters written as \xNN, cut to cap. */
void cli_clean_copy(char *dst, size_t cap, const char *src);

/* ---- output.c ---- */

/* Print a document as JSON or YAML, as asked; a table is the command's own affair. */
TROUPE_MUST_USE int cli_output_document(const struct cli *cli, const json_t *document);

/* The same with a document just made, which is released; NULL: memory ran out. */
TROUPE_MUST_USE int cli_output_made(const struct cli *cli, json_t *document);

/* Print one text of a document for people and scripts, or the document as asked. */
TROUPE_MUST_USE int cli_output_member(const struct cli *cli, const json_t *document, const char *member);

/* Print a document for people, one line per member, nested ones as a.b; or as asked. */
TROUPE_MUST_USE int cli_output_fields(const struct cli *cli, const json_t *document);

/* A reply body: as it came for a table, else as a document. */
TROUPE_MUST_USE int cli_output_reply(const struct cli *cli, const troupe_client_reply *reply);

/* Print a text of a node as one line, with control characters made visible. */
void cli_output_line(const struct cli *cli, const char *text);

/* Complain that memory ran out; returns CLI_EXIT_LOCAL. */
int cli_no_memory(void);

/* ---- events.c: streams ---- */

/* How an event looks in a table line. */
typedef void (*cli_event_line_fn)(const struct cli *cli, const troupe_client_event *event, const json_t *data);

/* The options of a command that follows a stream. */
#define CLI_EVENTS_OPTIONS                                                                                             \
    {CLI_FROM, "now|oldest", "Where to begin: with what comes (default), or with the oldest event that is kept"},      \
        {CLI_AFTER, "ID", "Begin behind the event of this id"},                                                        \
        {CLI_TYPES, "TYPES", "Only events of these types, with commas between; one may end with a *"},                 \
    {                                                                                                                  \
        CLI_LIMIT, "N", "End after this many events"                                                                   \
    }
extern const struct cli_option_use cli_events_options[];

/* A stream, and what an event of it looks like. */
struct cli_stream {
    const char *what;                     /* "follow @hits", for a complaint */
    troupe_client_stream_options options; /* its source; on_event and what the command line says is filled in */
    cli_event_line_fn line;
    const char *last_type; /* the event behind which the stream is over; NULL: none */
    const char *title;     /* a line above a table; NULL: none */
};

/* Follow a stream and print its events until --limit, its end or a failure. Returns a cli_exit. */
int cli_events_print(struct cli *cli, const struct cli_stream *stream);

/* Print a text, however long, with control characters made visible. */
void cli_output_clean(const struct cli *cli, const char *text, size_t len);

/* ---- pages.c: lists ---- */

#define CLI_CELL_BYTES 320     /* of one cell: the longest name fits */
#define CLI_LIST_LIMIT 100     /* rows, where --limit is not given */
#define CLI_LIST_PAGE_MAX 1000 /* rows a node gives at once */

struct table_column;

typedef int (*cli_page_fn)(troupe_client *client, const troupe_client_filter *filter, json_t **ret_page,
                           troupe_client_problem *problem);

/* A list: how its rows look. */
struct cli_list {
    const char *what; /* "list the actors" */
    cli_page_fn get_page;
    const struct table_column *columns; /* of the table */
    size_t column_count;
    /* Fill the cells of a row from one item. */
    void (*fill)(const json_t *item, char (*cells)[CLI_CELL_BYTES]);
    /* The reference that --quiet prints. */
    void (*quiet)(const json_t *item, char *cell);
};

/* Follow the cursors and print up to --limit items. Returns a cli_exit. */
int cli_pages_print(struct cli *cli, const struct cli_list *list, troupe_client_filter filter);

/* Follow the cursors and give each item, which is borrowed, to on_item until that returns false.
 * Fails: as get_page; TROUPE_E_MALFORMED  the node gave the same cursor twice */
TROUPE_MUST_USE int cli_pages_each(struct cli *cli, cli_page_fn get_page, bool (*on_item)(void *user, json_t *item),
                                   void *user, troupe_client_problem *problem);

#endif
