/* SPDX-License-Identifier: Apache-2.0
 *
 * What an actor has inside, as its behavior writes it. */
#include "cli/commands.h"
#include "cli/watch.h"

static int tell(const struct cli *cli, const troupe_client_reply *reply)
{
    json_t *state = json_loadb(reply->body, reply->body_len, JSON_ALLOW_NUL, NULL);
    bool is_object = json_is_object(state) && json_object_size(state) > 0;
    int code = is_object ? cli_output_fields(cli, state) : cli_output_reply(cli, reply);
    json_decref(state);
    return code;
}

static int answer(struct cli *cli)
{
    troupe_client_problem problem;
    troupe_client_reply reply = {0};
    int code = cli_connect(cli);
    if (code == CLI_EXIT_DONE) {
        int rc = troupe_client_state(cli->client, cli->arg[0], &reply, &problem);
        code = rc != 0 ? cli_complain_problem(cli, &problem, "show the state of %s", cli->arg[0]) : tell(cli, &reply);
    }
    troupe_client_reply_fini(&reply);
    return code;
}

static int run(struct cli *cli) { return cli_watch_run(cli, answer); }

static const struct cli_option_use options[] = {
    WATCH_OPTIONS,
    {.text = NULL},
};

const struct cli_command cmd_state = {
    .name = "state",
    .usage = "REF",
    .summary = "Show what an actor has inside, as its behavior tells it",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_REF,
    .options = options,
    .run = run,
};
