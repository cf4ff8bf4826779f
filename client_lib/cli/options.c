/* SPDX-License-Identifier: Apache-2.0
 *
 * Options: their spelling, and one argp parser for all commands, fed from the command's table entry. argp (glibc) gives
 * permuted arguments, unambiguous abbreviations, --option=value and the help text; a usage error is one line, a hint,
 * and exit code 2. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define KEY_BASE 0x100 /* argp keys of options without a letter */
#define KEY_VERSION 'V'
#define KEY_USAGE 0x200

static const struct {
    const char *name;
    char letter; /* 0: none */
} spelling[CLI_OPTIONS] = {
    [CLI_URL] = {"url", 'u'},
    [CLI_NODE] = {"node", 0},
    [CLI_OUTPUT] = {"output", 'o'},
    [CLI_TIMEOUT] = {"timeout", 't'},
    [CLI_NAME] = {"name", 'n'},
    [CLI_IF_EXISTS] = {"if-exists", 0},
    [CLI_SPAWN_ARGS] = {"args", 'a'},
    [CLI_MAILBOX_MESSAGES] = {"mailbox-messages", 0},
    [CLI_MAILBOX_BYTES] = {"mailbox-bytes", 0},
    [CLI_MAILBOX_POLICY] = {"mailbox-policy", 0},
    [CLI_RESTART] = {"restart", 0},
    [CLI_FILE] = {"file", 'f'},
    [CLI_CONTENT_TYPE] = {"content-type", 'c'},
    [CLI_BEHAVIOR] = {"behavior", 'b'},
    [CLI_STATE] = {"state", 's'},
    [CLI_LIMIT] = {"limit", 'l'},
    [CLI_QUIET] = {"quiet", 'q'},
    [CLI_MODE] = {"mode", 'm'},
    [CLI_REASON] = {"reason", 'r'},
    [CLI_TOKEN_FILE] = {"token-file", 0},
    [CLI_COLOR] = {"color", 0},
    [CLI_WATCH] = {"watch", 'w'},
    [CLI_ROUNDS] = {"rounds", 0},
    [CLI_FROM] = {"from", 0},
    [CLI_AFTER] = {"after", 0},
    [CLI_SORT] = {"sort", 0},
    [CLI_ID] = {"id", 0},
    [CLI_GRANT] = {"grant", 'g'},
    [CLI_SUBJECT] = {"subject", 0},
    [CLI_NAME_PREFIX] = {"name-prefix", 0},
    [CLI_RATE] = {"rate", 0},
    [CLI_CONNECTIONS] = {"connections-max", 0},
    [CLI_EXPIRES] = {"expires", 0},
    [CLI_DEPTH] = {"depth", 0},
    [CLI_ASCII] = {"ascii", 0},
    [CLI_MESSAGES] = {"messages", 0},
    [CLI_BODIES] = {"bodies", 0},
    [CLI_TYPES] = {"types", 0},
    [CLI_DEAD] = {"dead", 0},
    [CLI_DELAY] = {"delay", 'd'},
    [CLI_AT] = {"at", 0},
    [CLI_EVERY] = {"every", 0},
    [CLI_MISSED] = {"missed", 0},
    [CLI_SCOPE] = {"scope", 0},
};

const struct cli_option_use cli_common_options[] = {
    {CLI_URL, "URL", "The node to ask (else TROUPE_URL, else the one node running here)"},
    {CLI_NODE, "ID", "The node to ask, by its id, among those running here"},
    {CLI_OUTPUT, "table|json|yaml", "The form of the output"},
    {CLI_TIMEOUT, "TIME", "How long to wait for an answer, such as 500ms, 5s, 2m (default 10s)"},
    {CLI_TOKEN_FILE, "FILE", "Send the token in this file (else that in TROUPE_TOKEN)"},
    {CLI_COLOR, "auto|always|never", "When to colour the output (default auto: on a terminal)"},
    {.text = NULL},
};

const char *cli_option_name(enum cli_option option) { return spelling[option].name; }

char cli_option_letter(enum cli_option option) { return spelling[option].letter; }

static int key_of(enum cli_option option)
{
    return spelling[option].letter != 0 ? spelling[option].letter : KEY_BASE + (int)option;
}

/* ---- values ---- */

/* Is value one of the words of "a|b|c"? */
static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = choices; *at != '\0'; at += strcspn(at, "|"), at += *at == '|') {
        if (strcspn(at, "|") == len && strncmp(at, value, len) == 0) {
            return true;
        }
    }
    return false;
}

static const struct cli_option_use *use_in(const struct cli_option_use *uses, int key)
{
    for (; uses != NULL && uses->text != NULL; uses++) {
        if (key_of(uses->option) == key) {
            return uses;
        }
    }
    return NULL;
}

/* value is NULL for an option that takes nothing. */
static void take_value(struct cli *cli, const struct cli_option_use *use, const char *value, struct argp_state *state)
{
    const char *name = spelling[use->option].name;
    const char *given = value != NULL ? value : "";
    if (use->arg != NULL && strchr(use->arg, '|') != NULL && !is_choice(use->arg, given)) {
        argp_error(state, "--%s is '%s'; it must be one of %s", name, given, use->arg);
    }
    cli->value[use->option] = given;
    if (use->option == CLI_GRANT && cli->grant_count == CLI_GRANTS_MAX) {
        argp_error(state, "--%s is given more than %d times", name, CLI_GRANTS_MAX);
    } else if (use->option == CLI_GRANT) {
        cli->grant[cli->grant_count++] = given;
    }
    if (use->option == CLI_OUTPUT) {
        cli->format = given[0] == 'j' ? CLI_FORMAT_JSON : given[0] == 'y' ? CLI_FORMAT_YAML : CLI_FORMAT_TABLE;
    }
    if (use->option == CLI_TIMEOUT && cli_duration_parse(given, &cli->timeout_ms) != 0) {
        argp_error(state, "--%s is '%s'; it must be 1ms to 24h, such as 500ms, 5s, 2m", name, given);
    }
}

/* ---- before the command ---- */

static error_t on_global(int key, char *arg, struct argp_state *state)
{
    struct cli *cli = state->input;
    const struct cli_option_use *use = use_in(cli_common_options, key);
    if (use != NULL) {
        take_value(cli, use, arg, state);
        return 0;
    }
    switch (key) {
    case 'h':
    case KEY_USAGE:
        cli_help_print(stdout);
        exit(CLI_EXIT_DONE);
    case KEY_VERSION:
        cli->command = cli_command_find("version");
        state->next = state->argc;
        return 0;
    case ARGP_KEY_ARG:
        return ARGP_ERR_UNKNOWN; /* the command: ARGP_KEY_ARGS gets the rest */
    case ARGP_KEY_ARGS:
        cli->arg_count = state->next;
        state->next = state->argc;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

bool cli_option_is_optional(const struct cli_option_use *use) { return use->arg != NULL && use->arg[0] == '['; }

/* What argp shall call the argument; it writes the brackets of an optional one itself. */
static const char *arg_of(const struct cli_option_use *use)
{
    return cli_option_is_optional(use) ? "SECONDS" : use->arg;
}

/* Append the options of a list that the first `known` do not have yet. */
static size_t add_options(struct argp_option *options, size_t count, const struct cli_option_use *uses, int group)
{
    for (; uses != NULL && uses->text != NULL; uses++) {
        bool is_known = false;
        for (size_t i = 0; i < count; i++) {
            is_known = is_known || options[i].key == key_of(uses->option);
        }
        if (!is_known) {
            options[count++] = (struct argp_option){.name = spelling[uses->option].name,
                                                    .key = key_of(uses->option),
                                                    .arg = arg_of(uses),
                                                    .flags = cli_option_is_optional(uses) ? OPTION_ARG_OPTIONAL : 0,
                                                    .doc = uses->text,
                                                    .group = group};
        }
    }
    return count;
}

int cli_options_parse_global(struct cli *cli, int argc, char **argv)
{
    struct argp_option options[CLI_OPTIONS + 4] = {{0}};
    size_t count = add_options(options, 0, cli_common_options, 0);
    options[count++] = (struct argp_option){.name = "help", .key = 'h', .doc = "Show this help"};
    options[count++] = (struct argp_option){.name = "usage", .key = KEY_USAGE, .flags = OPTION_HIDDEN};
    options[count++] = (struct argp_option){.name = "version", .key = KEY_VERSION, .doc = "Show the version"};
    const struct argp argp = {.options = options, .parser = on_global};
    cli->arg_count = argc;
    argp_err_exit_status = CLI_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, cli) != 0) {
        exit(CLI_EXIT_LOCAL);
    }
    int index = cli->arg_count;
    cli->arg_count = 0;
    return index;
}

/* ---- a command ---- */

static void check_arg_count(const struct cli *cli, struct argp_state *state)
{
    const struct cli_command *command = cli->command;
    if (cli->arg_count < command->args_min) {
        argp_error(state, "an argument is missing: %s %s", command->name, command->usage);
    }
}

static error_t on_command(int key, char *arg, struct argp_state *state)
{
    struct cli *cli = state->input;
    const struct cli_option_use *use = use_in(cli->command->options, key);
    if (use == NULL && !cli->command->is_local) {
        use = use_in(cli_common_options, key);
    }
    if (use != NULL) {
        take_value(cli, use, arg, state);
        return 0;
    }
    switch (key) {
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case ARGP_KEY_ARG:
        if (cli->arg_count == cli->command->args_max) {
            argp_error(state, "'%s' is one argument too many", arg);
        }
        cli->arg[cli->arg_count++] = arg;
        return 0;
    case ARGP_KEY_END:
        check_arg_count(cli, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The argp of a command; `options` and `doc` are the caller's room. */
static struct argp make_argp(const struct cli_command *command, struct argp_option options[static CLI_OPTIONS + 3],
                             char *doc, size_t doc_cap)
{
    size_t count = add_options(options, 0, command->options, 1);
    if (!command->is_local) {
        count = add_options(options, count, cli_common_options, 2);
    }
    options[count++] = (struct argp_option){.key = 'h', .flags = OPTION_HIDDEN, .doc = "Show this help"};
    options[count] = (struct argp_option){0};
    snprintf(doc, doc_cap, "%s.%s%s", command->summary, command->text != NULL ? "\v" : "",
             command->text != NULL ? command->text : "");
    const char *args_doc = command->usage[0] != '\0' ? command->usage : NULL;
    return (struct argp){.options = options, .parser = on_command, .args_doc = args_doc, .doc = doc};
}

void cli_options_parse_command(struct cli *cli, int argc, char **argv)
{
    struct argp_option options[CLI_OPTIONS + 3] = {{0}};
    char doc[4096];
    char name[64];
    const struct argp argp = make_argp(cli->command, options, doc, sizeof doc);
    snprintf(name, sizeof name, "troupe %s", cli->command->name);
    argv[0] = name;
    if (argp_parse(&argp, argc, argv, 0, NULL, cli) != 0) {
        exit(CLI_EXIT_LOCAL);
    }
    argv[0] = NULL;
}

/* ---- help ---- */

void cli_help_print_command(const struct cli_command *command, FILE *file)
{
    struct argp_option options[CLI_OPTIONS + 3] = {{0}};
    char doc[4096];
    char name[64];
    const struct argp argp = make_argp(command, options, doc, sizeof doc);
    snprintf(name, sizeof name, "troupe %s", command->name);
    argp_help(&argp, file, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, name);
}

void cli_help_print(FILE *file)
{
    fputs("Usage: troupe [OPTION...] COMMAND [ARGUMENT...]\n"
          "Spawn, call, watch and stop the actors of a Troupe cluster.\n\nCommands:\n",
          file);
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        fprintf(file, "  %-11s %s\n", (*at)->name, (*at)->summary);
    }
    fputs("\nOptions that most commands take:\n", file);
    for (const struct cli_option_use *use = cli_common_options; use->text != NULL; use++) {
        char letter = spelling[use->option].letter;
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s=%s", letter ? '-' : ' ', letter ? letter : ' ', letter ? ", " : "  ",
                 spelling[use->option].name, use->arg);
        fprintf(file, "  %-30s %s\n", left, use->text);
    }
    fputs("\nA reference is an id, such as n.4tq8v1m02x7kc.3f.1, or a name, such as @hits.\n"
          "Exit codes: 0 done, 1 no such thing, 2 usage, 3 no node reached, 4 refused by the node, 5 local failure.\n"
          "'troupe help COMMAND' tells more about one; so does the manual page, troupe(1).\n",
          file);
}
