/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/commands.h"

/* --args as a value; *ret_args stays NULL when there is none. Returns a cli_exit. */
static int read_args(const struct cli *cli, json_t **ret_args)
{
    const char *text = cli->value[CLI_SPAWN_ARGS];
    json_error_t error;
    if (text == NULL) {
        return CLI_EXIT_DONE;
    }
    *ret_args = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (*ret_args == NULL) {
        cli_complain("--args is not JSON: %s at character %d; quote it for the shell: --args '{\"key\":1}'", error.text,
                     error.column);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_DONE;
}

static int read_spec(const struct cli *cli, troupe_client_spawn_spec *spec, json_t **ret_args)
{
    spec->behavior = cli->arg[0];
    spec->name = cli->value[CLI_NAME];
    spec->name += spec->name != NULL && spec->name[0] == '@';
    spec->if_exists = cli->value[CLI_IF_EXISTS];
    spec->mailbox_policy = cli->value[CLI_MAILBOX_POLICY];
    spec->restart = cli->value[CLI_RESTART];
    int code = cli_count_option(cli, CLI_MAILBOX_MESSAGES, UINT32_MAX, &spec->mailbox_messages);
    code = code != CLI_EXIT_DONE ? code : cli_count_option(cli, CLI_MAILBOX_BYTES, INT64_MAX, &spec->mailbox_bytes);
    return code != CLI_EXIT_DONE ? code : read_args(cli, ret_args);
}

static int run(struct cli *cli)
{
    troupe_client_problem problem;
    troupe_client_spawn_spec spec = {0};
    json_t *args = NULL;
    json_t *actor = NULL;
    int code = read_spec(cli, &spec, &args);
    code = code != CLI_EXIT_DONE ? code : cli_connect(cli);
    if (code == CLI_EXIT_DONE) {
        spec.args = args;
        int rc = troupe_client_spawn(cli->client, &spec, &actor, NULL, &problem);
        code = rc != 0 ? cli_complain_problem(cli, &problem, "spawn %s", cli->arg[0])
                       : cli_output_member(cli, actor, "ref");
    }
    json_decref(args);
    json_decref(actor);
    return code;
}

static const struct cli_option_use options[] = {
    {CLI_NAME, "NAME", "The name of the new actor, unique in the cluster"},
    {CLI_IF_EXISTS, "error|return", "What to do when the name is taken: refuse, or give its holder"},
    {CLI_SPAWN_ARGS, "JSON", "What the behavior is started with"},
    {CLI_MAILBOX_MESSAGES, "N", "How many messages the mailbox holds"},
    {CLI_MAILBOX_BYTES, "N", "How many bytes the mailbox holds"},
    {CLI_MAILBOX_POLICY, "refuse|drop_oldest|drop_newest", "What a full mailbox does"},
    {CLI_RESTART, "permanent|transient|temporary", "When the actor is started again"},
    {.text = NULL},
};

const struct cli_command cmd_spawn = {
    .name = "spawn",
    .usage = "BEHAVIOR",
    .summary = "Start an actor and print its reference",
    .text = "Example: troupe spawn counter --name hits --if-exists return",
    .args_min = 1,
    .args_max = 1,
    .options = options,
    .run = run,
};
